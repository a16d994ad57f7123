package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// persistent returns a subscription that expires an hour after at.
func persistent(owner, name string) *events.Persistent {
	return &events.Persistent{
		Owner: owner, Name: name, Class: "c", Created: at, Seen: at, Expires: at.Add(time.Hour), For: time.Hour,
		Position: events.Position{Epoch: "E"},
	}
}

func moveOf(owner, name string, offset uint64) events.Move {
	return events.Move{Owner: owner, Name: name, Was: "E", Position: events.Position{Epoch: "E", Offset: offset}, Seen: at, Expires: at.Add(time.Hour)}
}

func mustPut(t *testing.T, s *redis.Store, p *events.Persistent) {
	t.Helper()
	if err := s.PutPersistent(t.Context(), p, 1000); err != nil {
		t.Fatalf("PutPersistent: %v", err)
	}
}

func names(t *testing.T, s *redis.Store, owner string) (all []string) {
	t.Helper()
	list, err := s.Persistents(t.Context(), owner)
	if err != nil {
		t.Fatalf("Persistents: %v", err)
	}
	for _, p := range list {
		all = append(all, fmt.Sprint(p.Name, "@", p.Position.Offset))
	}
	return all
}

// Redis that keeps what it is told, and is killed again and again, loses no
// subscription and no move, and the store goes on without an error.
func TestKillSubscriptions(t *testing.T) {
	sv := start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := openFor(t, sv.url(), time.Minute)
	const owners, steps = 4, 60
	progress := make(chan struct{}, owners*steps)
	var wg sync.WaitGroup
	for i := range owners {
		owner := fmt.Sprint("owner", i)
		wg.Go(func() {
			for n := range steps {
				name := fmt.Sprint(n)
				if err := s.PutPersistent(t.Context(), persistent(owner, name), steps); err != nil {
					t.Errorf("PutPersistent: %v", err)
				}
				if err := s.MovePersistents(t.Context(), []events.Move{moveOf(owner, name, uint64(n))}); err != nil {
					t.Errorf("MovePersistents: %v", err)
				}
				if n%2 == 1 {
					if err := s.DeletePersistent(t.Context(), owner, name); err != nil {
						t.Errorf("DeletePersistent: %v", err)
					}
				}
				progress <- struct{}{}
			}
		})
	}
	for range 3 {
		for range owners * steps / 4 {
			<-progress
		}
		sv.kill()
		sv.start()
	}
	wg.Wait()
	var want []string
	for n := 0; n < steps; n += 2 {
		want = append(want, fmt.Sprint(n, "@", n))
	}
	slices.SortFunc(want, func(a, b string) int {
		a, _, _ = strings.Cut(a, "@")
		b, _, _ = strings.Cut(b, "@")
		return strings.Compare(a, b)
	})
	for i := range owners {
		if got := names(t, s, fmt.Sprint("owner", i)); !slices.Equal(got, want) {
			t.Errorf("owner%d has %q, want %q", i, got, want)
		}
	}
	if n, err := s.DeleteExpiredPersistents(t.Context(), at.Add(time.Hour)); n != owners*steps/2 || err != nil {
		t.Errorf("DeleteExpiredPersistents = %d, %v; want %d", n, err, owners*steps/2)
	}
}

// Without memory nothing is kept or moved, and what there is can be read and
// removed.
func TestFullSubscriptions(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Minute)
	mustPut(t, s, persistent("ada", "a"))
	mustPut(t, s, persistent("ada", "b"))
	if err := s.MovePersistents(t.Context(), []events.Move{moveOf("ada", "a", 1)}); err != nil {
		t.Fatal(err)
	}
	sv.do("CONFIG", "SET", "maxmemory", "1")
	wantError(t, s.PutPersistent(t.Context(), persistent("ada", "c"), 10), events.ErrFull, "keep a persistent subscription", "has used all the memory")
	replaced := persistent("ada", "a")
	replaced.Position.Offset = 5
	wantError(t, s.PutPersistent(t.Context(), replaced, 10), events.ErrFull)
	wantError(t, s.MovePersistents(t.Context(), []events.Move{moveOf("ada", "a", 7)}), events.ErrFull, "move persistent subscriptions", "has used all the memory")
	if got := names(t, s, "ada"); !slices.Equal(got, []string{"a@1", "b@0"}) {
		t.Errorf("the owner has %q", got)
	}
	if err := s.DeletePersistent(t.Context(), "ada", "b"); err != nil {
		t.Errorf("DeletePersistent: %v", err)
	}
	sv.do("CONFIG", "SET", "maxmemory", "0")
	mustPut(t, s, persistent("ada", "c"))
	if err := s.MovePersistents(t.Context(), []events.Move{moveOf("ada", "a", 7), moveOf("ada", "b", 7)}); err != nil {
		t.Errorf("MovePersistents with room again: %v", err)
	}
	if got := names(t, s, "ada"); !slices.Equal(got, []string{"a@7", "c@0"}) {
		t.Errorf("the owner has %q", got)
	}
}

// A replica refuses, and what there is can be read.
func TestReadOnlySubscriptions(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Second)
	await(t, "Redis keeps one", func() error { return s.PutPersistent(t.Context(), persistent("ada", "a"), 10) })
	sv.do("REPLICAOF", "127.0.0.1", "1") // nobody is there
	var wg sync.WaitGroup
	for _, try := range []func() error{
		func() error { return s.PutPersistent(t.Context(), persistent("ada", "b"), 10) },
		func() error { return s.MovePersistents(t.Context(), []events.Move{moveOf("ada", "a", 7)}) },
		func() error { return s.DeletePersistent(t.Context(), "ada", "a") },
		func() error { _, err := s.DeleteOwner(t.Context(), "ada"); return err },
		func() error { _, err := s.DeleteExpiredPersistents(t.Context(), at.Add(time.Hour)); return err },
	} {
		wg.Go(func() { wantError(t, try(), events.ErrUnavailable, "is a replica that can only be read") })
	}
	wg.Wait()
	await(t, "it can be read", func() error { _, err := s.Persistent(t.Context(), "ada", "a"); return err })
	sv.do("REPLICAOF", "NO", "ONE")
	await(t, "Redis keeps one again", func() error { return s.PutPersistent(t.Context(), persistent("ada", "b"), 10) })
}

// Several gateways write subscriptions at the same time: they keep the limit
// together, and no move takes another one back.
func TestSubscriptionsOfSeveralGateways(t *testing.T) {
	sv := start(t)
	var gateways []*redis.Store
	for range 3 {
		gateways = append(gateways, openFor(t, sv.url(), time.Minute))
	}
	mustPut(t, gateways[0], persistent("bob", "x"))
	const limit = 5
	var wg sync.WaitGroup
	for g, s := range gateways {
		wg.Go(func() {
			for n := range 30 {
				err := s.PutPersistent(t.Context(), persistent("ada", fmt.Sprint(g, "-", n)), limit)
				if err != nil && !errors.Is(err, events.ErrTooManyPersistent) {
					t.Errorf("PutPersistent: %v", err)
				}
				// Each acknowledges every third event, in an order of its own.
				offset := uint64(1 + g + 3*(n*7%30))
				m := moveOf("bob", "x", 0)
				m.Acked = []events.Span{{From: offset, Through: offset}}
				if err := s.MovePersistents(t.Context(), []events.Move{m}); err != nil {
					t.Errorf("MovePersistents: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for i, s := range gateways {
		if got := names(t, s, "ada"); len(got) != limit {
			t.Errorf("at the gateway %d the owner has %q, with a limit of %d", i, got, limit)
		}
		if got := names(t, s, "bob"); !slices.Equal(got, []string{"x@90"}) {
			t.Errorf("at the gateway %d the other owner has %q", i, got)
		}
	}
}

// What Redis has under the keys of the store is not trusted.
func TestDamagedSubscriptions(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Minute)
	mustPut(t, s, persistent("ada", "a"))
	var key string
	for _, k := range sv.do("KEYS", "*:subscription:*").([]any) {
		key = k.(string)
	}
	sv.do("HSET", key, "offset", "1e9")
	_, err := s.Persistent(t.Context(), "ada", "a")
	wantError(t, err, events.ErrUnavailable, "has a damaged store", `"1e9" as offset`)
	_, err = s.Persistents(t.Context(), "ada")
	wantError(t, err, events.ErrUnavailable, "has a damaged store")
	mustPut(t, s, persistent("ada", "a"))
	if got := names(t, s, "ada"); !slices.Equal(got, []string{"a@0"}) {
		t.Errorf("put again, the owner has %q", got)
	}
}
