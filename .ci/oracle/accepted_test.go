package oracle

import (
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/wireroom/wireroom/events/query"
)

// generous are the limits of queries in this test, which is not about them.
func generous() query.Options {
	return query.Options{Limits: query.Limits{Text: 65_536, Depth: 100, Leaves: 1000, List: 10_000, Literal: 65_536, Regexp: 1000, Path: 100}}
}

// folded is what cel-go leaves out as it reads: two signs behind each other, also
// in front of what has none, such as a list.
var folded = regexp.MustCompile(`[!-](\s|//[^\n]*\n)*[!-]`)

// dotted is a name for the element with a dot before it, which TestDifferences has.
var dotted = regexp.MustCompile(`exists(\s|//[^\n]*\n)*\((\s|//[^\n]*\n)*\.`)

// tame are events that keep away from what TestDifferences has.
var tame = []string{
	`{}`,
	`{"a":1,"b":"a","at":"2026-01-02T03:04:05Z","list":[1,"a",null],"x1":{"a":{"b":true}},"if":true,"time":{"a":[{"a":1}]}}`,
	`{"a":{"a":["a"],"_":-3},"b":[{"a":1},{"b":2}],"e1":0.5,"list":"Za","has":null,"data":{"data":79},"while":false}`,
}

// What CEL takes, and a query can say, is read as a query that says the same,
// however it is written.
func TestAccepted(t *testing.T) {
	env, in := newEnv(t), newInsider(t)
	w := &writer{Rand: rand.New(rand.NewPCG(seeded(t), 1))}
	var events []sampled
	for _, data := range tame {
		meta := query.Meta{Class: "a", ID: "b", Topic: "Z0", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		events = append(events, newSampled(t, meta, data, false))
	}
	for range *pairs / 100 {
		text := w.condition(2)
		if !in.has(text) {
			t.Fatalf("the generator wrote %q, which is no query", text)
		}
		if err := taken(t, env, events, text); err != nil {
			t.Fatalf("cel-go takes %q, and it is not read as a query: %v", text, err)
		}
	}
	changed, most := 0, *pairs/40
	for range most {
		text := mutate(w.Rand, w.condition(1))
		if _, issues := env.Parse(text); issues.Err() != nil || !in.has(text) {
			continue
		}
		changed++
		if err := taken(t, env, events, text); err != nil && !folded.MatchString(text) && !dotted.MatchString(text) {
			t.Fatalf("cel-go takes %q, and it is not read as a query: %v", text, err)
		}
	}
	t.Logf("%d texts of %d that were changed were queries still", changed, most)
	if changed < most/20 {
		t.Errorf("%d texts of %d that were changed were queries still, want one of twenty at least", changed, most)
	}
}

// taken returns why a text is not read as a query. One that is has to say what
// cel-go says.
func taken(t *testing.T, env *cel.Env, events []sampled, text string) error {
	t.Helper()
	p := program(t, env, text)
	q, err := query.Parse(text, generous())
	if err != nil {
		return err
	}
	for _, e := range events {
		if got, want := q.Eval(e.sample), celSays(p, e.activation); got != want {
			t.Fatalf("%q\nis read as %s\n%s\nis %v, and to cel-go %v", text, q, e.data, got, want)
		}
	}
	return nil
}
