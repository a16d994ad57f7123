package oracle

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

var benchQueries = flag.Int("queries", 100_000, "queries of the index that is compared with cel-go")

// BenchmarkLinear finds the queries that an event satisfies with our index, and
// compares that with cel-go, which runs the programs of 10,000 of the same
// queries one by one: for as many as the index has it would take so many times
// longer. Only matching is counted, of events that were read before.
func BenchmarkLinear(b *testing.B) {
	const programs = 10_000
	n := *benchQueries
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string { return textOf(r) }
	ix := query.NewIndex(query.DefaultConfig())
	env := newEnv(b)
	var linear []cel.Program
	for range n {
		q := text()
		if _, err := ix.Add(querytest.Parse(b, q)); err != nil {
			b.Fatal(err)
		}
		if len(linear) < programs {
			linear = append(linear, program(b, env, q))
		}
	}
	events := make([][]byte, 200_000)
	for i := range events {
		events[i] = fmt.Appendf(nil, `{"class":"class-%d","region":"region-%d","total":%d.%02d,"note":"some words for the people who pack it"}`,
			r.IntN(1000), r.IntN(50), r.IntN(10_000), r.IntN(100))
	}
	m := ix.NewMatcher()
	defer m.Close()
	var out []query.ID
	var ours []time.Duration
	i, matches := 0, 0
	b.ResetTimer()
	for b.Loop() {
		if err := m.Load(query.Meta{}, events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
		i++
		begin := time.Now()
		out = m.Match(out[:0])
		if d := time.Since(begin); len(ours) < 1<<20 {
			ours = append(ours, d)
		}
		matches += len(out)
	}
	b.StopTimer()
	var theirs []time.Duration
	for _, data := range events[:15] {
		var v map[string]any
		if err := json.Unmarshal(data, &v); err != nil {
			b.Fatal(err)
		}
		activation, err := cel.NewActivation(map[string]any{"data": v})
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		for _, p := range linear {
			celSays(p, activation)
		}
		theirs = append(theirs, time.Since(begin))
	}
	each := float64(median(theirs).Nanoseconds()) / float64(len(linear))
	b.ReportMetric(float64(median(ours).Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(ours[len(ours)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(matches)/float64(i), "matches/op")
	b.ReportMetric(float64(m.Candidates())/float64(i), "candidates/op")
	b.ReportMetric(each, "cel-go-ns/query")
	b.ReportMetric(each*float64(n)/float64(median(ours).Nanoseconds()), "x-faster-than-cel-go")
}

// textOf returns a query of two equalities and a range.
func textOf(r *rand.Rand) string {
	lo := r.IntN(9000)
	return fmt.Sprintf(`data.class == "class-%d" && data.region == "region-%d" && data.total >= %d && data.total < %d`, r.IntN(1000), r.IntN(50), lo, lo+1000)
}

// BenchmarkLive takes queries from their text to where events find them, and to
// programs of cel-go, a hundred at a time in turns: after each other one would
// find its memory out of the caches, since the other one needs much of it.
func BenchmarkLive(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	ix := query.NewIndex(query.DefaultConfig())
	env := newEnv(b)
	for range 10_000 {
		if _, err := ix.Add(querytest.Parse(b, textOf(r))); err != nil {
			b.Fatal(err)
		}
	}
	texts, ids := make([]string, 100), make([]query.ID, 100)
	var ours, theirs []time.Duration
	for b.Loop() {
		for i := range texts {
			texts[i] = textOf(r)
		}
		begin := time.Now()
		for i, text := range texts {
			q, err := query.Parse(text, query.DefaultOptions())
			if err != nil {
				b.Fatal(err)
			}
			if ids[i], err = ix.Add(q); err != nil {
				b.Fatal(err)
			}
		}
		added := time.Now()
		for _, text := range texts {
			program(b, env, text)
		}
		ours, theirs = append(ours, added.Sub(begin)), append(theirs, time.Since(added))
		for _, id := range ids {
			ix.Remove(id)
		}
	}
	b.ReportMetric(float64(median(ours).Nanoseconds())/float64(len(texts)), "live-ns")
	b.ReportMetric(float64(median(theirs).Nanoseconds())/float64(len(texts)), "cel-go-ns")
	b.ReportMetric(float64(median(theirs))/float64(median(ours)), "x-faster-than-cel-go")
}

// median sorts the list, too.
func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
