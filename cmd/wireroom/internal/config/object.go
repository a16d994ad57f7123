package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An item is one entry of a mapping.
type item struct{ key, value *yaml.Node }

// An object is a mapping that is being read.
type object struct {
	d     *decoder
	path  string
	node  *yaml.Node // nil if the file does not have it
	items map[string]item
	order []string // keys as they stand in the file
	known []string // keys that were asked for

	misplaced string // what is asked for now must not be here, because there is this key
}

// load indexes the entries of the mapping and reports duplicate keys.
func (o *object) load() bool {
	n := o.node
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		o.d.reportf(n, o.path, "expected a mapping (key: value), found %s", kindOf(n))
		o.d.skip[o.path] = true
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.ShortTag() == "!!merge":
			o.d.reportf(k, o.path, "expected a key, found <<: merge keys are not supported; write the keys out")
			continue
		case k.Kind != yaml.ScalarNode:
			o.d.reportf(k, o.path, "expected a key, found %s", kindOf(k))
			continue
		}
		if first, dup := o.items[k.Value]; dup {
			o.d.reportf(k, join(o.path, k.Value), "expected each key once, found it again; the first is in line %d", first.key.Line)
			continue
		}
		o.items[k.Value] = item{k, v}
		o.order = append(o.order, k.Value)
	}
	return true
}

// finish reports the keys that nobody asked for.
func (o *object) finish() {
	for _, key := range o.order {
		if slices.Contains(o.known, key) {
			continue
		}
		text := fmt.Sprintf("expected one of the keys %s, found %q", strings.Join(o.known, ", "), key)
		if near := nearest(key, o.known); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		o.d.reportf(o.items[key].key, join(o.path, key), "%s", text)
	}
}

// take returns the value of a key, and its path, or nil if the file does not
// have it.
func (o *object) take(key, kind, def string) (*yaml.Node, string) {
	path := join(o.path, key)
	o.known = append(o.known, key)
	if o.d.inherits {
		def = ""
	}
	if o.d.describe {
		if o.d.again && kind != "mapping" {
			kind += ", as above"
		}
		o.d.keys = append(o.d.keys, Key{Path: path, Kind: kind, Default: def})
	}
	it, ok := o.items[key]
	if !ok {
		return nil, path
	}
	if o.misplaced != "" {
		o.d.reportf(it.key, path, "expected none besides %s, each of which has its own, found one", o.misplaced)
		o.d.skip[path] = true
		return nil, path
	}
	v, ok := o.d.visit(it.value, path)
	if !ok {
		return nil, path
	}
	return v, path
}

// has reports whether the file has the key.
func (o *object) has(key string) bool {
	_, ok := o.items[key]
	return ok
}

// required reports a key that is missing, at the object that lacks it.
// expected says what should be there.
func (o *object) required(key, expected string) {
	path := join(o.path, key)
	if i := slices.IndexFunc(o.d.keys, func(k Key) bool { return k.Path == path }); i >= 0 {
		o.d.keys[i].Required = true
	}
	if !o.has(key) && o.misplaced == "" {
		o.d.reportf(o.node, path, "expected %s, found nothing", expected)
		o.d.skip[path] = true
	}
}

// inherit calls read, whose keys have for a default what the same keys of
// something wider have.
func (o *object) inherit(read func()) {
	o.d.inherits = true
	read()
	o.d.inherits = false
}

// unless calls read, whose keys must not be in o if key is: they belong into
// what stands there.
func (o *object) unless(key string, read func()) { o.unlessIn(o, key, read) }

// unlessIn is unless with a key of another object.
func (o *object) unlessIn(of *object, key string, read func()) {
	if of.has(key) {
		o.misplaced = key
	}
	read()
	o.misplaced = ""
}

// again calls read, whose keys are described in full elsewhere.
func (o *object) again(read func()) {
	o.d.again = o.d.describe
	read()
	o.d.again = false
}

// report reports a problem at a key of the object, or at the object itself if
// it lacks the key.
func (o *object) report(key string, err error) { o.d.reporter(o.path)(key, err) }

// validate has a room look at its part, whose fields have the names of the
// object's keys.
func (o *object) validate(f func(report func(field string, err error))) { f(o.d.reporter(o.path)) }

// list reads a sequence by calling each for every element.
func (o *object) list(key, kind, def string, each func(n *yaml.Node, path string)) {
	n, path := o.take(key, kind, def)
	if o.d.again {
		return
	}
	if o.d.describe {
		each(nil, path+"[]")
		return
	}
	if n == nil || isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		o.d.reportf(n, path, "expected a list, found %s", kindOf(n))
		return
	}
	for i, el := range n.Content {
		p := fmt.Sprintf("%s[%d]", path, i)
		if el, ok := o.d.visit(el, p); ok {
			each(el, p)
		}
	}
}

// each reads a mapping whose keys are names by calling read for every entry,
// in the order of the file. what says what a name is, for the list of keys.
func (o *object) each(key, what string, read func(name string, v *yaml.Node, path string)) {
	n, path := o.take(key, "mapping of <"+what+">", "")
	if o.d.again {
		return
	}
	if o.d.describe {
		read("<"+what+">", nil, path+".<"+what+">")
		return
	}
	if n == nil {
		return
	}
	names := &object{d: o.d, path: path, node: n, items: map[string]item{}}
	if !names.load() {
		return
	}
	for _, name := range names.order {
		it := names.items[name]
		p := join(path, name)
		v, ok := o.d.visit(it.value, p)
		o.d.at[p] = it.key // problems with the whole entry point to its name
		if ok {
			read(name, v, p)
		}
	}
}

// sub reads a mapping under a key, if the file has it, and reports whether.
func (o *object) sub(key string, read func(o *object)) bool {
	n, path := o.take(key, "mapping", "")
	if n == nil && !o.d.describe {
		return false
	}
	o.d.object(n, path, read)
	return true
}
