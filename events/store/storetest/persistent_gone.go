package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

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
