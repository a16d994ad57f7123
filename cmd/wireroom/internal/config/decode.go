package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds on what is read, so that a small file with aliases in aliases cannot
// stand for a huge one.
const (
	maxDepth    = 64
	maxNodes    = 200_000
	maxProblems = 500
)

// A decoder turns the nodes of one file into a [Config]. It never stops at
// the first problem.
//
// The calls of its getters are the schema: run over no file, with describe
// set, they list every key that there is.
type decoder struct {
	file     string
	dir      string                // what relative files are relative to
	builtIn  bool                  // the file is our own, and may have a weak key
	at       map[string]*yaml.Node // where each path stands
	problems Problems
	files    []*decoder      // of other files, which this one names
	skip     map[string]bool // paths that were reported already: not there, or unreadable as a whole
	nodes    int             // visited

	describe bool
	inherits bool // what is read now has no default of its own
	again    bool // what is described now was described before, and is only named
	keys     []Key
}

// A Key is one key of the configuration file, as [Keys] lists them.
type Key struct {
	Path     string // such as "ingest.keys[].name" or "classes.<name>.access"
	Kind     string // what the value is: "string", "size", "duration", …
	Default  string // as it would stand in the file; "" if there is none
	Required bool   // in the object that it belongs to
}

// reportf records a problem at a node.
func (d *decoder) reportf(n *yaml.Node, path, format string, args ...any) {
	if d.describe || len(d.problems) > maxProblems {
		return
	}
	if len(d.problems) == maxProblems {
		path, format, args = "", "there are more problems; these are the first %d", []any{maxProblems}
	}
	p := Problem{File: d.file, Path: path, Text: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	d.problems = append(d.problems, p)
}

// all returns the problems of the file in its order, and then those of the
// others that it names.
func (d *decoder) all() Problems {
	all := d.problems.sort()
	for _, f := range d.files {
		for _, p := range f.problems.sort() {
			if !slices.Contains(all, p) { // several realms may name the same file
				all = append(all, p)
			}
		}
	}
	return all
}

// reporter returns a function for the Validate methods. It reports problems of
// fields under path, at the field's own position if the file has the field,
// otherwise at the nearest object that lacks it. A value that could not be
// read is reported once, not also for being missing.
func (d *decoder) reporter(path string) func(field string, err error) {
	known := make(map[string]bool, len(d.problems))
	for _, p := range d.problems {
		known[p.Path] = true
	}
	return func(field string, err error) {
		full := join(path, field)
		if known[full] || known[full+"_file"] || known[full+".type"] || d.skipped(full) {
			return
		}
		d.reportf(d.nearestNode(full), full, "%v", err)
	}
}

// skipped reports whether path or something that it is in was reported as a
// whole.
func (d *decoder) skipped(path string) bool {
	for path != "" {
		if d.skip[path] {
			return true
		}
		path = parent(path)
	}
	return false
}

// parent returns the path without its last part.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

func (d *decoder) nearestNode(path string) *yaml.Node {
	for {
		if n := d.at[path]; n != nil || path == "" {
			return n
		}
		path = parent(path)
	}
}

// visit resolves aliases, remembers where path is, and reports whether the
// node may be looked into.
func (d *decoder) visit(n *yaml.Node, path string) (*yaml.Node, bool) {
	d.nodes++
	if d.nodes == maxNodes {
		d.reportf(n, path, "expected at most %d values, aliases counted each time, found more", maxNodes)
	}
	if d.nodes >= maxNodes {
		return nil, false
	}
	d.at[path] = n
	if n.Kind == yaml.AliasNode {
		n = n.Alias // never an alias itself
	}
	return n, true
}

// object reads a mapping by calling read, and then reports the keys that read
// did not ask for. An empty value counts as an empty mapping.
func (d *decoder) object(n *yaml.Node, path string, read func(o *object)) {
	o := &object{d: d, path: path, node: n, items: map[string]item{}}
	if n != nil {
		if strings.Count(path, ".") > maxDepth {
			d.reportf(n, path, "expected at most %d levels of nesting, found more", maxDepth)
			return
		}
		if !o.load() {
			return
		}
	}
	read(o)
	o.finish()
}

func join(path, key string) string {
	switch {
	case path == "":
		return key
	case key == "":
		return path
	case key[0] == '[':
		return path + key
	}
	return path + "." + key
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isScalar(n *yaml.Node, tags ...string) bool {
	return n.Kind == yaml.ScalarNode && slices.Contains(tags, n.ShortTag())
}

// kindOf says what kind of node it is, for "found …". It never quotes the
// file, and so is right where a secret may stand at the wrong place.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	case isScalar(n, "!!int", "!!float"):
		return "a number"
	}
	return "a text"
}

// describeNode says what a node is, for "found …", and quotes it if it is
// short.
func describeNode(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return kindOf(n)
	}
	if isScalar(n, "!!int", "!!float", "!!bool") {
		return n.Value
	}
	if r := []rune(n.Value); len(r) > 60 {
		return strconv.Quote(string(r[:60])) + "…"
	}
	return strconv.Quote(n.Value)
}
