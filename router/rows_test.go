package router_test

import (
	"os"
	"strings"
	"testing"
)

// Every proof that the table of docs/design/001-own-router.md names exists: a
// transcript, or a test, fuzz target or benchmark of this module.
func TestRowsAreProved(t *testing.T) {
	proofs := goProofs(t)
	for _, tr := range transcripts(t) {
		proofs[tr.name] = true
	}
	page, err := os.ReadFile("../docs/design/001-own-router.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || strings.Contains(line, "---") || strings.TrimSpace(cells[1]) == "row" {
			continue
		}
		rows++
		named := proofName.FindAllStringSubmatch(cells[4], -1)
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
