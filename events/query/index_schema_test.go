package query_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// A matcher that knows the class has timestamps where its samples have them, and says
// of every event what they say.
func TestLoadClassSaysWhatSampleSays(t *testing.T) {
	md := newModel(false)
	for _, text := range []string{
		`t == timestamp("2026-01-31T12:00:00Z")`, `t in [timestamp("2026-01-31T12:00:00.5Z"), "x"]`, `t != timestamp("2026-01-31T12:00:00Z")`,
		`t > timestamp("2026-01-31T12:00:00Z")`, `t <= timestamp("2026-01-31T12:00:00Z") && s == "a"`, `t < time`, `t == "2026-01-31T12:00:00Z"`,
		`t.startsWith("2026")`, `t.contains("12:00")`, `s == "2026-01-31T12:00:00Z"`, `has(t)`, `t == null`, `t == s`, `!(t > timestamp("1700-01-01T00:00:00Z"))`,
		`timestamp("2026-01-31T12:00:00.5Z") in times`, `"0001-01-01T00:00:00Z" in times`, `times.exists(x, x > timestamp("2026-01-31T12:00:00Z"))`,
		`times.exists(x, x < timestamp("1678-01-01T00:00:00Z"))`, `times.exists(x, x == t)`, `times.exists(x, x.startsWith("2"))`,
		`times == tags`, `times == data.times`, `o == items`, `other.t == "2026-01-31T12:00:00Z"`, `o.exists(x, x == "2026-01-31T12:00:00Z")`,
	} {
		md.add(t, text)
	}
	r := rand.New(rand.NewPCG(3, 4))
	events := []string{
		`{"t":null}`, `{"t":"no time"}`, `{"t":5,"times":"2026-01-31T12:00:00Z"}`, `{"t":["2026-01-31T12:00:00Z"],"times":{"2026-01-31T12:00:00Z":1}}`,
		`{"t":"2026-01-31T12:00:00\u005a","s":"2026-01-31T12:00:00Z","times":["2026-01-31T12:00:00\u005A",null,7]}`,
		`{"times":["2026-01-31T12:00:00Z"],"tags":["2026-01-31T12:00:00Z"],"other":{"t":"2026-01-31T12:00:00Z"}}`,
		`{"o":{"2026-01-31T12:00:00Z":1},"t":"2026-01-31T17:30:00+05:30","s":"2026-01-31T17:30:00+05:30"}`,
	}
	for range 300 {
		events = append(events, strictData(r))
	}
	meta := query.Meta{Class: "order.created", Time: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	said := map[query.Truth]int{}
	for _, data := range events {
		s, err := strict.NewSample(meta, []byte(data))
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if err := md.m.LoadClass(strict, meta, []byte(data)); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for truth, n := range md.compare(t, s, data) {
			said[truth] += n
		}
	}
	for _, truth := range []query.Truth{query.False, query.Unknown, query.True} {
		if said[truth] < 300 {
			t.Errorf("%d pairs are %v", said[truth], truth)
		}
	}
}
