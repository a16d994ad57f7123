package query_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// BenchmarkChurn matches while another goroutine adds and removes queries: not at
// all, so many in a second, and as fast as it can.
func BenchmarkChurn(b *testing.B) {
	w := named("M-dense")
	ix := query.NewIndex(query.DefaultConfig())
	fill(b, ix, w, *benchQueries)
	r := rand.New(rand.NewPCG(9, 10))
	queries := make([]*query.Query, 10_000)
	for i := range queries {
		queries[i] = querytest.Parse(b, w.query(r, *benchQueries))
	}
	events := benchEvents(r, min(200_000, 10**benchQueries), w.dense, *benchQueries)
	var quiet float64
	for _, pace := range []int{0, 100_000, 1 << 40} {
		name := fmt.Sprintf("updates=%d", pace)
		if pace == 1<<40 {
			name = "updates=all"
		}
		b.Run(name, func(b *testing.B) {
			c := &churn{ix: ix, queries: queries, ids: make([]query.ID, len(queries)), done: make(chan struct{})}
			go c.run(pace)
			took := matchAll(b, ix, events)
			c.stop.Store(true)
			<-c.done
			p99 := float64(took[len(took)*99/100].Nanoseconds())
			if pace == 0 {
				quiet = p99
			}
			b.ReportMetric(float64(c.updates)/b.Elapsed().Seconds(), "updates/s")
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(p99, "p99-ns")
			b.ReportMetric(p99/quiet, "x-quiet-p99")
		})
	}
}

// A churn is a goroutine that adds queries and removes them in turns.
type churn struct {
	ix      *query.Index
	queries []*query.Query
	ids     []query.ID
	updates int
	stop    atomic.Bool
	done    chan struct{}
}

// run makes at most so many updates in a second, some every millisecond, until it
// is told to stop. It leaves nothing behind.
func (c *churn) run(pace int) {
	defer close(c.done)
	begin := time.Now()
	for i := 0; !c.stop.Load(); {
		if float64(c.updates) >= float64(pace)*time.Since(begin).Seconds() {
			time.Sleep(time.Millisecond)
			continue
		}
		k := i % len(c.queries)
		if c.ids[k] != 0 {
			c.ix.Remove(c.ids[k])
			c.ids[k] = 0
		} else {
			c.ids[k], _ = c.ix.Add(c.queries[k])
		}
		c.updates++
		i++
	}
	for _, id := range c.ids {
		if id != 0 {
			c.ix.Remove(id)
		}
	}
}

// matchAll matches events for as long as the benchmark goes on, and returns how
// long each took, the shortest first.
func matchAll(b *testing.B, ix *query.Index, events []benchEvent) []time.Duration {
	m := ix.NewMatcher()
	defer m.Close()
	var out []query.ID
	var took []time.Duration
	i := 0
	b.ResetTimer()
	for b.Loop() {
		e := &events[i%len(events)]
		i++
		if err := m.Load(e.meta, e.data); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		out = m.Match(out[:0])
		if len(took) < 1<<20 {
			took = append(took, time.Since(begin))
		}
	}
	b.StopTimer()
	slices.Sort(took)
	return took
}
