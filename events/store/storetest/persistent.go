package storetest

import (
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
