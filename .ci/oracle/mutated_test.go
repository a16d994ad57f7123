package oracle

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// tokens are parts of queries.
var tokens = regexp.MustCompile(`"(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[A-Za-z_][A-Za-z_0-9]*|[0-9][0-9.eE]*u?|&&|\|\||[!=<>]=|\s+|.`)

// others are what is put between the tokens of queries.
var others = []string{
	"&&", "||", "!", "!!", "==", "!=", "<", "<=", ">=", "in", "(", ")", "[", "]", ",", ".", "-", "1", "-1", "2u", "0x1F", ".5", "1.", "1e3", `"a"`, `'a'`, `r"\a"`, `b"a"`,
	`"""a"b"""`, "true", "null", "x", "data", "time", "data.a", "class", "has", "exists", "matches", "timestamp", `["a"]`, "[1, 2,]", "//", "\n", "?", ":", "+", "if", "as", "9223372036854775808", "{}",
}

// mutate changes a few tokens of a query.
func mutate(r *rand.Rand, text string) string {
	list := tokens.FindAllString(text, -1)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(list))
		switch r.IntN(5) {
		case 0:
			if len(list) > 1 {
				list = slices.Delete(list, i, i+1)
			}
		case 1:
			list = slices.Insert(list, i, others[r.IntN(len(others))])
		case 2:
			list[i] = others[r.IntN(len(others))]
		case 3:
			j := r.IntN(len(list))
			list[i], list[j] = list[j], list[i]
		case 4:
			list = slices.Insert(list, i, list[r.IntN(len(list))])
		}
	}
	return strings.Join(list, "")
}

// ours are names that mean the same in queries and in CEL.
var ours = strings.Fields("data class id topic time x i data1 has exists timestamp true false null in r as if")

// hasOther is has of what it does not take in CEL: a name alone, which is that of
// a field to a query, or one in brackets, which CEL writes with backquotes.
var hasOther = regexp.MustCompile(`has\s*\(([^().]*\)|[^()]*\[)`)

// isBare reports whether a text has the name of a field alone, which is that of the
// data to a query and nothing to CEL.
func isBare(text string) bool {
	before := ""
	for _, token := range tokens.FindAllString(text, -1) {
		if token = strings.TrimSpace(token); token == "" {
			continue
		}
		if c := token[0] | 0x20; (c >= 'a' && c <= 'z' || token[0] == '_') && before != "." && !slices.Contains(ours, token) {
			return true
		}
		before = token
	}
	return false
}

// What is read as a query is an expression of CEL that says the same, whatever it
// looks like.
func TestMutated(t *testing.T) {
	env := newEnv(t)
	g := querytest.NewForCELGo(seeded(t))
	var events []sampled
	for range 6 {
		events = append(events, newSampled(t, g.Meta(), g.Event(), true))
	}
	accepted, compared := 0, 0
	for range 10_000 {
		text := mutate(g.Rand, g.Query(2))
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			continue
		}
		if accepted++; isBare(text) || hasOther.MatchString(text) {
			continue
		}
		compared++
		p := program(t, env, text)
		for _, e := range events {
			if got, want := q.Eval(e.sample), celSays(p, e.activation); got != want {
				t.Fatalf("%s\nis read as %s\n%s\nis %v, and to cel-go %v", text, q, e.data, got, want)
			}
		}
	}
	t.Logf("%d texts were queries, and %d of these were compared", accepted, compared)
	if compared < 500 {
		t.Errorf("%d texts were compared, want 500 at least", compared)
	}
}
