package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A way leads to a server, and can swallow what scripts answer.
type way struct {
	socket  string
	swallow atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

func wayTo(t *testing.T, sv *server) *way {
	t.Helper()
	w := &way{socket: filepath.Join(sv.dir, "w")}
	ln, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		w.cut()
		all.Wait()
	})
	all.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", sv.socket())
			if err != nil {
				in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			all.Go(func() {
				io.Copy(out, in)
				out.Close()
			})
			all.Go(func() {
				io.Copy(filter{w, in}, out)
				in.Close()
			})
		}
	})
	return w
}

// cut breaks all connections.
func (w *way) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// A filter passes on what is not to be swallowed.
type filter struct {
	way *way
	to  io.Writer
}

func (f filter) Write(p []byte) (int, error) {
	if f.way.swallow.Load() && bytes.Contains(p, []byte("\r\nok\r\n")) {
		return len(p), nil
	}
	return f.to.Write(p)
}

// A node whose calls were carried out, and which then was taken for gone before it
// had the answers, does not carry them out again.
func TestNodesForgotten(t *testing.T) {
	sv := start(t)
	w := wayTo(t, sv)
	a, b := openFor(t, "redis+unix://"+w.socket, time.Minute), openFor(t, sv.url(), time.Minute)
	var fa, fb follower
	a.Follow(&fa)
	b.Follow(&fb)
	fa.has(t, "join "+b.Node())
	plain := func(n int) events.Record {
		r := record(n)
		r.IDGiven = false
		return r
	}
	mustPost(t, a, plain(1))
	if err := a.Send("word", []byte("first")); err != nil { // Redis knows the scripts then
		t.Fatal(err)
	}
	fb.has(t, a.Node()+": word first")

	w.swallow.Store(true)
	if err := a.Send("word", []byte("once")); err != nil {
		t.Fatal(err)
	}
	posted := make(chan error, 1)
	go func() {
		_, err := post(a, plain(2))
		posted <- err
	}()
	await(t, "the event is in the log", func() error {
		if n := sv.do("XLEN", "{wireroom}:1:log:c").(int64); n != 2 {
			return fmt.Errorf("%d events are", n)
		}
		return nil
	})
	fb.has(t, a.Node()+": word once")
	sv.forget(a)
	w.swallow.Store(false)
	w.cut()
	if err := <-posted; err == nil {
		t.Error("a call of which nobody knows whether it was carried out succeeds")
	}
	await(t, "the node goes on", func() error { _, err := post(a, plain(3)); return err })
	var ids []string
	for _, r := range all(t, b) {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"given-1", "given-2", "given-3"}) {
		t.Errorf("the log has %v", ids)
	}
	await(t, "messages go on", func() error {
		if err := a.Send("word", []byte("last")); err != nil {
			return err
		}
		if !slices.Contains(fb.all(), a.Node()+": word last") {
			return errors.New("it has not come")
		}
		return nil
	})
	n := 0
	for _, s := range fb.all() {
		if s == a.Node()+": word once" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("a message came %d times", n)
	}
}

// A primary that was one before, and meanwhile a replica of one that had less, is
// the same process, and has lost data nevertheless.
func TestLostThereAndBack(t *testing.T) {
	ports := []string{port(t), port(t)}
	var servers [2]*server
	for i, p := range ports {
		servers[i] = start(t, "--port", p, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	}
	x, y := servers[0], servers[1]
	follow := func(sv *server, port string) {
		sv.do("REPLICAOF", "127.0.0.1", port)
		await(t, "the replica has a primary", func() error {
			if info := fmt.Sprint(sv.do("INFO", "replication")); !strings.Contains(info, "master_link_status:up") {
				return errors.New(info)
			}
			return nil
		})
	}
	a, b := openFor(t, x.url(), time.Minute), openFor(t, x.url(), time.Minute)
	mustPost(t, a, record(1))
	follow(y, ports[0])
	y.do("REPLICAOF", "NO", "ONE")
	lost := mustPost(t, b, record(2))[0]
	follow(x, ports[1])
	x.do("REPLICAOF", "NO", "ONE")
	got := mustPost(t, a, record(3))[0]
	if got.Epoch == lost.Epoch || got.Offset != 2 || got.Base != 1 {
		t.Errorf("after there and back, Append gives %+v, and before that %+v", got, lost)
	}
}

// The feed is kept short: what everybody had time to read goes, and a node that was
// away for longer is told that it has missed something.
func TestNodesFeedIsTrimmed(t *testing.T) {
	sv := start(t)
	a, b := openFor(t, sv.url(), time.Minute), openFor(t, sv.url(), time.Minute)
	var f follower
	b.Follow(&f)
	f.has(t, "join "+a.Node())

	// By size: a call with several entries removes only the older half.
	sv.do("HSET", "{wireroom}:writer", "size", 40<<20)
	var many []events.Record
	for i := range 400 {
		r := record(i)
		r.Data = fmt.Appendf(nil, `{"n":%d,"text":"%01000d"}`, i, 0)
		many = append(many, r)
	}
	before := sv.do("XLEN", "{wireroom}:1:feed").(int64)
	mustPost(t, a, many...)
	if after := sv.do("XLEN", "{wireroom}:1:feed").(int64); after < 5 || after < before {
		t.Errorf("the feed had %d entries, and has %d after a call that wrote more", before, after)
	}
	await(t, "all is told", func() error {
		n := 0
		for _, s := range f.all() {
			if strings.Contains(s, ": c ") {
				n++
			}
		}
		if n != len(many) {
			return fmt.Errorf("%d events are, want %d", n, len(many))
		}
		return nil
	})
	if got := b.Stats(); got.Gaps != 0 {
		t.Errorf("Stats = %+v", got)
	}

	// By time.
	for range 2 {
		sv.do("HSET", "{wireroom}:writer", "turned", 0)
		await(t, "a beat turns the feed", func() error {
			if sv.do("HGET", "{wireroom}:writer", "turned") == "0" {
				return errors.New("not yet")
			}
			return nil
		})
	}
	if n := sv.do("XLEN", "{wireroom}:1:feed").(int64); n != 0 {
		t.Errorf("the feed has %d entries after all of them were too old", n)
	}

	// Who has not read what is gone is told.
	sv.do("HINCRBY", "{wireroom}:writer", "feed", 3)
	mustPost(t, a, record(1000))
	await(t, "a gap is told", func() error {
		if got := b.Stats(); got.Gaps == 0 {
			return fmt.Errorf("Stats = %+v", got)
		}
		return nil
	})
	f.has(t, fmt.Sprintf("%s: c 401 given-1000 true  %q", a.Node(), record(1000).Data))
}

// A store that a gateway of the first format has left goes on: the log with its
// epoch and its offsets. That gateway cannot use it any more.
func TestFormatOne(t *testing.T) {
	sv := start(t)
	first := openFor(t, sv.url(), time.Minute)
	was := mustPost(t, first, record(1), record(2))[1]
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	head := sv.raw.HGetAll(context.Background(), "{wireroom}:writer").Val()
	sv.do("DEL", "{wireroom}:writer", "{wireroom}:1:nodes", "{wireroom}:1:feed")
	sv.do("HDEL", "{wireroom}:1:meta:c", "line")
	sv.do("HSET", "{wireroom}:writer", "format", "1", "writer", "OLDGATEWAY", "seq", "7",
		"generation", head["generation"], "run", head["run"], "0", "6\nE:0\n1", "7", "7\nE:0\n2", "15", "x")

	s := openFor(t, sv.url(), time.Minute)
	got := mustPost(t, s, record(2), record(3))
	if !got[0].Duplicate || got[0].Offset != 2 || got[1].Offset != 3 || got[1].Epoch != was.Epoch {
		t.Errorf("Append gives %+v, and before it gave %+v", got, was)
	}
	if n := len(all(t, s)); n != 3 {
		t.Errorf("the log has %d records, want 3", n)
	}
	head = sv.raw.HGetAll(context.Background(), "{wireroom}:writer").Val()
	for _, field := range []string{"seq", "0", "7", "15"} {
		if v, there := head[field]; there {
			t.Errorf("the head still has %s: %q", field, v)
		}
	}
	if head["format"] != "2" || head["writer"] == "OLDGATEWAY" {
		t.Errorf("the head is %v", head)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

// A shelfReader has what a replay brings.
type shelfReader struct {
	held     *events.Held
	complete bool
	got      []uint64
}

func (r *shelfReader) Recover(got events.Recovery) { r.complete = got.Complete }
func (r *shelfReader) Live()                       {}
func (r *shelfReader) Send(_ context.Context, e *events.Event) error {
	r.got = append(r.got, e.Offset)
	r.held.Sending(e)
	r.held.Sent(e)
	return nil
}

// A persistent subscription goes on in the epoch that a start of Redis begins: from
// its position, if the log still has that, and with a loss told if it has not.
func TestPersistentInNextEpoch(t *testing.T) {
	sv := start(t)
	classes := []events.ClassConfig{{Name: "c", Retain: events.Retain{Events: 100}, Persistent: time.Hour}}
	catalogue, err := events.NewCatalogue(classes)
	if err != nil {
		t.Fatal(err)
	}
	type gateway struct {
		*hubNode
		keeper *events.Keeper
	}
	gateways := func() gateway {
		n := &hubNode{store: openFor(t, sv.url(), time.Minute), routed: make(map[string][]events.Event)}
		n.hub, err = events.NewHub(t.Context(), catalogue, n.store, n, events.DefaultConfig(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		n.store.Follow(n)
		return gateway{n, events.NewKeeper(n.store, n.hub, events.KeeperConfig{Most: 10}, slog.New(slog.DiscardHandler))}
	}
	end := func(g gateway) {
		g.keeper.Close(context.Background())
		g.hub.Close()
		g.store.Close()
	}
	publish := func(g gateway, n int) (r events.Receipt) {
		for range n {
			if r, err = g.hub.Publish(t.Context(), &events.Event{Class: "c", Data: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	attach := func(g gateway, name string) (*events.Held, *shelfReader) {
		h := g.keeper.NewHolder("joe", func(uint64) bool { return true })
		held, err := h.Attach(t.Context(), events.Attach{Class: "c", Name: name, Explicit: true})
		if err != nil {
			t.Fatal(err)
		}
		r := &shelfReader{held: held}
		if err := g.hub.Replay(t.Context(), "c", held.Start(), events.Selection{}, r); err != nil {
			t.Fatal(err)
		}
		return held, r
	}

	one := gateways()
	for _, name := range []string{"kept", "lost"} {
		held, _ := attach(one, name)
		held.Detach()
	}
	before := publish(one, 3)
	kept, _ := attach(one, "kept")
	if err := kept.Ack(before.Epoch, 2, nil); err != nil {
		t.Fatal(err)
	}
	kept.Detach()
	end(one)
	sv.do("SAVE")
	one = gateways()
	last := publish(one, 2)
	lost, _ := attach(one, "lost")
	if err := lost.Ack(last.Epoch, 5, nil); err != nil {
		t.Fatal(err)
	}
	lost.Detach()
	end(one)
	key, stored := "", map[string]string(nil)
	for _, k := range sv.raw.Keys(t.Context(), "{wireroom}:1:subscription:*").Val() {
		if of := sv.raw.HGetAll(t.Context(), k).Val(); of["offset"] == "5" {
			key, stored = k, of
		}
	}
	sv.kill()
	sv.start()
	if n := sv.raw.HSet(t.Context(), key, stored).Err(); n != nil { // as if only the log had lost its end
		t.Fatal(n)
	}

	two := gateways()
	defer end(two)
	held, r := attach(two, "kept")
	if !r.complete || fmt.Sprint(r.got) != "[3]" {
		t.Errorf("what was kept comes as %+v, want 3 and nothing lost", r)
	}
	after := publish(two, 1)
	if after.Epoch == before.Epoch || after.Offset != 4 {
		t.Errorf("Publish gives %+v, and before the start %+v", after, before)
	}
	if err := held.Ack(after.Epoch, 0, []uint64{3}); err != nil {
		t.Fatal(err)
	}
	held.Detach()
	if _, r := attach(two, "kept"); !r.complete || fmt.Sprint(r.got) != "[4]" {
		t.Errorf("in the next epoch there comes %+v, want 4 and nothing lost", r)
	}
	if _, r := attach(two, "lost"); r.complete {
		t.Errorf("events that are lost are not told: %+v", r)
	}
}
