package router_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var proofName = regexp.MustCompile("`([^`]+)`")

// goProofs returns the tests, fuzz targets and benchmarks of this module.
func goProofs(t *testing.T) map[string]bool {
	t.Helper()
	proofs := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(src, -1) {
			proofs[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return proofs
}

// Every proof that docs/conformance.md names exists, every row names one, and
// every transcript proves something.
func TestConformancePage(t *testing.T) {
	page, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	proofs, unnamed := goProofs(t), map[string]bool{}
	for _, tr := range transcripts(t) {
		proofs[tr.name] = true
		unnamed[tr.name] = true
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasSuffix(line, "| proofs |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		named := proofName.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(named) == 0 {
			t.Errorf("the row %q names no proof", line)
		}
		for _, m := range named {
			if !proofs[m[1]] {
				t.Errorf("the row %q names %s, which does not exist", line, m[1])
			}
			delete(unnamed, m[1])
		}
	}
	for name := range unnamed {
		t.Errorf("no row of docs/conformance.md names the transcript %s", name)
	}
	if rows < 80 {
		t.Errorf("found %d rows, want the 80 and more of the page", rows)
	}
}
