package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A follower reads an event stream.
type follower struct {
	t      *testing.T
	events chan string // fields of each event; closed at the end of the stream
	stop   func()      // ends the request
}

func (c *pollClient) follow(lastID string, header http.Header) *follower {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", "http://localhost"+c.path+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := c.http.Do(r)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("events: %v, %v", resp, err)
	}
	f := &follower{t: c.t, events: make(chan string, 10_000), stop: cancel}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(f.events)
		defer resp.Body.Close()
		readEvents(resp.Body, f.events)
	})
	c.t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	f.want("retry: 1000")
	return f
}

// readEvents sends each event of a stream to the channel, its lines joined.
func readEvents(r io.Reader, to chan<- string) {
	var lines []string
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if sc.Text() != "" {
			lines = append(lines, sc.Text())
			continue
		}
		to <- strings.Join(lines, ", ")
		lines = nil
	}
}

// want checks the next event, which ends like that.
func (f *follower) want(end string) {
	f.t.Helper()
	synctest.Wait()
	select {
	case e, ok := <-f.events:
		if !ok || !strings.HasSuffix(e, end) {
			f.t.Errorf("the stream has %q, %v, want …%q", e, ok, end)
		}
	default:
		f.t.Errorf("the stream has nothing, want …%q", end)
	}
}

func (f *follower) wantEnd() {
	f.t.Helper()
	synctest.Wait()
	select {
	case e, ok := <-f.events:
		if ok {
			f.t.Errorf("the stream has %q, want its end", e)
		}
	default:
		f.t.Errorf("the stream goes on")
	}
}

func TestPollEvents(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say(`[2, 1]`)
		if r := c.post(c.path+"/receive", ""); r.body != "[2, 1]" || r.seq != "1" {
			t.Errorf("before the stream: %q, %s", r.body, r.seq)
		}
		c.say("a\nb\r\nc")
		s := c.follow("", nil)
		s.want("id: 2, data: a b  c")
		time.Sleep(14 * time.Second)
		c.say("d")
		s.want("id: 3, data: d")
		time.Sleep(2 * time.Minute) // longer than all timeouts of the HTTP server
		synctest.Wait()
		for range 8 { // comments, one in 15s
			s.want(":")
		}
		c.say("e", "f")
		s.want("id: 4, data: e")
		s.want("id: 5, data: f")

		s.stop() // and comes back without having received anything
		synctest.Wait()
		s = c.follow("", nil)
		s.want("id: 2, data: a b  c")
		s.want("id: 3, data: d")

		s.stop() // and comes back
		synctest.Wait()
		c.say("g")
		time.Sleep(29 * time.Second)
		s = c.follow("3", nil)
		s.want("id: 4, data: e")
		s.want("id: 5, data: f")
		s.want("id: 6, data: g")

		again := c.follow("5", nil) // while the stream is there
		s.wantEnd()
		again.want("id: 6, data: g")

		waiting := h.later(t.Context(), "POST", c.path+"/receive?ack=6", "")
		again.wantEnd()
		c.say("h")
		if r := <-waiting; r.body != "h" || r.seq != "7" {
			t.Errorf("after the stream: %q, %s", r.body, r.seq)
		}
	})
}

// What a stream keeps is bounded; who comes back for more than that must begin
// anew.
func TestPollEventsLost(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		s := c.follow("", nil)
		large := strings.Repeat("x", 10<<10)
		for range 20 {
			c.say(large)
			s.want(large)
		}
		s.stop()
		synctest.Wait()
		s = c.follow("14", nil)
		for range 6 {
			s.want(large)
		}
		s.stop()
		synctest.Wait()
		if r := h.do(t.Context(), "GET", c.path+"/events?ack=5", ""); r.status != 410 {
			t.Errorf("an old position is answered with %d %q, want 410", r.status, r.body)
		}
		<-c.sess.detached
	})
}

// A stream whose client reads nothing ends when that has taken too long, and the
// session goes on until the client has been away for too long, too.
func TestPollEventsStalled(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		conn, err := h.l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begin := time.Now()
		fmt.Fprintf(conn, "GET %s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", c.path)
		br := bufio.NewReader(conn)
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		// A comment after 15s, 10s for reading it, 30s for coming back.
		c.wantDetached(begin, 55*time.Second, "nobody came for messages")
	})
}

// The same with HTTP/2, when it is the connection that is not read.
func TestPollEventsStalledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openPolls(t, nil, 2)
		c := h.open("wamp.2.json")
		begin := time.Now()
		stream := h.later(t.Context(), "GET", c.path+"/events", "")
		release := h.line.hold()
		defer func() { release() }()
		// A comment after 15s, which is being read, and one after 30s; 10s for
		// the connection, 30s for coming back.
		<-c.sess.detached
		if took := time.Since(begin); took != 70*time.Second {
			t.Errorf("the session is detached after %v, want 70s", took)
		}
		release()
		release = func() {}
		if r := <-stream; r.status != 0 {
			t.Errorf("the stream ended as if it were whole: %+v", r)
		}
		c.want("/receive", "", 404, "no such transport")
	})
}

func TestPollEventsOfBinary(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.cbor")
		if r := h.do(t.Context(), "GET", c.path+"/events", ""); r.status != http.StatusNotAcceptable {
			t.Errorf("an event stream of CBOR is answered with %d", r.status)
		}
	})
}
