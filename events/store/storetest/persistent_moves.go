package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// moveTo returns a move of a subscription as it is made by persistent.
func moveTo(name string, offset uint64, acked ...events.Span) events.Move {
	return events.Move{
		Owner: "ada", Name: name, Was: "EPOCH1", Position: events.Position{Epoch: "EPOCH1", Offset: offset},
		Acked: acked, Seen: start, Expires: start.Add(time.Hour),
	}
}

func persistentMoves(_ *testing.T, s *persistentSuite) {
	p := persistent("ada", "x")
	p.Acked = nil
	s.put(p)
	forward := moveTo("x", 20)
	forward.Seen, forward.Expires = start.Add(time.Minute), start.Add(2*time.Hour)
	s.move(forward)
	p.Position.Offset, p.Seen, p.Expires = 20, forward.Seen, forward.Expires
	s.want(p)
	s.move(moveTo("x", 15)) // back, and its times too
	s.want(p)
	long := moveTo("x", 15)
	long.Expires = start.Add(3 * time.Hour)
	s.move(long)
	p.Expires = long.Expires
	s.want(p)
	s.move(moveTo("x", 1<<53-1))
	p.Position.Offset = 1<<53 - 1
	s.want(p)

	// Several of one subscription, in one call.
	q := persistent("ada", "y")
	q.Acked = nil
	s.put(q)
	s.move(moveTo("y", 30), moveTo("y", 40), moveTo("y", 35))
	q.Position.Offset = 40
	s.want(q)
}

func persistentEpochs(_ *testing.T, s *persistentSuite) {
	p := persistent("ada", "x")
	s.put(p)
	fresh := moveTo("x", 3, events.Span{From: 5, Through: 6})
	fresh.Position.Epoch = "EPOCH2"
	s.move(fresh)
	p.Position, p.Acked = fresh.Position, fresh.Acked
	s.want(p)

	// Somebody else was still at the old one: only the times count.
	stale := moveTo("x", 100)
	stale.Expires = start.Add(5 * time.Hour)
	s.move(stale)
	p.Expires = stale.Expires
	s.want(p)
	stranger := moveTo("x", 100)
	stranger.Was, stranger.Position.Epoch = "EPOCH7", "EPOCH8"
	s.move(stranger)
	s.want(p)

	// Two that noticed the new epoch at once.
	again := moveTo("x", 4, events.Span{From: 8, Through: 8})
	again.Position.Epoch = "EPOCH2"
	s.move(again)
	p.Position.Offset, p.Acked = 6, []events.Span{{From: 8, Through: 8}}
	s.want(p)
}

func persistentSpans(t *testing.T, s *persistentSuite) {
	for _, test := range []struct {
		name         string
		offset, move uint64
		acked, more  string
		wantOffset   uint64
		want         string
	}{
		{"nothing", 10, 10, "", "", 10, ""},
		{"a new one", 10, 10, "", "12-13", 10, "12-13"},
		{"before and after", 10, 10, "20-21", "12-13 30-31", 10, "12-13 20-21 30-31"},
		{"the same", 10, 10, "20-21", "20-21", 10, "20-21"},
		{"within", 10, 10, "20-30", "22-23", 10, "20-30"},
		{"around", 10, 10, "20-30", "15-40", 10, "15-40"},
		{"overlapping", 10, 10, "20-30", "25-35", 10, "20-35"},
		{"adjacent behind", 10, 10, "20-30", "31-32", 10, "20-32"},
		{"adjacent before", 10, 10, "20-30", "18-19", 10, "18-30"},
		{"closing a gap", 10, 10, "20-30 40-50", "31-39", 10, "20-50"},
		{"next to the position", 10, 10, "20-30", "11-12", 12, "20-30"},
		{"next to the position and on", 10, 10, "13-14 20-30", "11-12", 14, "20-30"},
		{"the position reaches one", 10, 19, "20-30 40-50", "", 30, "40-50"},
		{"the position passes one", 10, 45, "20-30 40-50", "", 50, ""},
		{"the position passes all", 10, 60, "20-30 40-50", "", 60, ""},
		{"of before the position", 10, 5, "20-30", "3-4 7-15", 15, "20-30"},
		{"out of order and the wrong way round", 10, 10, "", "30-31 25-20 12-13 0-0", 10, "12-13 30-31"},
		{"from the start", 0, 0, "", "1-5", 5, ""},
	} {
		p := persistent("ada", "x")
		p.Position.Offset, p.Acked = test.offset, parseSpans(test.acked)
		s.put(p)
		s.move(moveTo("x", test.move, parseSpans(test.more)...))
		got := s.get("ada", "x")
		if got.Position.Offset != test.wantOffset || !slices.Equal(got.Acked, parseSpans(test.want)) {
			t.Errorf("%s: %d [%s] moved to %d [%s] is at %d %v, want %d [%s]", test.name,
				test.offset, test.acked, test.move, test.more, got.Position.Offset, got.Acked, test.wantOffset, test.want)
		}
	}
}

// parseSpans returns spans as they stand in a table: "12-13 20-21".
func parseSpans(text string) (all []events.Span) {
	for field := range strings.FieldsSeq(text) {
		var a events.Span
		if _, err := fmt.Sscanf(field, "%d-%d", &a.From, &a.Through); err != nil {
			panic(err)
		}
		all = append(all, a)
	}
	return all
}

func persistentSpansBound(t *testing.T, s *persistentSuite) {
	p := persistent("ada", "x")
	p.Acked = spans(events.MaxAckedSpans)
	s.put(p)
	s.want(p)
	s.move(moveTo("x", 10, events.Span{From: 50, Through: 50}, events.Span{From: 5000, Through: 6000}))
	got := s.get("ada", "x").Acked
	want := append([]events.Span{{From: 50, Through: 50}}, spans(events.MaxAckedSpans-1)...)
	if !slices.Equal(got, want) {
		t.Errorf("one span before %d and one behind give %d, from %v to %v", events.MaxAckedSpans, len(got), got[0], got[len(got)-1])
	}
	s.move(moveTo("x", 10, spans(5*events.MaxAckedSpans)...))
	if got := s.get("ada", "x").Acked; !slices.Equal(got, want) {
		t.Errorf("many spans give %d, from %v to %v", len(got), got[0], got[len(got)-1])
	}
}

func persistentMoveAbsent(_ *testing.T, s *persistentSuite) {
	p := persistent("ada", "x")
	p.Acked = nil
	s.put(p)
	s.move(moveTo("gone", 20), moveTo("x", 20), moveTo("gone", 30))
	p.Position.Offset = 20
	s.want(p)
	s.wantNames("ada", "x")
	s.wantExpired(start.Add(2*time.Hour), 1)
}

// persistentMovesConcurrent moves many subscriptions from several goroutines,
// in different orders, and in calls that are larger than a store may write at
// once.
func persistentMovesConcurrent(t *testing.T, s *persistentSuite) {
	const subscriptions, movers = 1500, 4
	const base = 1 << 51 // behind the spans that they have
	var names []string
	for i := range subscriptions {
		names = append(names, fmt.Sprint(i))
	}
	s.putAll("ada", names)
	var wg sync.WaitGroup
	for w := range movers {
		wg.Go(func() {
			var moves []events.Move
			for i := range subscriptions {
				// The movers' offsets are 100, 200, 300 and 400 behind base,
				// in another order for each subscription; one acknowledges
				// what is next.
				k := uint64((w + i) % movers)
				m := moveTo(fmt.Sprint(i), base+100*(k+1))
				if k == 0 {
					m.Acked = []events.Span{{From: base + 401, Through: base + 405}, {From: base + 410, Through: base + 411}}
				}
				m.Expires = start.Add(time.Hour + time.Duration(k)*time.Minute)
				moves = append(moves, m)
			}
			if err := s.store.MovePersistents(t.Context(), moves); err != nil {
				t.Errorf("MovePersistents: %v", err)
			}
		})
	}
	wg.Wait()
	all, err := s.store.Persistents(t.Context(), "ada")
	if len(all) != subscriptions || err != nil {
		t.Fatalf("Persistents has %d, %v; want %d", len(all), err, subscriptions)
	}
	for _, p := range all {
		if p.Position.Offset != base+405 || !slices.Equal(p.Acked, []events.Span{{From: base + 410, Through: base + 411}}) || !p.Expires.Equal(start.Add(time.Hour+3*time.Minute)) {
			t.Fatalf("the subscription %s is at %d %v until %v", p.Name, p.Position.Offset, p.Acked, p.Expires)
		}
	}
	s.wantExpired(start.Add(time.Hour+2*time.Minute), 0)
	s.wantExpired(start.Add(time.Hour+3*time.Minute), subscriptions)
}
