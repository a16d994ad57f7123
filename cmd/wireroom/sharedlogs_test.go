package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
)

// onRedis returns the configuration of a gateway with a store in Redis.
func onRedis(t *testing.T, url string) string {
	t.Helper()
	return writeConfig(t, strings.Replace(testConfig, "store: file:wireroom.db", "store: "+url+"\nredis: {prefix: shop, timeout: 10s}", 1))
}

// readiness returns what /readyz says.
func readiness(t *testing.T, p *program) (int, string) {
	t.Helper()
	resp, err := http.Get(p.base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Two gateways share a store: what is posted to either reaches the subscribers
// of both, in one order. When one is killed, its clients come back on the other
// one and miss nothing.
func TestSharedLogs(t *testing.T) {
	url, _, _ := startRedis(t)
	process, base := startProcess(t, onRedis(t, url))
	a, b := &program{base: base}, startProgram(t, onRedis(t, url))
	atA := join(t, a, "").listen(t, "demo.message", nil)
	atB := join(t, b, "").listen(t, "demo.message", nil)
	const each = 40
	post := func(p *program, name string, n int) {
		pub, err := newHTTPPublisher(p.base, testKey, patience)
		if err != nil {
			t.Error(err)
			return
		}
		defer pub.close()
		for i := range n {
			if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": "r", "text": name, "n": i}}); err != nil {
				t.Errorf("post to %s: %v", name, err)
				return
			}
		}
	}
	var posting sync.WaitGroup
	posting.Go(func() { post(a, "a", each) })
	posting.Go(func() { post(b, "b", each) })
	next1 := map[any]int64{}
	var since string
	for i := range 2 * each {
		x, y := next(t, atA), next(t, atB)
		offset, _ := wamp.AsInt64(x.Details["_offset"])
		other, _ := wamp.AsInt64(y.Details["_offset"])
		n, _ := wamp.AsInt64(x.ArgumentsKw["n"])
		if offset != int64(i+1) || other != offset || x.Details["_event_id"] != y.Details["_event_id"] || n != next1[x.ArgumentsKw["text"]] {
			t.Fatalf("event %d is %v %v on one gateway and %v %v on the other", i, x.Details, x.ArgumentsKw, y.Details, y.ArgumentsKw)
		}
		next1[x.ArgumentsKw["text"]]++
		since = fmt.Sprintf("%v:%d", x.Details["_epoch"], offset)
	}
	posting.Wait()

	if err := process.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // an error, as it was killed
	post(b, "b", 5)
	back := join(t, b, "").listen(t, "demo.message", wamp.Dict{"_since": since})
	for i := range 5 {
		if e := next(t, back); e.Details["_offset"] == nil || e.ArgumentsKw["text"] != "b" || e.Details["_recovered"] == false {
			t.Fatalf("event %d after coming back is %v %v", i, e.Details, e.ArgumentsKw)
		} else if offset, _ := wamp.AsInt64(e.Details["_offset"]); offset != int64(2*each+1+i) {
			t.Fatalf("the offset is %d, want %d", offset, 2*each+1+i)
		}
	}
	until(t, "the gateway to be ready", func() bool { status, _ := readiness(t, b); return status == http.StatusOK })
}

// A proxy stands before Redis, and can keep everything that comes without
// closing anything.
type hole struct {
	mu      sync.Mutex
	changed *sync.Cond
	shut    bool
}

func (h *hole) set(shut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut = shut
	h.changed.Broadcast()
}

// copy copies until one end is closed, and holds on while the hole is shut.
func (h *hole) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		h.mu.Lock()
		for h.shut {
			h.changed.Wait()
		}
		h.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// startHole returns a hole before Redis, and the URL by which a store is reached
// through it.
func startHole(t *testing.T, url string) (*hole, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{}
	h.changed = sync.NewCond(&h.mu)
	t.Cleanup(func() {
		_ = ln.Close()
		h.set(false)
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", strings.TrimPrefix(url, "redis+unix://"))
			if err != nil {
				_ = c.Close()
				continue
			}
			go h.copy(server, c)
			go h.copy(c, server)
		}
	}()
	return h, "redis://" + ln.Addr().String()
}

// A gateway whose way to Redis swallows everything says so, goes on with plain
// topics, and has what it missed when the way is there again.
func TestSharedLogsBlackHole(t *testing.T) {
	url, _, _ := startRedis(t)
	h, through := startHole(t, url)
	a, b := startProgram(t, onRedis(t, url)), startProgram(t, onRedis(t, through))
	client := join(t, b, "")
	events := client.listen(t, "demo.message", nil)
	post := func(n int) {
		code, stdout, stderr := runCommand(t, "", "publish", "demo.message", fmt.Sprintf(`{"room": "lobby", "text": "x", "n": %d}`, n), "--http", a.base+"/events", "--key", testKey)
		if code != exitOK {
			t.Fatalf("publish: %d, %s%s", code, stdout, stderr)
		}
	}
	post(0)
	if n, _ := wamp.AsInt64(next(t, events).ArgumentsKw["n"]); n != 0 {
		t.Fatalf("event %d comes, want 0", n)
	}
	h.set(true)
	until(t, "/readyz to be red", func() bool {
		status, text := readiness(t, b)
		return status == http.StatusServiceUnavailable && strings.Contains(text, "Redis ")
	})
	for n := range 5 {
		post(1 + n)
	}
	plain := join(t, b, "").listen(t, "plain.talk", nil)
	if err := client.Publish("plain.talk", nil, wamp.List{"still here"}, nil); err != nil {
		t.Fatal(err)
	}
	if e := next(t, plain); len(e.Arguments) != 1 {
		t.Errorf("on a plain topic comes %v", e.Arguments)
	}
	h.set(false)
	for n := range 5 {
		if got, _ := wamp.AsInt64(next(t, events).ArgumentsKw["n"]); got != int64(1+n) {
			t.Fatalf("event %d comes, want %d", got, 1+n)
		}
	}
	until(t, "/readyz to be green", func() bool { status, _ := readiness(t, b); return status == http.StatusOK })
}
