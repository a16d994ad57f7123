package query_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query/querytest"
)

// What can be in any order is sorted by its text in parentheses, however that is
// found out.
func TestNormalIsInOrderOfTexts(t *testing.T) {
	// Texts are compared as if they were in an exists, of which the element is x.
	inExists := func(text string) string { return strings.Replace(text, "(x ", "(data.x ", 1) }
	fields := []string{
		"a", "ab", "a_b", "A", "a.b", "a.b.c", `a["b c"]`, `data["a b"]`, "class", "data.class", "data.classes", "classes", "id", "time",
		"topic", "topics", "x", "data.has", "data.data", "idle", "a1", "a0b",
	}
	signs := []string{" == ", " < ", " <= ", " > ", " >= "}
	values := []string{`"a"`, `"b"`, "1", "12", "-3", "2.5", `""`}
	r := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		var parts, texts []string
		used := map[string]bool{}
		tests := []string{"", `a.startsWith("x")`, "has(a)", "b", "data.class", "!b", `!has(a.b)`, "(a == 1 || b == 2)", `(1 in ab)`, `a.exists(x, x == 1)`}
		if text := tests[r.IntN(len(tests))]; text != "" {
			parts, texts = append(parts, text), append(texts, text)
		}
		for range 2 + r.IntN(5) {
			field, sign := fields[r.IntN(len(fields))], signs[r.IntN(len(signs))]
			if bound := strings.TrimPrefix(field, "data.") + sign[:2]; sign == " == " || !used[bound] { // two lower bounds become one
				used[bound] = true
				parts = append(parts, field+sign+values[r.IntN(len(values))])
			}
		}
		for _, p := range parts[len(texts):] {
			texts = append(texts, "("+querytest.Parse(t, p).Normal()+")")
		}
		slices.SortFunc(texts, func(a, b string) int { return strings.Compare(inExists(a), inExists(b)) })
		texts = slices.Compact(texts)
		for i, text := range texts {
			if strings.Contains(text, " || ") || text[0] != '(' {
				continue
			}
			texts[i] = text[1 : len(text)-1]
		}
		want := strings.Join(texts, " && ")
		if got := querytest.Parse(t, strings.Join(parts, " && ")).Normal(); got != want {
			t.Fatalf("the normal form of %s\n is %s\nwant %s", strings.Join(parts, " && "), got, want)
		}
	}
}
