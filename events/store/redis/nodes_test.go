package redis_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// A follower writes down what it is told.
type follower struct {
	mu   sync.Mutex
	told []string

	configured redis.Configured
}

func (f *follower) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, fmt.Sprintf(format, args...))
}

func (f *follower) Join(node string)  { f.note("join %s", node) }
func (f *follower) Leave(node string) { f.note("leave %s", node) }
func (f *follower) Gap()              { f.note("gap") }
func (f *follower) Configured(c redis.Configured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.configured = c
}

func (f *follower) Message(node, kind string, payload []byte) {
	f.note("%s: %s %s", node, kind, payload)
}

func (f *follower) Appended(node string, records []events.Record, at []events.Appended) {
	for i, r := range records {
		f.note("%s: %s %d %s %t %s %q", node, r.Class, at[i].Offset, r.ID, r.IDGiven, r.Channel, r.Data)
		if at[i].Offset != r.Offset || !at[i].Time.Equal(r.Time) || at[i].Epoch == "" {
			f.note("wrong: %+v at %+v", r, at[i])
		}
	}
}

func (f *follower) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

// want waits until the follower was told exactly this.
func (f *follower) want(t *testing.T, want ...string) {
	t.Helper()
	await(t, "the follower is told", func() error {
		if got := f.all(); !slices.Equal(got, want) {
			return fmt.Errorf("it was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

// has waits until the follower was told something.
func (f *follower) has(t *testing.T, want string) {
	t.Helper()
	await(t, "the follower is told "+want, func() error {
		if got := f.all(); !slices.Contains(got, want) {
			return errors.New(strings.Join(got, "\n"))
		}
		return nil
	})
}

// Nodes see each other come and go, and what the others say and append, in one
// order.
func TestNodes(t *testing.T) {
	sv := start(t)
	a := openFor(t, sv.url(), time.Minute)
	mustPost(t, a, record(1))
	if err := a.Send("word", []byte("nobody hears")); err != nil {
		t.Errorf("Send of a node that is alone: %v", err)
	}
	var fa, fb follower
	a.Follow(&fa)
	b := openFor(t, sv.url(), time.Minute)
	b.Follow(&fb)
	fa.want(t, "gap", "join "+b.Node())
	fb.want(t, "gap", "join "+a.Node())

	big := record(3)
	big.Channel, big.IDGiven = "x", false
	big.Data = []byte(`"` + strings.Repeat("x", 20_000) + `"`)
	if got := mustPost(t, a, record(2), record(1), big); got[0].Offset != 2 || !got[1].Duplicate || got[2].Offset != 3 {
		t.Errorf("Append gives %+v", got)
	}
	for i := range 3 {
		if err := a.Send("word", fmt.Append(nil, i)); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
	fb.has(t, a.Node()+": word 2")
	if got := mustPost(t, b, record(4))[0]; got.Offset != 4 {
		t.Errorf("Append of the second node gives %+v", got)
	}
	c := openFor(t, sv.url(), time.Minute)
	if err := b.Send("more", nil); err != nil {
		t.Errorf("Send: %v", err)
	}
	fa.has(t, b.Node()+": more ") // before the third one leaves, which another goroutine says
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	fb.want(t, "gap", "join "+a.Node(),
		a.Node()+`: c 2 given-2 true  "{\"n\":2}"`, a.Node()+`: c 3 given-3 false x ""`,
		a.Node()+": word 0", a.Node()+": word 1", a.Node()+": word 2",
		"join "+c.Node(), "leave "+c.Node())
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	fa.want(t, "gap", "join "+b.Node(), b.Node()+`: c 4 given-4 true  "{\"n\":4}"`,
		"join "+c.Node(), b.Node()+": more ", "leave "+c.Node(), "leave "+b.Node())
	if got := a.Stats(); got.Nodes != 1 || got.Sent != 3 || got.Unsent != 0 || got.Gaps != 0 {
		t.Errorf("Stats = %+v", got)
	}
}

// A node that dies without a word is gone after some seconds.
func TestNodesDeath(t *testing.T) {
	t.Parallel()
	sv := start(t)
	a, b := openFor(t, sv.url(), time.Minute), openFor(t, sv.url(), time.Minute)
	var f follower
	a.Follow(&f)
	f.has(t, "join "+b.Node())
	b.Crash()
	f.has(t, "leave "+b.Node())
	if n := sv.do("HLEN", "{wireroom}:writer").(int64); n > 30 {
		t.Errorf("the head of the store has %d fields", n)
	}
}

// Many nodes append at once, connections break, and every node is told of every
// event of the others once, in the order of the log.
func TestNodesOrder(t *testing.T) {
	sv := start(t)
	const nodes, each = 3, 300
	var stores []*redis.Store
	followers := make([]follower, nodes)
	for i := range nodes {
		s := openFor(t, sv.url(), time.Minute)
		s.Follow(&followers[i])
		stores = append(stores, s)
	}
	offsets := make([]map[uint64]string, nodes)
	var wg sync.WaitGroup
	for i, s := range stores {
		offsets[i] = make(map[uint64]string)
		wg.Add(each)
		go func() {
			for k := range each {
				r := record(1000*i + k)
				r.IDGiven = false
				s.Append([]events.Record{r}, func(results []events.Appended, err error) {
					defer wg.Done()
					if err != nil {
						t.Errorf("Append: %v", err)
						return
					}
					offsets[i][results[0].Offset] = r.ID
				})
			}
		}()
	}
	for range 10 {
		sv.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		time.Sleep(time.Millisecond) // a little of everything in between
	}
	wg.Wait()
	records := all(t, stores[0])
	if len(records) != nodes*each {
		t.Fatalf("the log has %d records, want %d", len(records), nodes*each)
	}
	for i := range stores {
		var want []string
		for _, r := range records {
			for k := range stores {
				if offsets[k][r.Offset] != "" && offsets[k][r.Offset] != r.ID {
					t.Fatalf("node %d was told that %s has the offset %d, which has %s", k, offsets[k][r.Offset], r.Offset, r.ID)
				}
				if k != i && offsets[k][r.Offset] == r.ID {
					want = append(want, fmt.Sprintf("%s: c %d %s false  %q", stores[k].Node(), r.Offset, r.ID, r.Data))
				}
			}
		}
		await(t, "all is told", func() error {
			got := slices.DeleteFunc(followers[i].all(), func(s string) bool { return !strings.Contains(s, ": c ") })
			if !slices.Equal(got, want) {
				return fmt.Errorf("node %d was told of %d events, want %d", i, len(got), len(want))
			}
			return nil
		})
		if got := stores[i].Stats(); got.Gaps != 0 {
			t.Errorf("node %d missed something: %+v", i, got)
		}
	}
}

// A node that does not hear Redis knows it soon, and hears it again by itself.
func TestNodesDeaf(t *testing.T) {
	t.Parallel()
	sv := start(t)
	c := redis.DefaultConfig()
	c.URL = sv.url()
	s, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	await(t, "Redis is heard", s.Heard)
	sv.signal(syscall.SIGSTOP)
	await(t, "Redis is not heard", func() error {
		if s.Heard() == nil {
			return errors.New("it is")
		}
		return nil
	})
	sv.signal(syscall.SIGCONT)
	await(t, "Redis is heard again", s.Heard)
	if got := s.Stats(); got.Deaf == 0 {
		t.Errorf("Stats = %+v", got)
	}
}

// What somebody else put into the feed is passed over, counted, and taken for a gap;
// nobody is deaf because of it.
func TestFeedHostile(t *testing.T) {
	sv := start(t)
	a, b := openFor(t, sv.url(), time.Minute), openFor(t, sv.url(), time.Minute)
	var f follower
	b.Follow(&f)
	f.has(t, "join "+a.Node())
	bad := [][]any{{"x", "y"}, {"n", a.Node(), "k", "e", "c", "nonsense", "", "{}"}, {"n", a.Node(), "k", "e", "c", "x", "y", "z", "one", "two"}}
	for _, fields := range bad {
		number := sv.do("HINCRBY", "{wireroom}:writer", "feed", 1)
		sv.do(append([]any{"XADD", "{wireroom}:1:feed", fmt.Sprint(number, "-0")}, fields...)...)
	}
	number := sv.do("HGET", "{wireroom}:writer", "feed")
	sv.do("XADD", "{wireroom}:1:feed", fmt.Sprint(number, "-7"), "n", a.Node(), "k", "j")
	if err := a.Send("word", []byte("after it")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	f.has(t, a.Node()+": word after it")
	// The last one counts only if it is read together with what is before it.
	if got := b.Stats(); got.Skipped < uint64(len(bad)) || got.Deaf != 0 {
		t.Errorf("Stats = %+v, want %d entries passed over and that it never was deaf", got, len(bad))
	}
	f.has(t, "gap")
}
