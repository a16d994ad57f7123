package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A test that is skipped under the race detector is run without it by a step of
// .ci/test of its own, which finds it by its name.
func TestSkippedUnderRace(t *testing.T) {
	script, err := os.ReadFile("../../.ci/test")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`allocations\(\) \{ go test -run '([^']+)'`).FindSubmatch(script)
	if m == nil {
		t.Fatal("the step that runs such tests is not in .ci/test")
	}
	found, chosen := 0, regexp.MustCompile(string(m[1]))
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || !skipsUnderRace(f) {
				continue
			}
			found++
			if !chosen.MatchString(f.Name.Name) {
				t.Errorf("%s: %s is skipped under the race detector, and %q does not run it without", path, f.Name, chosen)
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

// skipsUnderRace reports whether the function begins a block with raceEnabled
// in which it skips, or calls a function that does.
func skipsUnderRace(f *ast.FuncDecl) (skips bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			skips = skips || n.Name == "skipUnderRace"
		case *ast.IfStmt:
			if cond, ok := n.Cond.(*ast.Ident); ok && cond.Name == "raceEnabled" {
				ast.Inspect(n.Body, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					skips = skips || ok && strings.HasPrefix(sel.Sel.Name, "Skip")
					return true
				})
			}
		}
		return true
	})
	return skips
}
