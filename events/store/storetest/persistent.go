package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Persistents is a store of persistent subscriptions that can be closed.
type Persistents interface {
	events.PersistentStore
	Close() error
}

// RunPersistents runs the suite for persistent subscriptions. open is as for
// [RunLog].
func RunPersistents(t *testing.T, open func(t *testing.T, dir string) Persistents) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *persistentSuite)
	}{
		{"a subscription comes back as it was", persistentRoundTrip},
		{"a subscription that is not there", persistentAbsent},
		{"a subscription is replaced whole", persistentReplaced},
		{"an owner's come in order of their names", persistentOrder},
		{"owners and names may be any texts", persistentTexts},
		{"what no store keeps is refused", persistentRefused},
		{"an owner has a limit", persistentLimit},
		{"the limit is kept when many come at once", persistentLimitConcurrent},
		{"a position moves on and never back", persistentMoves},
		{"a position moves into a new epoch once", persistentEpochs},
		{"acknowledged spans grow together", persistentSpans},
		{"acknowledged spans are bounded", persistentSpansBound},
		{"a move of what is not there", persistentMoveAbsent},
		{"many moves at once, in any order", persistentMovesConcurrent},
		{"a subscription is deleted", persistentDeleted},
		{"an owner is deleted", persistentOwnerDeleted},
		{"expired subscriptions are deleted", persistentExpired},
		{"a subscription that was moved lives longer", persistentProlonged},
		{"all are gone through in order", persistentEach},
		{"subscriptions survive a restart", persistentReopened},
		{"subscriptions belong to the caller", persistentOwnership},
		{"random operations", persistentRandom},
		{"a context that is done", persistentCanceled},
		{"a closed store", persistentClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &persistentSuite{T: t, dir: t.TempDir(), open: open}
			s.store = open(t, s.dir)
			t.Cleanup(func() { s.store.Close() })
			test.run(t, s)
		})
	}
}

type persistentSuite struct {
	*testing.T
	dir   string
	open  func(t *testing.T, dir string) Persistents
	store Persistents
}

// reopen closes the store and opens it again.
func (s *persistentSuite) reopen() {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.store = s.open(s.T, s.dir)
}

// persistent returns a subscription of an owner that expires an hour after
// start.
func persistent(owner, name string) *events.Persistent {
	return &events.Persistent{
		Owner:    owner,
		Name:     name,
		Class:    "order.created@realm é",
		Channel:  "ada\x01",
		Where:    `total > 100 && note != "` + strings.Repeat("x", 100) + `"`,
		Explicit: true,
		Created:  start.Add(-time.Hour),
		Seen:     start,
		Expires:  start.Add(time.Hour),
		For:      90 * time.Minute,
		Position: events.Position{Epoch: "EPOCH1", Offset: 10},
		Acked:    []events.Span{{From: 12, Through: 12}, {From: 14, Through: 1 << 50}},
	}
}

// moveTo returns a move of a subscription as it is made by persistent.
func moveTo(name string, offset uint64, acked ...events.Span) events.Move {
	return events.Move{
		Owner: "ada", Name: name, Was: "EPOCH1", Position: events.Position{Epoch: "EPOCH1", Offset: offset},
		Acked: acked, Seen: start, Expires: start.Add(time.Hour),
	}
}

func (s *persistentSuite) put(p *events.Persistent) {
	s.Helper()
	if err := s.store.PutPersistent(s.Context(), p, 100); err != nil {
		s.Fatalf("PutPersistent: %v", err)
	}
}

// putAll puts many of an owner's at once.
func (s *persistentSuite) putAll(owner string, names []string) {
	s.Helper()
	var wg sync.WaitGroup
	for some := range slices.Chunk(names, max(1, len(names)/64)) {
		wg.Go(func() {
			for _, name := range some {
				if err := s.store.PutPersistent(s.Context(), persistent(owner, name), len(names)); err != nil {
					s.Errorf("PutPersistent of %q: %v", name, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s *persistentSuite) move(moves ...events.Move) {
	s.Helper()
	if err := s.store.MovePersistents(s.Context(), moves); err != nil {
		s.Fatalf("MovePersistents: %v", err)
	}
}

func (s *persistentSuite) get(owner, name string) *events.Persistent {
	s.Helper()
	p, err := s.store.Persistent(s.Context(), owner, name)
	if err != nil {
		s.Fatalf("Persistent(%q, %q): %v", owner, name, err)
	}
	return p
}

// plain makes subscriptions comparable.
func plain(p events.Persistent) events.Persistent {
	for _, at := range []*time.Time{&p.Created, &p.Seen, &p.Expires} {
		*at = at.UTC()
	}
	if len(p.Acked) == 0 {
		p.Acked = nil
	}
	return p
}

// want checks that the subscription is there, as it is.
func (s *persistentSuite) want(p *events.Persistent) {
	s.Helper()
	if got, want := plain(*s.get(p.Owner, p.Name)), plain(*p); !reflect.DeepEqual(got, want) {
		s.Errorf("the subscription came back as\n%+v, want\n%+v", got, want)
	}
}

func (s *persistentSuite) wantNone(owner, name string) {
	s.Helper()
	if got, err := s.store.Persistent(s.Context(), owner, name); !errors.Is(err, events.ErrNotPersistent) {
		s.Errorf("Persistent(%q, %q) = %+v, %v; want ErrNotPersistent", owner, name, got, err)
	}
}

// wantNames checks which subscriptions an owner has.
func (s *persistentSuite) wantNames(owner string, want ...string) {
	s.Helper()
	all, err := s.store.Persistents(s.Context(), owner)
	if err != nil {
		s.Fatalf("Persistents(%q): %v", owner, err)
	}
	var got []string
	for _, p := range all {
		if p.Owner != owner {
			s.Errorf("Persistents(%q) has one of %q", owner, p.Owner)
		}
		got = append(got, p.Name)
	}
	if !slices.Equal(got, want) {
		s.Errorf("Persistents(%q) has %q, want %q", owner, got, want)
	}
}

// wantExpired deletes what has expired, and checks how many that are.
func (s *persistentSuite) wantExpired(now time.Time, want int) {
	s.Helper()
	var n int
	for {
		some, err := s.store.DeleteExpiredPersistents(s.Context(), now)
		if err != nil {
			s.Fatalf("DeleteExpiredPersistents: %v", err)
		}
		if n += some; some == 0 {
			break
		}
	}
	if n != want {
		s.Errorf("DeleteExpiredPersistents removes %d, want %d", n, want)
	}
}

func persistentRoundTrip(_ *testing.T, s *persistentSuite) {
	full := persistent("ada", "full")
	bare := &events.Persistent{Owner: "o", Name: "n", Expires: start.Add(time.Millisecond)}
	young := persistent("ada", "young")
	young.Explicit, young.Channel, young.Where, young.Acked = false, "", "", nil
	early := persistent("ada", "early")
	early.Acked = []events.Span{{From: 12, Through: 13}}
	early.Created, early.Seen, early.For = time.UnixMilli(-5), time.UnixMilli(-1), time.Nanosecond
	for _, p := range []*events.Persistent{full, bare, young, early} {
		s.put(p)
	}
	for _, p := range []*events.Persistent{full, bare, young, early} {
		s.want(p)
	}
}

func persistentAbsent(t *testing.T, s *persistentSuite) {
	s.wantNone("ada", "x")
	s.wantNames("ada")
	if err := s.store.DeletePersistent(t.Context(), "ada", "x"); err != nil {
		t.Errorf("DeletePersistent of none: %v", err)
	}
	if n, err := s.store.DeleteOwner(t.Context(), "ada"); n != 0 || err != nil {
		t.Errorf("DeleteOwner of none = %d, %v", n, err)
	}
	s.wantExpired(start.Add(time.Hour), 0)
	if err := s.store.MovePersistents(t.Context(), nil); err != nil {
		t.Errorf("MovePersistents of none: %v", err)
	}
}

func persistentReplaced(_ *testing.T, s *persistentSuite) {
	s.put(persistent("ada", "x"))
	second := &events.Persistent{
		Owner: "ada", Name: "x", Class: "other", Created: start, Seen: start.Add(-time.Minute), Expires: start.Add(time.Minute),
		Position: events.Position{Epoch: "EPOCH1", Offset: 3},
	}
	s.put(second)
	s.want(second) // with a position and times before those that it had
	s.wantNames("ada", "x")
	s.wantExpired(start.Add(time.Minute), 1)
	s.wantExpired(start.Add(2*time.Hour), 0)
}

func persistentOrder(_ *testing.T, s *persistentSuite) {
	for _, name := range []string{"b", "a", "ab", "é", "B", "a\x01", "10", "9"} {
		s.put(persistent("ada", name))
		s.put(persistent("ad", name))
	}
	s.put(persistent("adam", "a"))
	s.wantNames("ada", "10", "9", "B", "a", "a\x01", "ab", "b", "é")
}

// awkwardOwners are owners that an encoding may mix up, in order.
var awkwardOwners = []string{
	"\x00", "\x00\x00", "\x00\x00a", "\x00\x01", "\x00\xff", "\n", " ", "*", "a", "a\x00", "a\x00\x00", "a\x00\x00b", "a\x00\xff",
	"a\x00\xff\x00", "a\x01", "a b", "a:b", "a\xff", "b", "{x}", "\xc3\x28", "\xff", "\xff\xff",
}

func persistentTexts(t *testing.T, s *persistentSuite) {
	names := []string{"\x00", "\x00\x00", "\n\r\t", ":", "a", "a:b", strings.Repeat("n", events.MaxPersistentName), "{", "é"}
	owners := append(slices.Clone(awkwardOwners), strings.Repeat("\x00", events.MaxOwnerLen), strings.Repeat("z", events.MaxOwnerLen))
	for _, owner := range owners {
		s.putAll(owner, names)
	}
	for _, owner := range owners {
		s.wantNames(owner, names...)
		for _, name := range names {
			s.want(persistent(owner, name))
		}
	}
	for _, owner := range owners {
		if n, err := s.store.DeleteOwner(t.Context(), owner); n != len(names) || err != nil {
			t.Errorf("DeleteOwner(%q) = %d, %v; want %d", owner, n, err, len(names))
		}
		s.wantNames(owner)
	}
}

func persistentRefused(t *testing.T, s *persistentSuite) {
	for name, spoil := range map[string]func(p *events.Persistent){
		"no owner":                    func(p *events.Persistent) { p.Owner = "" },
		"a long owner":                func(p *events.Persistent) { p.Owner = strings.Repeat("x", events.MaxOwnerLen+1) },
		"no name":                     func(p *events.Persistent) { p.Name = "" },
		"a long name":                 func(p *events.Persistent) { p.Name = strings.Repeat("x", events.MaxPersistentName+1) },
		"too many spans":              func(p *events.Persistent) { p.Acked = spans(events.MaxAckedSpans + 1) },
		"a span before the position":  func(p *events.Persistent) { p.Acked = []events.Span{{From: 9, Through: 20}} },
		"a span at the position":      func(p *events.Persistent) { p.Acked = []events.Span{{From: 11, Through: 20}} },
		"a span the wrong way round":  func(p *events.Persistent) { p.Acked = []events.Span{{From: 13, Through: 12}} },
		"spans without a gap between": func(p *events.Persistent) { p.Acked = []events.Span{{From: 13, Through: 14}, {From: 15, Through: 16}} },
	} {
		p := persistent("ada", "x")
		spoil(p)
		if err := s.store.PutPersistent(t.Context(), p, 100); err == nil {
			t.Errorf("PutPersistent of one with %s has no error", name)
		}
	}
	// A name that none can have is none that there is.
	long := strings.Repeat("x", 1<<17)
	s.wantNone(long, "x")
	s.wantNone("x", long)
	s.move(events.Move{Owner: long, Name: long})
}

// spans returns n spans of one offset each, behind the position of persistent.
func spans(n int) (all []events.Span) {
	for i := range uint64(n) {
		all = append(all, events.Span{From: 100 + 2*i, Through: 100 + 2*i})
	}
	return all
}

func (s *persistentSuite) wantTooMany(p *events.Persistent, most int) {
	s.Helper()
	if err := s.store.PutPersistent(s.Context(), p, most); !errors.Is(err, events.ErrTooManyPersistent) {
		s.Errorf("PutPersistent of %q with a limit of %d: %v, want ErrTooManyPersistent", p.Name, most, err)
	}
}

func persistentLimit(t *testing.T, s *persistentSuite) {
	later := func(name string, d time.Duration) *events.Persistent {
		p := persistent("ada", name)
		p.Seen, p.Expires = start.Add(d), start.Add(d+time.Hour)
		return p
	}
	s.wantTooMany(persistent("ada", "a"), 0)
	for _, name := range []string{"a", "b", "c"} {
		if err := s.store.PutPersistent(t.Context(), persistent("ada", name), 3); err != nil {
			t.Fatalf("PutPersistent of %q with a limit of 3: %v", name, err)
		}
	}
	s.wantTooMany(persistent("ada", "d"), 3)
	s.wantNone("ada", "d")

	// One that it has is replaced at the limit, and even above it.
	for _, most := range []int{3, 2, 0} {
		if err := s.store.PutPersistent(t.Context(), later("b", time.Minute), most); err != nil {
			t.Errorf("PutPersistent of one that there is, with a limit of %d: %v", most, err)
		}
		s.want(later("b", time.Minute))
	}

	// Others' do not count.
	if err := s.store.PutPersistent(t.Context(), persistent("bob", "d"), 1); err != nil {
		t.Errorf("PutPersistent of another owner: %v", err)
	}

	// An hour later "a" and "c" have expired, and "b" has not.
	s.wantTooMany(later("d", time.Hour), 1)
	s.wantTooMany(later("a", time.Hour), 1) // it has expired, so that this would be one more
	s.want(persistent("ada", "a"))
	s.wantTooMany(later("d", time.Hour-time.Millisecond), 3)
	if err := s.store.PutPersistent(t.Context(), later("d", time.Hour), 2); err != nil {
		t.Errorf("PutPersistent when two of three have expired, with a limit of 2: %v", err)
	}
	s.want(later("d", time.Hour))
	s.want(later("b", time.Minute))
	s.wantTooMany(later("a", time.Hour), 2)

	// Those that have expired do not pile up: an owner with a limit of 2 that
	// puts one after the other never has many.
	for i := range 200 {
		p := persistent("eve", fmt.Sprint("n", i))
		p.Seen, p.Expires = start.Add(time.Duration(i)*time.Minute), start.Add(time.Duration(i)*time.Minute+1)
		if err := s.store.PutPersistent(t.Context(), p, 2); err != nil {
			t.Fatalf("PutPersistent of the one with the number %d: %v", i, err)
		}
	}
	if all, err := s.store.Persistents(t.Context(), "eve"); len(all) > 50 || err != nil {
		t.Errorf("an owner with a limit of 2 has %d, most of them expired; %v", len(all), err)
	}
}

func persistentLimitConcurrent(t *testing.T, s *persistentSuite) {
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := s.store.PutPersistent(t.Context(), persistent("ada", fmt.Sprint(i)), 7)
			if err != nil && !errors.Is(err, events.ErrTooManyPersistent) {
				t.Errorf("PutPersistent: %v", err)
			}
		})
	}
	wg.Wait()
	if all, err := s.store.Persistents(t.Context(), "ada"); len(all) != 7 || err != nil {
		t.Errorf("an owner with a limit of 7 has %d; %v", len(all), err)
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

func persistentDeleted(t *testing.T, s *persistentSuite) {
	s.put(persistent("ada", "x"))
	s.put(persistent("ada", "y"))
	if err := s.store.DeletePersistent(t.Context(), "ada", "x"); err != nil {
		t.Fatalf("DeletePersistent: %v", err)
	}
	s.wantNone("ada", "x")
	s.wantNames("ada", "y")
	s.move(moveTo("x", 20))
	s.wantNone("ada", "x")
	again := persistent("ada", "x")
	again.Expires = start.Add(2 * time.Hour)
	s.put(again)
	s.want(again)
	s.wantExpired(start.Add(time.Hour), 1)
	s.want(again)
}

func persistentOwnerDeleted(t *testing.T, s *persistentSuite) {
	const many = 700
	var names []string
	for i := range many {
		names = append(names, fmt.Sprint(i))
	}
	s.putAll("ada", names)
	s.put(persistent("ad", "x"))
	s.put(persistent("adam", "x"))
	if n, err := s.store.DeleteOwner(t.Context(), "ada"); n != many || err != nil {
		t.Errorf("DeleteOwner = %d, %v; want %d", n, err, many)
	}
	s.wantNames("ada")
	s.wantNames("ad", "x")
	s.wantNames("adam", "x")
	s.wantExpired(start.Add(time.Hour), 2)
}

func persistentExpired(_ *testing.T, s *persistentSuite) {
	for n := range 10 {
		p := persistent("ada", fmt.Sprint(n))
		p.Expires = start.Add(time.Duration(n+1) * time.Minute)
		s.put(p)
	}
	s.wantExpired(start, 0)
	s.wantExpired(start.Add(5*time.Minute-time.Millisecond), 4)
	s.wantNames("ada", "4", "5", "6", "7", "8", "9")
	s.wantExpired(start.Add(5*time.Minute), 1)
	s.wantNone("ada", "4")
	s.wantExpired(start.Add(time.Hour), 5)
	s.wantExpired(start.Add(time.Hour), 0)
	s.wantNames("ada")

	before := persistent("ada", "of before 1970")
	before.Expires = time.UnixMilli(-1)
	s.put(before)
	s.want(before)
	s.wantExpired(time.UnixMilli(-2), 0)
	s.wantExpired(time.UnixMilli(-1), 1)
}

func persistentProlonged(_ *testing.T, s *persistentSuite) {
	p := persistent("ada", "x")
	p.Acked = nil
	s.put(p)
	s.put(persistent("ada", "y"))
	m := moveTo("x", 10)
	m.Expires = start.Add(3 * time.Hour)
	s.move(m)
	p.Expires = m.Expires
	s.wantExpired(start.Add(time.Hour), 1)
	s.want(p)
	s.wantExpired(start.Add(3*time.Hour-time.Millisecond), 0)
	s.want(p)

	// It is replaced by one that expires sooner.
	p.Expires = start.Add(2 * time.Hour)
	s.put(p)
	s.wantExpired(start.Add(2*time.Hour-time.Millisecond), 0)
	s.wantExpired(start.Add(2*time.Hour), 1)
	s.wantExpired(start.Add(9*time.Hour), 0)
}

func persistentEach(t *testing.T, s *persistentSuite) {
	type key struct{ owner, name string }
	var want []key
	for _, owner := range awkwardOwners {
		var names []string
		for n := range 30 { // more than a store may read at once
			names = append(names, fmt.Sprintf("n%02d", n))
			want = append(want, key{owner, names[n]})
		}
		s.putAll(owner, names)
	}
	slices.SortFunc(want, func(a, b key) int {
		return 2*strings.Compare(a.owner, b.owner) + strings.Compare(a.name, b.name)
	})
	each := func(after key, most int) (got []key) {
		err := s.store.EachPersistent(t.Context(), after.owner, after.name, func(p *events.Persistent) bool {
			if !reflect.DeepEqual(plain(*p), plain(*persistent(p.Owner, p.Name))) {
				t.Errorf("EachPersistent gives %+v", p)
			}
			got = append(got, key{p.Owner, p.Name})
			return len(got) < most
		})
		if err != nil {
			t.Fatalf("EachPersistent(%+v): %v", after, err)
		}
		return got
	}
	if got := each(key{}, 1<<30); !slices.Equal(got, want) {
		t.Errorf("EachPersistent gives %q, want %q", got, want)
	}
	if got := each(key{}, 300); !slices.Equal(got, want[:300]) {
		t.Errorf("EachPersistent gives %q, want %q", got, want[:300])
	}
	for i := 0; i < len(want); i += 97 {
		if got := each(want[i], 3); !slices.Equal(got, want[i+1:min(i+4, len(want))]) {
			t.Errorf("EachPersistent(%q) gives %q, want %q", want[i], got, want[i+1:min(i+4, len(want))])
		}
	}
	if got, i := each(key{"a", "n05x"}, 1), slices.Index(want, key{"a", "n06"}); !slices.Equal(got, want[i:i+1]) {
		t.Errorf("EachPersistent after one that is not there gives %q, want %q", got, want[i])
	}
	if got, i := each(key{"a", ""}, 1), slices.Index(want, key{"a", "n00"}); !slices.Equal(got, want[i:i+1]) {
		t.Errorf("EachPersistent after an owner gives %q, want %q", got, want[i])
	}
	if got := each(key{"\xff\xff\xff", ""}, 1); len(got) > 0 {
		t.Errorf("EachPersistent after the last one gives %q", got)
	}

	// What it is called with may use the store.
	err := s.store.EachPersistent(t.Context(), "", "", func(p *events.Persistent) bool {
		if err := s.store.DeletePersistent(t.Context(), p.Owner, p.Name); err != nil {
			t.Errorf("DeletePersistent: %v", err)
		}
		return true
	})
	if got := each(key{}, 1); err != nil || len(got) > 0 {
		t.Errorf("when each was deleted %q is left; %v", got, err)
	}
}

func persistentReopened(_ *testing.T, s *persistentSuite) {
	kept, gone := persistent("ada", "kept"), persistent("ada", "gone")
	gone.Expires = start.Add(time.Minute)
	s.put(kept)
	s.put(gone)
	m := moveTo("kept", 13)
	m.Expires = start.Add(2 * time.Hour)
	s.move(m)
	kept.Position.Offset, kept.Acked, kept.Expires = 1<<50, nil, m.Expires
	s.reopen()
	s.want(kept)
	s.want(gone)
	s.wantExpired(start.Add(time.Hour), 1)
	s.reopen()
	s.want(kept)
	s.wantNone("ada", "gone")
}

func persistentOwnership(_ *testing.T, s *persistentSuite) {
	given := persistent("ada", "x")
	s.put(given)
	given.Acked[0] = events.Span{From: 99, Through: 99}
	s.want(persistent("ada", "x"))
	s.get("ada", "x").Acked[0].From = 99
	s.want(persistent("ada", "x"))
	acked := []events.Span{{From: 1 << 51, Through: 1 << 51}, {From: 20, Through: 21}}
	s.move(moveTo("x", 10, acked...))
	if acked[0].From != 1<<51 {
		s.Errorf("MovePersistents changes what it is given: %v", acked)
	}
}

// each calls every method, for its error.
func (s *persistentSuite) each(ctx context.Context) map[string]error {
	_, get := s.store.Persistent(ctx, "ada", "x")
	_, list := s.store.Persistents(ctx, "ada")
	_, owner := s.store.DeleteOwner(ctx, "ada")
	_, expired := s.store.DeleteExpiredPersistents(ctx, start)
	return map[string]error{
		"PutPersistent":            s.store.PutPersistent(ctx, persistent("ada", "x"), 10),
		"Persistent":               get,
		"Persistents":              list,
		"MovePersistents":          s.store.MovePersistents(ctx, []events.Move{moveTo("x", 20)}),
		"DeletePersistent":         s.store.DeletePersistent(ctx, "ada", "x"),
		"DeleteOwner":              owner,
		"DeleteExpiredPersistents": expired,
		"EachPersistent":           s.store.EachPersistent(ctx, "", "", func(*events.Persistent) bool { return true }),
	}
}

func persistentCanceled(_ *testing.T, s *persistentSuite) {
	for name, err := range s.each(canceledContext()) {
		if !errors.Is(err, context.Canceled) {
			s.Errorf("%s with a canceled context: %v", name, err)
		}
	}
}

func persistentClosed(t *testing.T, s *persistentSuite) {
	if err := s.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for name, err := range s.each(t.Context()) {
		if !errors.Is(err, events.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", name, err)
		}
	}
}
