package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// persistent returns a subscription that expires at a time of its own.
func persistent(owner string, n int) *events.Persistent {
	return &events.Persistent{
		Owner: owner, Name: fmt.Sprint(n), Class: "c", Seen: time.UnixMilli(0), Expires: time.UnixMilli(int64(1000 + n)),
		Position: events.Position{Epoch: "E"},
	}
}

func mustPut(t testing.TB, s *embedded.Store, p *events.Persistent) {
	t.Helper()
	if err := s.PutPersistent(t.Context(), p, 1<<20); err != nil {
		t.Fatal(err)
	}
}

func moveOf(p *events.Persistent, offset uint64) events.Move {
	return events.Move{Owner: p.Owner, Name: p.Name, Was: "E", Position: events.Position{Epoch: "E", Offset: offset}}
}

// subscribeForever puts, moves and removes subscriptions of several owners, and
// prints what is done.
func subscribeForever(path string) {
	config := embedded.DefaultConfig()
	config.Patience = time.Millisecond
	s, err := embedded.Open(path, config, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	ctx := context.Background()
	for i := range 8 {
		owner := fmt.Sprint("owner", i)
		say := func(what string, n int, offset uint64, err error) {
			if err != nil {
				fmt.Println("error", err)
			}
			fmt.Println(owner, what, n, offset) // one write(2), so it is out or it is not
		}
		go func() {
			var n int
			all, err := s.Persistents(ctx, owner)
			if err != nil {
				fmt.Println("error", err)
			}
			for _, p := range all {
				var have int
				fmt.Sscan(p.Name, &have)
				n = max(n, have)
			}
			for {
				n++
				p := persistent(owner, n)
				say("put", n, 0, s.PutPersistent(ctx, p, 1<<20))
				offset := uint64(n % 50)
				say("move", n, offset, s.MovePersistents(ctx, []events.Move{moveOf(p, offset)}))
				if n%3 == 0 {
					fmt.Println(owner, "deleting", n-2, 0) // from here on it may be gone
					say("deleted", n-2, 0, s.DeletePersistent(ctx, owner, fmt.Sprint(n-2)))
				}
			}
		}()
	}
	select {}
}

// TestKillSubscriptions kills a process that writes subscriptions, again and
// again: whatever it said was done must be so.
func TestKillSubscriptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	type key struct {
		owner, name string
	}
	type state struct {
		offset            uint64
		deleting, deleted bool
	}
	said := make(map[key]state)
	for round := range 4 {
		cmd, out := startChild(t, "subscribe", path)
		want := 100 + round*137
		for seen := 0; out.Scan(); seen++ {
			var k key
			var what string
			var offset uint64
			if _, err := fmt.Sscan(out.Text(), &k.owner, &what, &k.name, &offset); err != nil {
				t.Fatalf("the child says %q", out.Text())
			}
			st := said[k]
			switch what {
			case "put", "move":
				st.offset = offset
			case "deleting":
				st.deleting = true
			case "deleted":
				st.deleted = true
			}
			said[k] = st
			if seen == want {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := open(t, filepath.Dir(path))
		for k, st := range said {
			p, err := s.Persistent(t.Context(), k.owner, k.name)
			gone := errors.Is(err, events.ErrNotPersistent)
			switch {
			case st.deleted && !gone:
				t.Errorf("round %d: %v was deleted, and is there: %v", round, k, err)
			case st.deleting && gone:
			case !st.deleted && err != nil:
				t.Errorf("round %d: %v: %v", round, k, err)
			case !st.deleted && p.Position.Offset < st.offset:
				t.Errorf("round %d: %v is at %d, and was moved to %d", round, k, p.Position.Offset, st.offset)
			}
		}
		if round == 3 { // everything is in both indexes, or in none
			var n int
			if err := s.EachPersistent(t.Context(), "", "", func(*events.Persistent) bool { n++; return true }); err != nil {
				t.Fatal(err)
			}
			if removed, err := s.DeleteExpiredPersistents(t.Context(), time.UnixMilli(1<<40)); removed != n || err != nil {
				t.Errorf("of %d that have expired, %d are removed; %v", n, removed, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) < 200 {
		t.Errorf("only %d were put", len(said))
	}
}

// TestFullSubscriptions: a full file refuses, changes nothing, and can be read.
func TestFullSubscriptions(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	s.SetMaxSize(8 << 20)
	long := func(n int) *events.Persistent {
		p := persistent("ada", n)
		p.Where = strings.Repeat("x", 100_000)
		return p
	}
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = s.PutPersistent(t.Context(), long(n), 1000)
	}
	if !errors.Is(err, events.ErrFull) {
		t.Fatalf("after %d subscriptions: %v, want ErrFull", n, err)
	}
	_, err = s.Persistent(t.Context(), "ada", fmt.Sprint(n-1))
	if !errors.Is(err, events.ErrNotPersistent) {
		t.Errorf("the one that was refused: %v, want ErrNotPersistent", err)
	}
	if all, err := s.Persistents(t.Context(), "ada"); len(all) != n-1 || err != nil {
		t.Errorf("after that the owner has %d, %v; want %d", len(all), err, n-1)
	}
	s.SetMaxSize(0)
	mustPut(t, s, long(n))
	if removed, err := s.DeleteExpiredPersistents(t.Context(), time.UnixMilli(1<<40)); removed != n || err != nil {
		t.Errorf("of %d that have expired, %d are removed; %v", n, removed, err)
	}
}

// A record that is not as it was written is said to be damaged, and by which
// file.
func TestDamagedSubscription(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	mustPut(t, s, persistent("ada", 1))
	err := s.Damage(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("subscriptions")).Put([]byte("ada\x00\x001"), []byte{1, 0, 99})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Persistent(t.Context(), "ada", "1")
	wantDamaged(t, "Persistent", err)
	_, err = s.Persistents(t.Context(), "ada")
	wantDamaged(t, "Persistents", err)
	wantDamaged(t, "EachPersistent", s.EachPersistent(t.Context(), "", "", func(*events.Persistent) bool { return true }))
}

func wantDamaged(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("%s: %v, want ErrUnavailable", what, err)
	}
}

// Moves alone wait for their time, and share a commit; with something that is
// in a hurry they do not wait.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := embedded.DefaultConfig()
		config.Patience = 10 * time.Second
		s, err := embedded.Open(filepath.Join(t.TempDir(), "x.db"), config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := persistent("ada", 1)
		mustPut(t, s, p)
		before := s.Stats().Commits

		move := func(n int) (done chan error) {
			done = make(chan error, n)
			for i := range n {
				go func() {
					done <- s.MovePersistents(context.Background(), []events.Move{moveOf(p, uint64(i))})
				}()
			}
			return done
		}
		begin, done := time.Now(), move(5)
		for range 5 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("moves alone take %v, want 10s", took)
		}
		if n := s.Stats().Commits - before; n != 1 {
			t.Errorf("five moves take %d commits, want 1", n)
		}

		begin, done = time.Now(), move(5)
		synctest.Wait()
		mustPut(t, s, persistent("ada", 2))
		for range 5 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("moves take %v with something else, want no time", took)
		}
		if n := s.Stats().Commits - before; n != 2 {
			t.Errorf("five moves and what is in a hurry take %d commits, want 1", n-1)
		}

		// The end of the store does not wait either, and loses none.
		begin, done = time.Now(), move(1)
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil || time.Since(begin) != 0 {
			t.Errorf("a move at the end: %v after %v", err, time.Since(begin))
		}
	})
}

// Nobody is patient while somebody waits for room in the queue.
func TestPatienceFull(t *testing.T) {
	config := embedded.DefaultConfig()
	config.QueueRecords = 2
	config.Patience = 10 * time.Second
	s, err := embedded.Open(filepath.Join(t.TempDir(), "x.db"), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := persistent("ada", 1)
	mustPut(t, s, p)
	done := make(chan error, 9)
	for i := range 9 {
		go func() { done <- s.MovePersistents(context.Background(), []events.Move{moveOf(p, uint64(i))}) }()
	}
	for s.Stats().Waits == 0 {
		runtime.Gosched()
	}
	for range 7 { // the last ones may have to be patient
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What was moved keeps its old place in the index by expiry until that time
// comes: moving costs one write.
func TestLapse(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	const many = 1500 // more than are looked at in one transaction
	var moves []events.Move
	var puts sync.WaitGroup
	for n := range many {
		p := persistent("ada", n)
		m := moveOf(p, 1)
		m.Expires = time.UnixMilli(10_000)
		moves = append(moves, m)
		puts.Go(func() {
			if err := s.PutPersistent(context.Background(), p, many); err != nil {
				t.Error(err)
			}
		})
	}
	puts.Wait()
	mustPut(t, s, persistent("eve", 1))
	if err := s.MovePersistents(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at   int64
		want int
	}{{5000, 1}, {9999, 0}, {10_000, many}, {10_000, 0}} {
		if n, err := s.DeleteExpiredPersistents(t.Context(), time.UnixMilli(test.at)); n != test.want || err != nil {
			t.Errorf("DeleteExpiredPersistents at %d = %d, %v; want %d", test.at, n, err, test.want)
		}
	}
}
