package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test that is skipped under the race detector, or does less there, is run
// without it by a step of .ci/test of its own, which finds it by its name.
func TestSkippedUnderRace(t *testing.T) {
	script, err := os.ReadFile("../../.ci/test")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^without_race='([^']+)'$`).FindSubmatch(script)
	if m == nil {
		t.Fatal("the step that runs such tests is not in .ci/test")
	}
	found, chosen := 0, regexp.MustCompile(string(m[1]))
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(askers, func(name string) bool { return bytes.Contains(source, []byte(name)) }) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || !asksForRace(f) {
				continue
			}
			found++
			if !chosen.MatchString(f.Name.Name) {
				t.Errorf("%s: %s is skipped under the race detector or does less, and %q does not run it without", path, f.Name, chosen)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 15 {
		t.Errorf("found only %d such tests: the test has lost its point", found)
	}
}

// askers are the names by which a test asks if the race detector is on.
var askers = []string{"raceEnabled", "skipUnderRace", "lessUnderRace"}

// asksForRace reports whether the function asks if the race detector is on, by
// itself or by a function that exists for that.
func asksForRace(f *ast.FuncDecl) (asks bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			asks = asks || slices.Contains(askers, id.Name)
		}
		return true
	})
	return asks
}
