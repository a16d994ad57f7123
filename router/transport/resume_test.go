package transport_test

import (
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/wireroom/wireroom/router/wamp"
)

// A cutter is a subscriber whose TCP connections are cut, over RawSocket and
// WebSocket in turn.
type cutter struct {
	t    *testing.T
	h    *house
	url  string
	raw  *rawClient  // nil: it is on a WebSocket
	ws   *wampClient // nil: it is on a RawSocket
	conn net.Conn

	session  uint64
	token    string
	received int
}

func (c *cutter) connect(raw bool) []any {
	c.t.Helper()
	c.raw, c.ws = nil, nil
	details := map[string]any{"roles": map[string]any{"subscriber": map[string]any{}}, "resumable": true}
	if c.token != "" {
		details["resume-session"], details["resume-token"], details["_received"] = c.session, c.token, c.received
	}
	if raw {
		r := rawClient{c.h.connectRaw(greetJSON, 4)}
		if _, err := r.take(rawGreeting); err != nil {
			c.t.Fatal(err)
		}
		c.raw, c.conn = &r, r.conn
	} else {
		c.ws = dialWAMP(c.t, c.url, websocket.Dialer{EnableCompression: true}, wamp.JSON)
		c.conn = c.ws.conn.NetConn()
	}
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		c.t.Fatal(err)
	}
	c.send(1, "realm1", details)
	welcome := c.read()
	if number(welcome[0]) != 2 {
		c.t.Fatalf("got %v, want WELCOME", welcome)
	}
	c.session = number(welcome[1])
	c.token, _ = welcome[2].(map[string]any)["resume_token"].(string)
	return welcome
}

func (c *cutter) send(msg ...any) {
	c.t.Helper()
	if c.ws != nil {
		c.ws.send(msg...)
		return
	}
	b, err := json.Marshal(msg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw.call(string(b))
}

// read returns the next message, and passes over pings.
func (c *cutter) read() []any {
	c.t.Helper()
	if c.ws != nil {
		msg, err := c.ws.read()
		if err != nil {
			c.t.Fatal(err)
		}
		return msg
	}
	f, err := c.raw.readRaw()
	if err != nil || f.first != 0 {
		c.t.Fatalf("got %q, %v", f, err)
	}
	var msg []any
	if err := json.Unmarshal([]byte(f.payload), &msg); err != nil {
		c.t.Fatal(err)
	}
	return msg
}

// cut resets the connection, or leaves it open and forgets it.
func (c *cutter) cut(reset bool) {
	if !reset {
		return
	}
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
}

// Cut TCP connections, RawSockets and WebSockets, compressed ones among them:
// every event comes once and in order.
func TestResumeSocket(t *testing.T) {
	l := listenTCP(t)
	cfg := testConfig()
	cfg.Deflate, cfg.DeflateMin = true, 64
	h, rt := routedRaw(t, listenTCP(t))
	wsHouse := &house{t: t, srv: h.srv}
	wsHouse.serve(h.srv, l)
	url := "ws://" + l.Addr().String() + "/ws"

	c := &cutter{t: t, h: h, url: url}
	c.connect(true)
	session := c.session
	c.send(32, 1, map[string]any{}, "com.example.topic")
	if m := c.read(); number(m[0]) != 33 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	c.received++
	publisher := dialWAMP(t, url, websocket.Dialer{}, wamp.JSON)
	publisher.send(1, "realm1", map[string]any{"roles": map[string]any{"publisher": map[string]any{}}})
	publisher.expect(2)

	const rounds, each = 12, 10
	published, got := 0, 0
	publish := func(n int) {
		for range n {
			published++
			publisher.send(16, published, map[string]any{"acknowledge": true}, "com.example.topic", []any{fmt.Sprintf("%0200d", published)})
			publisher.expect(17)
		}
	}
	take := func(n int) {
		t.Helper()
		for range n {
			m := c.read()
			c.received++
			got++
			if want := fmt.Sprintf("%0200d", got); number(m[0]) != 36 || m[4].([]any)[0] != want {
				t.Fatalf("got %v, want event %d", m, got)
			}
		}
	}
	for round := range rounds {
		publish(each)
		take(each / 3) // the rest is somewhere on its way, and lost
		c.cut(round%3 != 0)
		publish(each)
		welcome := c.connect(round%2 == 1)
		if d := welcome[2].(map[string]any); d["resumed"] != true || c.session != session {
			t.Fatalf("round %d: welcomed with %v", round, welcome)
		}
		take(published - got)
	}
	if r := rt.Stats().Resumption; r.Resumed != rounds || r.Refused != 0 {
		t.Errorf("counted %+v, want %d resumptions", r, rounds)
	}

	// A session that was not bound to the size of frames can't come to be.
	c = &cutter{t: t, h: h, url: url}
	c.connect(false)
	c.cut(true)
	if d := c.connect(true)[2].(map[string]any); d["resumed"] != false || d["_resume_refused"] != "frame_size" {
		t.Errorf("a WebSocket's session on a RawSocket: %v, want it refused for the size of frames", d)
	}
}
