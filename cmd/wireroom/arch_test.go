package main

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wireroom/wireroom"

// mayImport is the architecture: for each package, which others of this module
// it may import. "*" stands for all. docs/architecture.md draws the same
// picture.
var mayImport = map[string][]string{
	"router/wamp":      {},
	"router/network":   {},
	"router/sockio":    {},
	"router":           {"router/network", "router/wamp"},
	"router/transport": {"router", "router/sockio", "router/wamp"},
	"router/local":     {"router", "router/wamp"},
	"router/presence":  {"router", "router/wamp"},

	"events":                         {"events/query"},
	"events/query":                   {"events/query/internal/cesql"},
	"events/query/internal/cesql":    {},
	"events/query/querytest":         {"events/query"},
	"events/store/archive":           {"events", "auth"},
	"events/store/embedded":          {"events", "events/store/internal/storekit", "auth"},
	"events/store/internal/storekit": {"events"},
	"events/store/redis":             {"events", "events/store/internal/storekit", "auth", "router/sockio"},
	"events/store/storetest":         {"events", "auth"},

	"ingest":            {},
	"ingest/ingesttest": {"ingest"},
	"ingest/bridge":     {"ingest"},
	"ingest/httpapi":    {"ingest"},
	"ingest/webhook":    {"ingest"},
	"ingest/xmlrpc":     {"ingest"},

	"auth": {"router/network", "router/wamp"},

	"cmd/wireroom":                    {"*"},
	"cmd/wireroom/internal/bench":     {"*"},
	"cmd/wireroom/internal/certs":     {},
	"cmd/wireroom/internal/config":    {"*"},
	"cmd/wireroom/internal/console":   {"*"},
	"cmd/wireroom/internal/dynamic":   {"auth", "router", "router/local", "router/wamp"},
	"cmd/wireroom/internal/interop":   {"*"},
	"cmd/wireroom/internal/lease":     {},
	"cmd/wireroom/internal/nodes":     {"auth", "router", "router/presence", "router/wamp"},
	"cmd/wireroom/internal/pace":      {},
	"cmd/wireroom/internal/storetool": {"*"},
	"cmd/wireroom/internal/torture":   {},
}

// testsMayImport is what the tests of a package may import besides: the suites
// that check an implementation, and the interfaces that they promise to meet.
var testsMayImport = map[string][]string{
	"cmd/wireroom":          {"events/store/storetest"}, // for the logs of a realm
	"events":                {"events/store/embedded"},
	"events/query":          {"events/query/querytest"},
	"events/store/embedded": {"events/store/storetest"},
	"events/store/redis":    {"events/store/storetest"},
	"ingest/httpapi":        {"ingest/ingesttest"},
	"ingest/xmlrpc":         {"ingest/ingesttest"},
	"router":                {"router/transport", "router/presence"}, // transcripts are played through the whole stack
	"router/presence":       {"router/local"},

	"cmd/wireroom/internal/nodes": {"router/local"},
}

// suites are packages for tests, which no program may contain.
var suites = []string{"events/query/querytest", "events/store/storetest", "ingest/ingesttest"}

// A goPackage is what go list says of a package.
type goPackage struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
	IgnoredGo    []string `json:"IgnoredGoFiles"`
}

func TestArchitecture(t *testing.T) {
	packages := listPackages(t)
	seen := map[string]bool{}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("package %s has no entry in mayImport: say what it may import", name)
			continue
		}
		check := func(what string, imports, allowed []string) {
			t.Helper()
			for _, path := range imports {
				other, ours := strings.CutPrefix(path, module+"/")
				if ours && other != name && !slices.Contains(allowed, other) && !slices.Contains(allowed, "*") {
					t.Errorf("%s %s imports %s, which mayImport does not allow", what, name, other)
				}
				if ours && what == "package" && slices.Contains(suites, other) {
					t.Errorf("package %s imports %s, which is for tests", name, other)
				}
			}
		}
		check("package", p.Imports, allowed)
		inTests := slices.Concat(allowed, testsMayImport[name])
		check("test of package", p.TestImports, inTests)
		check("test of package", p.XTestImports, inTests)
		checkDoc(t, name, p)
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("mayImport names %s, and there is no such package", name)
		}
	}
}

// checkDoc wants a package comment in exactly one file.
func checkDoc(t *testing.T, name string, p goPackage) {
	t.Helper()
	var with []string
	for _, file := range slices.Concat(p.GoFiles, p.IgnoredGo) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("package %s: %v", name, err)
			continue
		}
		if f.Doc != nil {
			with = append(with, file)
		}
	}
	if len(with) != 1 {
		t.Errorf("package %s has a package comment in %d files %v, want exactly one", name, len(with), with)
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,TestImports,XTestImports,GoFiles,IgnoredGoFiles", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, e.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}
