package oracle

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/wireroom/wireroom/events/query"
)

var (
	pairs = flag.Int("pairs", 200_000, "pairs of a query and an event to compare")
	seed  = flag.Uint64("seed", 0, "seed of queries and events; 0 draws one")
)

var taken = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// What the queries say of the events is what cel-go says.
func TestCEL(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d -pairs %d", *seed, *pairs)
	env, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true), cel.Variable("data", cel.DynType),
		cel.Variable("class", cel.StringType), cel.Variable("id", cel.StringType),
		cel.Variable("topic", cel.StringType), cel.Variable("time", cel.TimestampType))
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{Rand: rand.New(rand.NewPCG(*seed, 1))}
	options := query.DefaultOptions()
	options.Limits.Text, options.Limits.Leaves = 1<<16, 1000
	const each = 50
	counts := map[query.Truth]int{}
	for done := 0; done < *pairs; done += each {
		text := g.query(3)
		ours, err := query.Parse(text, options)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := query.Parse(ours.String(), options)
		if err != nil || again.String() != ours.String() {
			t.Fatalf("%s: becomes %s, and that %v, %v", text, ours, again, err)
		}
		normal, err := query.Parse(ours.Normal(), options)
		if err != nil || normal.Normal() != ours.Normal() {
			t.Fatalf("%s: its normal form is %s, and that %v, %v", text, ours.Normal(), normal, err)
		}
		ast, issues := env.Parse(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		g.full = strings.Contains(text, ".exists(")
		for range each {
			data := g.event()
			sample, err := query.NewSample(query.Meta{Class: "a", ID: "ab", Topic: "abc", Time: taken}, []byte(data))
			if err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			want := celSays(t, program, data)
			for _, q := range []*query.Query{ours, again, normal} {
				if got := q.Eval(sample); got != want {
					t.Fatalf("%s\n%s\nis %v, and to cel-go %v", q, data, got, want)
				}
			}
			counts[want]++
		}
	}
	t.Logf("%v", counts)
}

func celSays(t *testing.T, program cel.Program, data string) query.Truth {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.UseNumber()
	var decoded any
	if err := d.Decode(&decoded); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	value, _, err := program.Eval(map[string]any{
		"data": exact(t, decoded), "class": "a", "id": "ab", "topic": "abc", "time": taken,
	})
	if err != nil {
		return query.Unknown
	}
	switch value.Value() {
	case true:
		return query.True
	case false:
		return query.False
	}
	return query.Unknown
}

// exact has numbers as they are, not as doubles.
func exact(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil && v.String() != "-0" {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		for i := range v {
			v[i] = exact(t, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(t, v[k])
		}
	}
	return v
}
