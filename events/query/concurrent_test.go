package query_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// A life is what a writer did with a query, by one clock of all.
type life struct {
	index             int // of the query
	added, acked      int64
	removed, unlisted int64 // 0 while it is there
}

// Matches that run while queries come and go have all queries that were there
// the whole time, and none that was not there at any time of it. Places and
// memory are used again all the while, so that whoever looks at what is no
// longer there is caught with a query that does not match.
func TestIndexConcurrent(t *testing.T) {
	const writers, matchers = 2, 3
	steps := 1_000
	if testing.Short() {
		steps = 300
	}
	g := seeded(t)
	var queries []*query.Query
	for i := range 60 {
		queries = append(queries, querytest.Parse(t, g.Query(2)), querytest.Parse(t, fmt.Sprintf(`data.a in [%d, 1] && data.n > %d || "t%d" in data.tags`, i%4, i%7, i)))
	}
	type event struct {
		meta query.Meta
		data []byte
		want []bool
	}
	var events []event
	for range 40 {
		e := event{meta: g.Meta(), data: []byte(g.Event())}
		s := querytest.Sample(t, e.meta, string(e.data))
		for _, q := range queries {
			e.want = append(e.want, q.Match(s))
		}
		events = append(events, e)
	}
	ix := query.NewIndex(generous())
	ix.SetTiny()
	var clock atomic.Int64
	var mu sync.Mutex // guards the following
	lives := map[query.ID][]*life{}
	var wg, writing sync.WaitGroup
	for w := range writers {
		seed := g.Uint64()
		writing.Add(1)
		wg.Go(func() {
			defer writing.Done()
			g := querytest.New(seed)
			type mine struct {
				id query.ID
				l  *life
			}
			var have []mine
			for step := range steps {
				if len(have) > 40 || len(have) > 0 && g.IntN(2) == 0 {
					i := g.IntN(len(have))
					h := have[i]
					have[i] = have[len(have)-1]
					have = have[:len(have)-1]
					mu.Lock()
					h.l.removed = clock.Add(1)
					mu.Unlock()
					ix.Remove(h.id)
					mu.Lock()
					h.l.unlisted = clock.Add(1)
					mu.Unlock()
				} else {
					l := &life{index: g.IntN(len(queries)/writers)*writers + w, added: clock.Add(1)} // no two writers share a query
					id, err := ix.Add(queries[l.index])
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					l.acked = clock.Add(1)
					lives[id] = append(lives[id], l)
					mu.Unlock()
					have = append(have, mine{id, l})
				}
				if step%200 == 0 {
					ix.Sweep()
				}
			}
		})
	}
	done := make(chan struct{})
	wg.Go(func() { writing.Wait(); close(done) })
	type result struct {
		event      int
		began, end int64
		ids        []query.ID
	}
	results := make([][]result, matchers)
	for n := range matchers {
		seed := g.Uint64()
		wg.Go(func() {
			g := querytest.New(seed)
			m := ix.NewMatcher()
			defer m.Close()
			for range 1_000 {
				select {
				case <-done:
					return
				default:
				}
				r := result{event: g.IntN(len(events)), began: clock.Add(1)}
				e := &events[r.event]
				if err := m.Load(e.meta, e.data); err != nil {
					t.Error(err)
					return
				}
				r.ids = m.Match(nil)
				r.end = clock.Add(1)
				results[n] = append(results[n], r)
			}
		})
	}
	wg.Wait()
	checked := 0
	for _, list := range results {
		for _, r := range list {
			e := &events[r.event]
			found := map[query.ID]bool{}
			for _, id := range r.ids {
				if found[id] {
					t.Fatalf("%v was found twice", id)
				}
				found[id] = true
				ok := false
				for _, l := range lives[id] {
					if !e.want[l.index] {
						t.Fatalf("%s\n%s\nwas found, and does not match", queries[l.index], e.data)
					}
					ok = ok || l.added < r.end && (l.unlisted == 0 || l.unlisted > r.began)
				}
				if !ok {
					t.Fatalf("%v was found, and was not there", id)
				}
			}
			for id, all := range lives {
				for _, l := range all {
					if e.want[l.index] && l.acked < r.began && (l.removed == 0 || l.removed > r.end) {
						checked++
						if !found[id] {
							t.Fatalf("%s\n%s\nwas there, matches, and was not found", queries[l.index], e.data)
						}
					}
				}
			}
		}
	}
	t.Logf("%d matches had to be there", checked)
}
