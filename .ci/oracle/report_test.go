package oracle

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write which cases of CEL run, and the tables of them")

const (
	runList = "testdata/conformance.txt"
	page    = "../../docs/eql-conformance.md"
)

// A tally is what became of the cases of one file.
type tally struct {
	file    string
	run     int
	written int // of those that run: as they are written, too
	skipped int
}

// tables returns what the document says of the run.
func tables(version string, tallies []tally, why map[outside]int) string {
	var b strings.Builder
	all := tally{}
	for _, n := range tallies {
		all.run += n.run
		all.written += n.written
		all.skipped += n.skipped
	}
	fmt.Fprintf(&b, "Of the %d cases of `cel.dev/expr` %s, %d run, %d of these as they are written, and %d are skipped.\n\n",
		all.run+all.skipped, version, all.run, all.written, all.skipped)
	b.WriteString("| file | run | as written | skipped |\n| --- | --- | --- | --- |\n")
	none := 0
	for _, n := range tallies {
		if n.run == 0 {
			none += n.skipped
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d |\n", n.file, n.run, n.written, n.skipped)
	}
	fmt.Fprintf(&b, "| all others | 0 | 0 | %d |\n\n", none)
	b.WriteString("| skipped for | cases |\n| --- | --- |\n")
	for _, reason := range slices.SortedFunc(maps.Keys(why), func(a, b outside) int {
		return cmp.Or(why[b]-why[a], strings.Compare(string(a), string(b)))
	}) {
		fmt.Fprintf(&b, "| %s | %d |\n", reason, why[reason])
	}
	return b.String()
}

const begin, end = "<!-- written by the test -->\n", "<!-- until here -->\n"

// document compares the tables with those in the document.
func document(t *testing.T, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s: expected %q and %q", page, begin, end)
	}
	compare(t, page, before+begin+want+end+after)
}

// compare compares a file with what it should be, and makes it that on demand.
func compare(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	have, wants := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for _, line := range have {
		if !slices.Contains(wants, line) {
			t.Errorf("%s has what is no longer so: %s", name, line)
		}
	}
	for _, line := range wants {
		if !slices.Contains(have, line) {
			t.Errorf("%s lacks: %s", name, line)
		}
	}
	t.Errorf("%s is not what the run was; go test -run Conformance . -update writes it", name)
}
