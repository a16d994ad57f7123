package redis_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// A hubNode is a gateway without its wires: a store, a hub that follows it, and
// what it routed.
type hubNode struct {
	store *redis.Store
	hub   *events.Hub

	mu     sync.Mutex
	routed map[string][]events.Event // by class
}

func (n *hubNode) Route(e *events.Event, _ *events.Class, _ string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.routed[e.Class] = append(n.routed[e.Class], *e)
}

func (n *hubNode) Join(string)                                                {}
func (n *hubNode) Leave(string)                                               {}
func (n *hubNode) Message(string, string, []byte)                             {}
func (n *hubNode) Configured(redis.Configured)                                {}
func (n *hubNode) Gap()                                                       { n.hub.CatchUp() }
func (n *hubNode) Appended(_ string, r []events.Record, at []events.Appended) { n.hub.Heard(r, at) }

var hubClasses = []string{"one", "two", "three"}

// startHub opens a gateway that has these classes.
func startHub(t *testing.T, url string, classes ...string) *hubNode {
	t.Helper()
	var configs []events.ClassConfig
	for _, name := range classes {
		configs = append(configs, events.ClassConfig{Name: name, Retain: events.Retain{Events: 100_000}})
	}
	catalogue, err := events.NewCatalogue(configs)
	if err != nil {
		t.Fatal(err)
	}
	n := &hubNode{store: openFor(t, url, 10*time.Second), routed: make(map[string][]events.Event)}
	n.hub, err = events.NewHub(t.Context(), catalogue, n.store, n, events.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.hub.Close)
	n.store.Follow(n)
	return n
}

// wantRouted waits until the node has routed the whole log of a class, in order.
func (n *hubNode) wantRouted(t *testing.T, class string, log []events.Record) {
	t.Helper()
	await(t, "all of "+class+" is routed", func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.routed[class]) != len(log) {
			return fmt.Errorf("%d events are routed, want %d; %+v", len(n.routed[class]), len(log), n.hub.Stats())
		}
		return nil
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, e := range n.routed[class] {
		if e.ID != log[i].ID || e.Offset != log[i].Offset || string(e.Data) != string(log[i].Data) {
			t.Fatalf("event %d of %s is %s at %d, want %s at %d", i, class, e.ID, e.Offset, log[i].ID, log[i].Offset)
		}
	}
}

// readLog reads the whole log of a class.
func readLog(t *testing.T, s *redis.Store, class string) (records []events.Record) {
	t.Helper()
	r := events.Range{Class: class, Through: 1 << 40, Limit: 1000, Bytes: 1 << 20}
	for {
		page, err := s.Read(t.Context(), r)
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		if len(page.Records) == 0 {
			return records
		}
		records, r.After = append(records, page.Records...), page.After
	}
}

// Every gateway routes the events of all, in the order of the log, also classes
// that are quiet there; a class that it does not know is counted.
func TestHubsFollow(t *testing.T) {
	sv := start(t)
	a, b := startHub(t, sv.url(), "one", "two"), startHub(t, sv.url(), "one")
	big := `{"text":"` + strings.Repeat("x", 20_000) + `"}`
	for i, data := range []string{`{"n":1}`, big, `{"n":3}`} {
		for _, class := range []string{"one", "two"} {
			if r, err := a.hub.Publish(t.Context(), &events.Event{Class: class, Data: []byte(data)}); err != nil || r.Offset != uint64(i+1) {
				t.Fatalf("Publish: %+v, %v", r, err)
			}
		}
	}
	if _, err := b.hub.Publish(t.Context(), &events.Event{Class: "one", Data: []byte(`{"n":4}`), Origin: "b"}); err != nil {
		t.Fatal(err)
	}
	log := readLog(t, a.store, "one")
	a.wantRouted(t, "one", log)
	b.wantRouted(t, "one", log)
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.routed["one"][3]; e.Origin != "b" || e.Replayed || len(b.routed) != 1 {
		t.Errorf("b routes its own event as %+v, of %d classes", e, len(b.routed))
	}
	if s := b.hub.Stats(); s.Strange != 3 || s.Skipped != 0 {
		t.Errorf("Stats = %+v", s)
	}
}

// Several gateways publish at random while connections break, Redis stands still
// and is killed. Every event that was acknowledged is in its log once, and every
// gateway routes every log whole, in order, without a repetition.
func TestHubsUnderFaults(t *testing.T) {
	sv := start(t, "--appendonly", "yes", "--appendfsync", "always")
	var nodes []*hubNode
	for range 3 {
		nodes = append(nodes, startHub(t, sv.url(), hubClasses...))
	}
	random := rand.New(rand.NewPCG(29, uint64(time.Now().UnixNano())))
	var mu sync.Mutex
	acknowledged := make(map[string]string) // id → class
	var publishers sync.WaitGroup
	var stop atomic.Bool
	for i, n := range nodes {
		for p := range 3 {
			publishers.Go(func() {
				for k := 0; !stop.Load(); k++ {
					class, id := hubClasses[(k+p)%len(hubClasses)], fmt.Sprintf("%d-%d-%d", i, p, k)
					for try := 0; ; try++ {
						_, err := n.hub.Publish(t.Context(), &events.Event{Class: class, ID: id, Data: fmt.Appendf(nil, `{"n":%d}`, k)})
						if err == nil {
							mu.Lock()
							acknowledged[id] = class
							mu.Unlock()
							break
						}
						if stop.Load() && try > 0 {
							return
						}
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
	}
	for range 6 {
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // some events in between
		switch random.IntN(3) {
		case 0:
			sv.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		case 1:
			sv.signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			sv.signal(syscall.SIGCONT)
		default:
			sv.kill()
			sv.start()
		}
	}
	stop.Store(true)
	publishers.Wait()
	count := 0
	for _, class := range hubClasses {
		log := readLog(t, nodes[0].store, class)
		seen := make(map[string]bool)
		for i, r := range log {
			if seen[r.ID] || r.Offset != uint64(i+1) {
				t.Errorf("record %d of %s is %s at %d", i, class, r.ID, r.Offset)
			}
			seen[r.ID] = true
			if acknowledged[r.ID] == class {
				count++
			}
		}
		for i, n := range nodes {
			n.wantRouted(t, class, log)
			if s := n.hub.Stats(); s.Skipped != 0 {
				t.Errorf("node %d skipped %d events", i, s.Skipped)
			}
		}
	}
	if count != len(acknowledged) || count == 0 {
		t.Errorf("%d events are acknowledged, and %d of them in the logs", len(acknowledged), count)
	}
}
