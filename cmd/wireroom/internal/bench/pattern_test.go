//go:build linux

package bench

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Both routers find the one subscription that matches; nothing is lost.
func TestPattern(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "pattern", "--spawn", "wireroom", "--spawn", "nexus", "--patterns", "0,60,300", "--per-session", "25",
		"--in-flight", "2", "--duration", "300ms", "--warmup", "50ms", "--rounds", "1", "--strict", "--serializer", "msgpack,cbor,json")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 6 {
		t.Fatalf("%d results, want 6", len(r.Results))
	}
	for i, res := range r.Results {
		need(t, res, keyPatternRate, 20, 1e6)
		need(t, res, keyPatternCPU, 1, 50_000)
		need(t, res, "lost", 0, 0)
		need(t, res, "ack_p50_ms", 0.001, 500)
		if i >= 2 {
			need(t, res, keyPatternRateLeft, 0.01, 20)
			need(t, res, keyPatternCPUMore, 0.05, 100)
			need(t, res, "setup_seconds", 0.0001, 30)
		}
	}
}

// A case whose subscriptions take too long is given up, said so, and not
// tried again in the next round.
func TestPatternGivesUp(t *testing.T) {
	r, err := bench(t.Context(), t, "pattern", "--spawn", "nexus", "--patterns", "500000", "--setup-limit", "300ms", "--rounds", "2", "--duration", "1s", "--warmup", "0s")
	if err != nil {
		t.Fatal(err)
	}
	res := r.Results[0]
	if !strings.HasPrefix(res.NotDone, "not done in 300ms: ") || !strings.HasSuffix(res.NotDone, " of 500,000 subscriptions") || len(res.Errors) > 0 {
		t.Errorf("not done: %q, errors %v", res.NotDone, res.Errors)
	}
	if r.Complete || len(r.Bad) != 1 || r.Took > 20 {
		t.Errorf("complete %v, bad %q, took %v s", r.Complete, r.Bad, r.Took)
	}
}

// The patterns match what they are to match, by a naive matcher.
func TestPatternNames(t *testing.T) {
	matches := func(pattern, match, topic string) bool {
		if match == "prefix" {
			return strings.HasPrefix(topic, pattern)
		}
		parts, want := strings.Split(topic, "."), strings.Split(pattern, ".")
		if len(parts) != len(want) {
			return false
		}
		for i, p := range want {
			if p != "" && p != parts[i] {
				return false
			}
		}
		return true
	}
	for _, base := range []string{"bench.pattern", "one", "a.b.c"} {
		seen := make(map[string]bool)
		prefixes := 0
		for k := range 25 {
			topic := patternTopic(base, k)
			for j := range 25 {
				pattern, match := matchingPattern(base, j)
				if got := matches(pattern, match, topic); got != (j == k) {
					t.Errorf("%s %s matches %s: %v", match, pattern, topic, got)
				}
			}
			for i := range 120 {
				pattern, match := otherPattern(base, i)
				if matches(pattern, match, topic) {
					t.Errorf("%s %s matches %s", match, pattern, topic)
				}
				seen[pattern] = true
				if k == 0 && match == "prefix" {
					prefixes++
				}
			}
		}
		if len(seen) != 120 || prefixes != 60 {
			t.Errorf("%s: %d different patterns, %d prefixes; want 120, 60", base, len(seen), prefixes)
		}
	}
}

// A result that was not done has its place in the table.
func TestNotDoneReport(t *testing.T) {
	load := &patternLoad{patterns: []int{0, 10}, matching: 1}
	b := &benchmark{
		name: "pattern", metrics: patternMetrics, options: &options{rounds: 1},
		cases:   []benchCase{{name: "0 patterns"}, {name: "10 patterns"}},
		targets: []*target{{name: "one"}, {name: "two"}},
	}
	b.describe = func() (string, map[string]any) { return "", map[string]any{} }
	r := newReport(b)
	round := [][]sample{
		{{keyPatternRate: 1000, keyPatternCPU: 10}, {keyPatternRate: 500, keyPatternCPU: 20}},
		{{keyPatternRate: 900, keyPatternCPU: 11}, nil},
	}
	load.compare(round)
	for ci, row := range round {
		for ti, s := range row {
			var err error
			if s == nil {
				err = errors.Join(&notDoneError{time.Minute, "3 of 10 subscriptions"})
			}
			r.add(ci, ti, s, "", err)
		}
	}
	r.finish(b)
	_, tables, _ := strings.Cut(r.text(b), "\n\n")
	const want = `0 patterns                      one   two
  acknowledged publishes/s    1,000   500
  server CPU, µs/publish       10.0  20.0

10 patterns                      one                 two
  acknowledged publishes/s       900   not done in 1m0s
  … ÷ that without patterns     0.90                  –
  server CPU, µs/publish        11.0                  –
  … ÷ that without patterns     1.10                  –
  two: not done in 1m0s: 3 of 10 subscriptions

Not every measurement was made.
`
	if strings.Join(strings.Fields(tables), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", tables, want)
	}
	if !r.hopeless(1, 1) || r.hopeless(1, 0) {
		t.Error("the second target should be given up, the first not")
	}
}
