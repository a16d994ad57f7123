package query_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// strict declares all that its events have, and nothing of it is anything.
var strict = &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
	{Name: "n", Type: query.Type{Kind: query.IntType}},
	{Name: "x", Type: query.Type{Kind: query.NumberType}},
	{Name: "s", Type: query.Type{Kind: query.StringType}},
	{Name: "b", Type: query.Type{Kind: query.BoolType}},
	{Name: "t", Type: query.Type{Kind: query.TimeType}},
	{Name: "o", Type: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
		{Name: "n", Type: query.Type{Kind: query.IntType}},
		{Name: "s", Type: query.Type{Kind: query.StringType}},
	}}},
	{Name: "tags", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.StringType}}},
	{Name: "times", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.TimeType}}},
	{Name: "items", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
		{Name: "n", Type: query.Type{Kind: query.NumberType}},
		{Name: "tags", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.StringType}}},
	}}}},
}}}

func one(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

func some(r *rand.Rand, f func() string) string {
	list := make([]string, r.IntN(4))
	for i := range list {
		list[i] = f()
	}
	return "[" + strings.Join(list, ",") + "]"
}

// strictData returns the data of an event that fits strict and has all fields.
func strictData(r *rand.Rand) string {
	number := func() string { return one(r, "0", "1", "-1", "0.5", "1e300", "18446744073709551615", "2.0") }
	integer := func() string { return one(r, "0", "1", "-1", "2", "9223372036854775807") }
	text := func() string { return one(r, `""`, `"a"`, `"ab"`, `"b"`, `"1"`) }
	at := func() string {
		return one(r, `"2026-01-31T12:00:00Z"`, `"2026-01-31T13:00:00.5+01:00"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`)
	}
	return fmt.Sprintf(`{"n":%s,"x":%s,"s":%s,"b":%s,"t":%s,"o":{"n":%s,"s":%s},"tags":%s,"times":%s,"items":%s}`,
		integer(), number(), text(), one(r, "true", "false"), at(), integer(), text(), some(r, text), some(r, at),
		some(r, func() string { return fmt.Sprintf(`{"n":%s,"tags":%s}`, number(), some(r, text)) }))
}

func strictSample(t *testing.T, r *rand.Rand) *query.Sample {
	t.Helper()
	data := strictData(r)
	s, err := strict.NewSample(query.Meta{Class: "order.created", ID: "a", Topic: "ab", Time: time.Unix(1, 0)}, []byte(data))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}

// A query that passes is never an error for events that have all that their
// class declares; what is refused has a place in the text.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`n > x && x in [1, 2.5] || !(s == "a") && has(o.s)`, `t < time && t >= timestamp("2026-01-31T12:00:00Z") && timestamp("2026-01-31T12:00:00Z") in times`,
		`items.exists(i, "a" in i.tags && i.n != null) || "n" in o`, `tags.exists(x, x.startsWith("a") || x.matches("b"))`, `o.exists(k, k == "n")`,
		`b || b == true || b < true`, `tags != items.tags`, `o == items`, `data["o"]["z"] == 1`, `data == o && tags == times`, `1 < ""`, `class.contains("a")`, `"a" in s`,
	} {
		f.Add(s)
	}
	samples := make([]*query.Sample, 8)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			return
		}
		if err := q.Check(strict); err != nil {
			e, ok := errors.AsType[*query.Error](err)
			if !ok || e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset >= len(text) || e.Text == "" || e.Limit {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		r := rand.New(rand.NewPCG(1, uint64(len(text))))
		for i := range samples {
			samples[i] = strictSample(t, r)
			if got := q.Eval(samples[i]); got == query.Unknown {
				t.Fatalf("%s passes, and is an error: %s", q, q.Explain(samples[i]))
			}
			if got := q.Explain(samples[i]); got.Truth != q.Eval(samples[i]) || len(got.Reasons) == 0 {
				t.Fatalf("%s is %v, and is explained by %s", q, q.Eval(samples[i]), got)
			}
		}
	})
}

// What is refused says the same of all events, so that nobody misses it.
func TestCheckRefusesOnlyConstants(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	field := func() string {
		return one(r, "n", "x", "s", "b", "t", "o", "o.n", "o.s", "tags", "times", "items", "time", "id", "missing", "o.missing", "s.n", "items.n")
	}
	value := func() string {
		return one(r, "1", "0.5", `"a"`, `"n"`, "true", "null", `timestamp("2026-01-31T12:00:00Z")`)
	}
	samples := make([]*query.Sample, 30)
	for i := range samples {
		samples[i] = strictSample(t, r)
	}
	refused := 0
	for range 5000 {
		var text string
		switch r.IntN(7) {
		case 0:
			text = field() + one(r, " == ", " != ", " < ", " >= ") + value()
		case 1:
			text = field() + one(r, " == ", " != ", " < ", " >= ") + field()
		case 2:
			text = field() + " in [" + value() + "]"
		case 3:
			text = value() + " in " + field()
		case 4:
			text = field() + one(r, ".startsWith(", ".contains(", ".matches(") + `"a")`
		case 5:
			text = "has(" + field() + ")"
		case 6:
			text = field() + ".exists(e, " + one(r, "e == ", "e < ", "e.n == ") + value() + ")"
		}
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err = q.Check(strict); err == nil {
			continue
		}
		refused++
		said := map[query.Truth]bool{}
		for _, s := range samples {
			said[q.Eval(s)] = true
		}
		if len(said) > 1 && !strings.Contains(text, ".exists(") || said[query.True] && !strings.Contains(text, "!=") {
			t.Errorf("%s is refused (%v), and is %v", text, err, said)
		}
	}
	if refused < 1000 {
		t.Errorf("%d of 5000 were refused", refused)
	}
}
