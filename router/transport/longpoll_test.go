package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A pollHouse is a LongPoll behind an HTTP server over pipes, in fake time.
type pollHouse struct {
	t        *testing.T
	lp       *transport.LongPoll
	l        *pipeListener
	line     gate // of the client's connections
	http     *http.Client
	sessions chan *fakeSession
	attached func(s *fakeSession) // before the router knows more of it; may be nil
	receive  func(s *fakeSession, msg []byte) error
	identify func(r *http.Request) (any, error)
}

func openPolls(t *testing.T, change func(*transport.LongPollConfig), v httpVersion) *pollHouse {
	h := &pollHouse{t: t, l: newPipeListener(), sessions: make(chan *fakeSession, 100)}
	cfg := transport.DefaultLongPollConfig()
	cfg.MaxMessage = 4 << 10
	cfg.Identify = func(r *http.Request) (any, error) {
		if h.identify != nil {
			return h.identify(r)
		}
		return nil, nil
	}
	if change != nil {
		change(&cfg)
	}
	h.lp = transport.NewTestLongPoll(func(link router.Link, peer router.Peer) transport.Session {
		s := newFakeSession(link, peer)
		if h.receive != nil {
			s.receive = func(msg []byte) error { return h.receive(s, msg) }
		}
		if h.attached != nil {
			h.attached(s)
		}
		h.sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	hs := &http.Server{
		Handler: h.lp, ReadTimeout: 35 * time.Second, WriteTimeout: 40 * time.Second,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Protocols: v.protocols(), HTTP2: &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(h.l) })
	h.http = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return h.line.dial(h.l) },
		Protocols:   v.protocols(),
	}}
	t.Cleanup(func() {
		h.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.lp.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		hs.Close()
		wg.Wait()
		if n := h.lp.Stats().Open; n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
	return h
}

// A reply is an answer to a request, and when it came.
type reply struct {
	status int
	body   string
	seq    string
	header http.Header
	after  time.Duration
}

// do sends a request and reads the answer; the status is 0 if there is none.
func (h *pollHouse) do(ctx context.Context, method, path, body string) reply {
	begin := time.Now()
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := h.http.Do(r)
	if err != nil {
		return reply{after: time.Since(begin)}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{after: time.Since(begin)}
	}
	return reply{resp.StatusCode, string(b), resp.Header.Get("Wireroom-Seq"), resp.Header, time.Since(begin)}
}

func (h *pollHouse) post(path, body string) reply {
	return h.do(context.Background(), http.MethodPost, path, body)
}

// later sends a request, whose answer is to be had from the channel.
func (h *pollHouse) later(ctx context.Context, method, path, body string) <-chan reply {
	c := make(chan reply, 1)
	go func() { c <- h.do(ctx, method, path, body) }()
	synctest.Wait()
	return c
}

// A pollClient is a client that has opened a transport.
type pollClient struct {
	*pollHouse
	path string
	sess *fakeSession
}

func (h *pollHouse) open(protocol string) *pollClient {
	h.t.Helper()
	r := h.post("/open", fmt.Sprintf(`{"protocols":[%q]}`, protocol))
	var opened struct{ Protocol, Transport string }
	if err := json.Unmarshal([]byte(r.body), &opened); r.status != 200 || err != nil || opened.Protocol != protocol || len(opened.Transport) < 22 {
		h.t.Fatalf("open is answered with %d %q", r.status, r.body)
	}
	return &pollClient{h, "/" + opened.Transport, <-h.sessions}
}

// say queues messages of the session.
func (c *pollClient) say(msgs ...string) {
	for _, m := range msgs {
		buf := append(make([]byte, transport.WebSocket.Headroom), m...)
		c.sess.queue <- transport.WebSocket.Seal(buf, c.sess.peer.Serializer)
	}
	synctest.Wait()
}

func (c *pollClient) want(path, body string, status int, answer string) {
	c.t.Helper()
	if r := c.post(c.path+path, body); r.status != status || !strings.Contains(r.body, answer) {
		c.t.Errorf("%s is answered with %d %q, want %d and %q", path, r.status, r.body, status, answer)
	}
}

// wantDetached waits until the session is detached, and checks when and why.
func (c *pollClient) wantDetached(since time.Time, after time.Duration, why string) {
	c.t.Helper()
	<-c.sess.detached
	got, err := c.sess.reason()
	if took := time.Since(since); took != after || !strings.Contains(fmt.Sprint(got, err), why) {
		c.t.Errorf("the session is detached after %v because of %v and %v, want %v and %q", took, got, err, after, why)
	}
	c.want("/receive", "", 404, "no such transport")
}

// polls runs a test over each version of HTTP.
func polls(t *testing.T, change func(*transport.LongPollConfig), f func(t *testing.T, h *pollHouse)) {
	httpVersions(t, func(t *testing.T, v httpVersion) { f(t, openPolls(t, change, v)) })
}

// A gate keeps the connections that are dialed through it from being read.
type gate struct{ held atomic.Pointer[chan struct{}] }

// hold lets nothing more through until release is called; what is being read at
// this moment still is.
func (g *gate) hold() (release func()) {
	c := make(chan struct{})
	g.held.Store(&c)
	return func() { close(c) }
}

func (g *gate) dial(l *pipeListener) (net.Conn, error) {
	nc, err := l.dial()
	return gatedConn{nc, g}, err
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Read(b []byte) (int, error) {
	if held := c.gate.held.Load(); held != nil {
		<-*held
	}
	return c.Conn.Read(b)
}

// pollsByHand runs a test that writes its requests byte by byte, in HTTP/1.
func pollsByHand(t *testing.T, change func(*transport.LongPollConfig), f func(t *testing.T, h *pollHouse)) {
	synctest.Test(t, func(t *testing.T) { f(t, openPolls(t, change, 1)) })
}

// httpVersion is one of HTTP.
type httpVersion int

func (v httpVersion) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v == 1)
	p.SetUnencryptedHTTP2(v == 2)
	return p
}

// httpVersions runs a test in fake time with each version.
func httpVersions(t *testing.T, f func(t *testing.T, v httpVersion)) {
	for _, v := range []httpVersion{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", v), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, v) })
		})
	}
}

// A client that the router refuses at once has the time to fetch the reason, not
// that of clients who may come back.
func TestPollRefusedAtOnce(t *testing.T) {
	polls(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, func(t *testing.T, h *pollHouse) {
		h.attached = func(s *fakeSession) { s.link.Finish(patience) }
		c := h.open("wamp.2.json")
		time.Sleep(patience)
		synctest.Wait()
		if n := h.lp.Stats().Open; n != 0 {
			t.Errorf("%d clients are open %v after all were refused", n, patience)
		}
		if _, err := c.sess.reason(); err != nil {
			t.Errorf("the session was detached because of %v", err)
		}
	})
}

func TestPollReceive(t *testing.T) {
	tests := []struct {
		protocol, say string
		want          []string
		media         string
	}{
		{"wamp.2.json", "a b c", []string{"a", "b", "c"}, "application/json"},
		{"wamp.2.json.batched", "a b c", []string{"a\x1eb\x1ec\x1e"}, "application/json"},
		{"wamp.2.msgpack", "a b", []string{"a", "b"}, "application/x-msgpack"},
		{"wamp.2.cbor.batched", "a bb", []string{"\x00\x00\x00\x01a\x00\x00\x00\x02bb"}, "application/cbor"},
	}
	for _, tt := range tests {
		t.Run(tt.protocol, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open(tt.protocol)
				c.say(strings.Fields(tt.say)...)
				for _, want := range tt.want {
					if r := c.post(c.path+"/receive", ""); r.status != 200 || r.body != want || r.header.Get("Content-Type") != tt.media || r.header.Get("Cache-Control") != "no-store" {
						t.Errorf("receive: %d %q %v, want %q", r.status, r.body, r.header, want)
					}
				}
				waiting := h.later(t.Context(), "POST", c.path+"/receive", "")
				time.Sleep(3 * time.Second)
				c.say("z")
				if r := <-waiting; r.status != 200 || !strings.Contains(r.body, "z") || r.after != 3*time.Second {
					t.Errorf("receive that waited: %d %q after %v", r.status, r.body, r.after)
				}
				if r := c.post(c.path+"/receive", ""); r.status != 204 || r.body != "" || r.after != 10*time.Second {
					t.Errorf("receive with nothing to come: %d %q after %v, want 204 after 10s", r.status, r.body, r.after)
				}
			})
		})
	}
}

// A batch holds what waits, bounded; the rest comes with the next.
func TestPollBatchIsBounded(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		large := strings.Repeat("x", 20<<10)
		c.say(large, large, large, large, large)
		for _, want := range []int{3, 2} {
			if r := c.post(c.path+"/receive", ""); strings.Count(r.body, "\x1e") != want {
				t.Errorf("a batch of %d bytes has %d messages, want %d", len(r.body), strings.Count(r.body, "\x1e"), want)
			}
			synctest.Wait()
		}
		huge := strings.Repeat("y", 200<<10) // larger than the bound passes alone
		c.say("a", huge)
		for _, want := range []string{"a\x1e", huge + "\x1e"} {
			if r := c.post(c.path+"/receive", ""); r.body != want {
				t.Errorf("a batch of %d bytes, want %d", len(r.body), len(want))
			}
			synctest.Wait()
		}
	})
}

func TestPollAway(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		never, once, cut := h.open("wamp.2.json"), h.open("wamp.2.json"), h.open("wamp.2.json")
		opened := time.Now()
		waiting := h.later(t.Context(), "POST", once.path+"/receive", "")
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		h.later(ctx, "POST", cut.path+"/receive", "")
		for range 6 { // sending is no sign of life
			time.Sleep(4 * time.Second)
			never.want("/send", "[1]", 204, "")
		}
		if r := <-waiting; r.status != 204 {
			t.Errorf("receive: %d", r.status)
		}
		never.wantDetached(opened, 30*time.Second, "nobody came for messages within 30s")
		cut.wantDetached(opened, 37*time.Second, "nobody came for messages")
		once.wantDetached(opened, 40*time.Second, "nobody came for messages")
		if n := h.lp.Stats().Away; n != 3 {
			t.Errorf("Stats().Away = %d, want 3", n)
		}
	})
}

// The later of two requests to receive gets what comes; the earlier returns.
func TestPollReceiveTwice(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		first := h.later(t.Context(), "POST", c.path+"/receive", "")
		second := h.later(t.Context(), "POST", c.path+"/receive", "")
		if r := <-first; r.status != 204 || r.after != 0 {
			t.Errorf("the earlier one is answered with %d after %v, want 204 at once", r.status, r.after)
		}
		c.say("a")
		if r := <-second; r.body != "a" {
			t.Errorf("the later one gets %d %q, want a", r.status, r.body)
		}
	})
}

func TestPollSend(t *testing.T) {
	tests := []struct {
		name, protocol, body string
		status               int
		got                  []string
		ended                bool
	}{
		{"one", "wamp.2.json", "[1]", 204, []string{"[1]"}, false},
		{"batch", "wamp.2.json.batched", "[1]\x1e[2]\x1e", 204, []string{"[1]", "[2]"}, false},
		{"binary batch", "wamp.2.cbor.batched", "\x00\x00\x00\x01a\x00\x00\x00\x02bb", 204, []string{"a", "bb"}, false},
		{"batch without an end", "wamp.2.json.batched", "[1]\x1e[2]", 400, []string{"[1]"}, true},
		{"empty batch", "wamp.2.json.batched", "", 400, nil, true},
		{"binary batch with a long length", "wamp.2.msgpack.batched", "\xff\xff\xff\xffa", 400, nil, true},
		{"no UTF-8", "wamp.2.json", "[\"\xff\"]", 400, nil, true},
		{"as large as may be", "wamp.2.cbor", strings.Repeat("x", 4<<10), 204, []string{strings.Repeat("x", 4<<10)}, false},
		{"too large", "wamp.2.cbor", strings.Repeat("x", 4<<10+1), 413, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open(tt.protocol)
				c.want("/send", tt.body, tt.status, "")
				c.sess.mu.Lock()
				defer c.sess.mu.Unlock()
				if !slices.Equal(c.sess.messages, tt.got) || c.sess.ended != tt.ended {
					t.Errorf("the session gets %q and ended is %v, want %q and %v", c.sess.messages, c.sess.ended, tt.got, tt.ended)
				}
			})
		})
	}
}

// Requests to send are handed on one at a time, in order, and those that wait
// when the transport ends are told so.
func TestPollSendInTurn(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		hold := make(chan struct{})
		h.receive = func(*fakeSession, []byte) error {
			<-hold
			return nil
		}
		c := h.open("wamp.2.json")
		var sent []<-chan reply
		for i := range 4 {
			sent = append(sent, h.later(t.Context(), "POST", c.path+"/send", fmt.Sprint(i)))
		}
		if got := c.sess.got(); !slices.Equal(got, []string{"0"}) {
			t.Fatalf("the session gets %q while it handles 0", got)
		}
		hold <- struct{}{}
		hold <- struct{}{}
		synctest.Wait()
		if got := c.sess.got(); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("the session gets %q, want 0, 1, 2", got)
		}
		closed := h.later(t.Context(), "POST", c.path+"/close", "")
		close(hold)
		if r := <-closed; r.status != 204 {
			t.Errorf("close is answered with %d", r.status)
		}
		for i, want := range []int{204, 204, 204, 404} {
			if r := <-sent[i]; r.status != want {
				t.Errorf("request %d is answered with %d, want %d", i, r.status, want)
			}
		}
	})
}

// A body that does not arrive is waited for no longer than may be, and does not
// keep a transport from ending.
func TestPollSlowBody(t *testing.T) {
	pollsByHand(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		slow := func() *bufio.Reader {
			conn, err := h.l.dial()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			fmt.Fprintf(conn, "POST %s/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[1", c.path)
			return bufio.NewReader(conn)
		}
		begin := time.Now()
		resp, err := http.ReadResponse(slow(), nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || time.Since(begin) != 30*time.Second {
			t.Errorf("a slow body is answered with %v, %v after %v, want 408 after 30s", resp, err, time.Since(begin))
		}
		c = h.open("wamp.2.json")
		slow()
		synctest.Wait()
		begin = time.Now()
		c.want("/close", "", 204, "")
		if took := time.Since(begin); took != 0 {
			t.Errorf("close took %v", took)
		}
	})
}

// With HTTP/2 it ends the request, and nothing else of the connection.
func TestPollSlowBodyStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openPolls(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, 2)
		c := h.open("wamp.2.json")
		stream := h.later(t.Context(), "GET", c.path+"/events", "")
		begin := time.Now()
		body, half := io.Pipe()
		go io.WriteString(half, "ha")
		resp, err := h.http.Post("http://localhost"+c.path+"/send", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		half.Close()
		if took := time.Since(begin); resp.StatusCode != http.StatusRequestTimeout || took != 30*time.Second {
			t.Errorf("a slow body is answered with %d after %v, want 408 after 30s", resp.StatusCode, took)
		}
		c.want("/send", "whole", 204, "")
		c.want("/close", "", 204, "")
		if r := <-stream; r.status != 200 {
			t.Errorf("the event stream ended with %+v", r)
		}
	})
}

// With ack nothing is lost, whatever becomes of an answer.
func TestPollAck(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		receive := func(ack, seq, body string) {
			t.Helper()
			if r := c.post(c.path+"/receive?ack="+ack, ""); r.status != 200 || r.seq != seq || r.body != body {
				t.Errorf("ack %s: %d %q to %s, want %q to %s", ack, r.status, r.body, r.seq, body, seq)
			}
		}
		c.say("a", "b")
		receive("0", "2", "a\x1eb\x1e")
		c.say("c")
		receive("0", "2", "a\x1eb\x1e") // it did not get the answer, and not c before
		receive("1", "2", "b\x1e")
		receive("2", "3", "c\x1e")
		c.want("/receive?ack=4", "", 400, "only 3 were sent")
		c.want("/receive?ack=x", "", 400, "must be an integer")
		c.want("/receive?ack=0", "", 410, "not kept any more")
		<-c.sess.detached
		if st := h.lp.Stats(); st.Lost != 1 || st.Again != 3 {
			t.Errorf("Stats: %+v, want one lost and three again", st)
		}
	})
}

// An answer that cannot be written, to a client that would not know, is the end.
func TestPollUnread(t *testing.T) {
	for _, acked := range []bool{false, true} {
		t.Run(fmt.Sprint("acked=", acked), func(t *testing.T) {
			pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json")
				c.say("a")
				conn, err := h.l.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				begin := time.Now()
				query := ""
				if acked {
					query = "?ack=0"
				}
				fmt.Fprintf(conn, "POST %s/receive%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.path, query)
				time.Sleep(11 * time.Second) // and reads nothing
				if !acked {
					c.wantDetached(begin, 11*time.Second, "messages could not be delivered")
					return
				}
				if r := c.post(c.path+"/receive?ack=0", ""); r.body != "a" {
					t.Errorf("the message comes again as %d %q", r.status, r.body)
				}
			})
		})
	}
}

// A client that fetches nothing is to the session a peer that reads nothing.
func TestPollStalls(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		begin := time.Now()
		c.say(strings.Repeat("x", 64<<10)) // fits
		time.Sleep(time.Second)
		c.say("y")
		c.wantDetached(begin, 3*time.Second, "") // the session waits 2s for a write
	})
}

func TestPollGoodbye(t *testing.T) {
	goodbye := func(c *pollClient) {
		c.say("GOODBYE")
		c.sess.End(nil)
		synctest.Wait()
	}
	tests := []struct {
		name string
		act  func(t *testing.T, c *pollClient)
		took time.Duration
	}{
		{"the client closes", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			time.Sleep(time.Second)
			c.want("/send", "[6]", 204, "")
			c.want("/close", "", 204, "")
		}, time.Second},
		{"the client receives once more", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			c.want("/receive", "", 404, "no such transport")
		}, 0},
		{"the client is not there in time", func(_ *testing.T, c *pollClient) {
			<-c.sess.detached
		}, patience},
		{"the client does nothing more", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			<-c.sess.detached
		}, patience},
		{"the client did not get it", func(_ *testing.T, c *pollClient) {
			c.want("/receive?ack=0", "", 200, "GOODBYE")
			c.want("/receive?ack=0", "", 200, "GOODBYE")
			c.want("/receive?ack=1", "", 404, "no such transport")
		}, 0},
		{"by a stream", func(t *testing.T, c *pollClient) {
			s := c.follow("", nil)
			s.want(": 1, data: GOODBYE")
			s.wantEnd()
			if r := c.do(t.Context(), "GET", c.path+"/events?ack=1", ""); r.status != 204 {
				t.Errorf("coming back for more is answered with %d, want 204", r.status)
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json")
				begin := time.Now()
				goodbye(c)
				tt.act(t, c)
				c.wantDetached(begin, tt.took, "")
			})
		})
	}
}

func TestPollOpenRefused(t *testing.T) {
	tests := []struct {
		name, body string
		identify   error
		status     int
		text       string
	}{
		{"no JSON", "{", nil, 400, "must be a JSON object"},
		{"another type", `{"protocols": "wamp.2.json"}`, nil, 400, "must be a JSON object"},
		{"no protocols", `{}`, nil, 400, "must be a JSON object"},
		{"no overlap", `{"protocols": ["wamp.2.ubjson", "wamp.2.json.packed"]}`, nil, 400, "must have one of wamp.2.json"},
		{"too large", `{"protocols": ["` + strings.Repeat("x", 5000) + `"]}`, nil, 413, "more than 4096 bytes"},
		{"foreign page", `{"protocols": ["wamp.2.json"]}`, wamp.Errorf(wamp.URINotAuthorized, "not from there"), 403, "not from there"},
		{"broken store", `{"protocols": ["wamp.2.json"]}`, errors.New("disk on fire"), 500, "internal error"},
		{"one too many", `{"protocols": ["wamp.2.json"]}`, nil, 503, "too many"},
	}
	polls(t, func(c *transport.LongPollConfig) { c.MaxOpen = 1 }, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		for _, tt := range tests {
			h.identify = func(*http.Request) (any, error) { return nil, tt.identify }
			if r := h.post("/open", tt.body); r.status != tt.status || !strings.Contains(r.body, tt.text) || strings.Contains(r.body, "fire") {
				t.Errorf("%s: %d %q, want %d %q", tt.name, r.status, r.body, tt.status, tt.text)
			}
		}
		for _, r := range []reply{
			h.do(t.Context(), "GET", "/open", ""), h.do(t.Context(), "GET", c.path+"/receive", ""), h.do(t.Context(), "POST", c.path+"/events", ""),
		} {
			if r.status != http.StatusMethodNotAllowed {
				t.Errorf("another method is answered with %d", r.status)
			}
		}
		for _, path := range []string{"/receive", "/send", "/close"} {
			if r := h.post("/AAAAAAAAAAAAAAAAAAAAAAAAAA"+path, ""); r.status != 404 {
				t.Errorf("%s of an unknown transport is answered with %d", path, r.status)
			}
		}
		c.want("/close", "", 204, "")
		h.open("wamp.2.json") // there is room again
		if st := h.lp.Stats(); st.Opened != 2 || st.Refused != uint64(len(tests)) || st.TooMany != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// Shutdown lets clients fetch what they were told, and waits no longer than it
// may for those who do not.
func TestPollShutdown(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		there, away := h.open("wamp.2.json"), h.open("wamp.2.json")
		waiting := h.later(t.Context(), "POST", there.path+"/receive", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := h.lp.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Shutdown with a client that is away: %v after %v", err, time.Since(begin))
		}
		if r := <-waiting; r.after != 0 {
			t.Errorf("the client that waits is answered after %v", r.after)
		}
		for _, c := range []*pollClient{there, away} {
			if why, _ := c.sess.reason(); why == nil || why.URI != wamp.URISystemShutdown {
				t.Errorf("a session ended because of %v", why)
			}
		}
		if r := h.post("/open", `{"protocols":["wamp.2.json"]}`); r.status != 503 {
			t.Errorf("open after that is answered with %d", r.status)
		}
	})
}

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
