package router_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every proof that the table of docs/design/001-own-router.md names exists: a
// transcript, or a test, fuzz target or benchmark of this module.
func TestRowsAreProved(t *testing.T) {
	proofs := map[string]bool{}
	for _, tr := range transcripts(t) {
		proofs[tr.name] = true
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	for _, dir := range []string{".", "../auth"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
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
	}
	page, err := os.ReadFile("../docs/design/001-own-router.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, name := 0, regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || strings.Contains(line, "---") || strings.TrimSpace(cells[1]) == "row" {
			continue
		}
		rows++
		named := name.FindAllStringSubmatch(cells[4], -1)
		if len(named) == 0 {
			t.Errorf("row %s names no proof", cells[1])
		}
		for _, m := range named {
			if !proofs[m[1]] {
				t.Errorf("row %s is proved by %s, which does not exist", cells[1], m[1])
			}
		}
	}
	if rows < 30 {
		t.Errorf("found %d rows, want the 30 of the table", rows)
	}
}
