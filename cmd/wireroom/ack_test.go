package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/gorilla/websocket"
)

// noPings is persistentConfig with a listener for RawSocket, where nobody is
// pinged for being silent.
var noPings = strings.NewReplacer(
	"listen: {http: 127.0.0.1:0}", "listen: {http: 127.0.0.1:0, rawsocket: 127.0.0.1:0}",
	"timeouts: {", "timeouts: {ping_interval: 0s, ",
).Replace(persistentConfig)

// A speaker sends messages in JSON and reads what comes, one at a time. It
// answers a PING only when it reads it.
type speaker interface {
	write(text string)
	read() []any // the next message; nil: a PING was read and answered
}

// A rawSpeaker is one on a RawSocket.
type rawSpeaker struct {
	t    *testing.T
	conn net.Conn
}

func dialRaw(t *testing.T, p *program) *rawSpeaker {
	t.Helper()
	m := regexp.MustCompile(`rs://(\S+) \(RawSocket\)`).FindStringSubmatch(p.stdout.String())
	if m == nil {
		t.Fatalf("the greeting does not name the RawSocket:\n%s", p.stdout)
	}
	conn, err := net.DialTimeout("tcp", m[1], patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rawSpeaker{t, conn}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r.bytes("\x7f\xf1\x00\x00")
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rawSpeaker) bytes(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rawSpeaker) write(text string) {
	r.t.Helper()
	r.bytes(string([]byte{0, 0, byte(len(text) >> 8), byte(len(text))}) + text)
}

func (r *rawSpeaker) read() (msg []any) {
	r.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		r.t.Fatal(err)
	}
	body := make([]byte, int(head[1])<<16|int(head[2])<<8|int(head[3]))
	if _, err := io.ReadFull(r.conn, body); err != nil {
		r.t.Fatal(err)
	}
	if head[0] == 1 {
		r.bytes("\x02" + string(head[1:]) + string(body))
		return nil
	}
	if err := json.Unmarshal(body, &msg); err != nil {
		r.t.Fatalf("%q: %v", body, err)
	}
	return msg
}

// A wireSpeaker is one on a WebSocket.
type wireSpeaker struct{ *wire }

func dialSpeaker(t *testing.T, p *program) speaker {
	w := dialWire(t, p.ws(), nil)
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return wireSpeaker{w}
}

func (w wireSpeaker) write(text string) {
	w.t.Helper()
	if err := w.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

func (w wireSpeaker) read() (msg []any) {
	w.t.Helper()
	if err := w.conn.ReadJSON(&msg); err != nil {
		w.t.Fatal(err)
	}
	return msg
}

// enter joins as ada, with these Details of HELLO, and returns WELCOME.
func enter(t *testing.T, s speaker, details string) []any {
	t.Helper()
	s.write(`[1,"realm1",{"roles":{"subscriber":{},"caller":{}},"authmethods":["ticket"]` + details + `}]`)
	m := s.read()
	if m[0] == 4.0 {
		s.write(fmt.Sprintf(`[5,%q,{}]`, ticketFor(t, "ada", "member")))
		m = s.read()
	}
	if m[0] != 2.0 {
		t.Fatalf("got %v, want WELCOME", m)
	}
	return m
}

// acknowledges has the speaker answer what it is asked, until the position of
// the subscription to demo.message is at the offset.
func acknowledges(t *testing.T, s speaker, offset float64) {
	t.Helper()
	for n, end := 0, time.Now().Add(patience); ; n++ {
		s.write(fmt.Sprintf(`[48,%d,{},"wireroom.subscription.get",[],{"name":"demo.message"}]`, 1000+n))
		m := s.read()
		for m == nil {
			m = s.read()
		}
		if m[0] != 50.0 {
			t.Fatalf("got %v, want RESULT", m)
		}
		at := m[4].(map[string]any)["_offset"]
		if at == offset {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the position is %v, want %v", at, offset)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wantOffset reads an EVENT with the offset.
func wantOffset(t *testing.T, s speaker, offset float64) {
	t.Helper()
	m := s.read()
	for m == nil {
		m = s.read()
	}
	if m[0] != 36.0 || m[3].(map[string]any)["_offset"] != offset {
		t.Fatalf("got %v, want the EVENT %v", m, offset)
	}
}

// A WebSocket acknowledges by pongs, whether or not silent clients are pinged.
func TestPersistentAckWithoutPings(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	events := ada.listen(t, "demo.message", wamp.Dict{"_persistent": true})
	join(t, p, "").say(t, "a", 1)
	wantEvents(t, events, 1)
	ada.reaches(t, "demo.message", 1)
}

// A RawSocket acknowledges by PONGs if its client says that it does, also where
// no others are pinged.
func TestPersistentAckRawSocket(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	ada := dialRaw(t, p)
	enter(t, ada, "")
	ada.write(`[32,1,{"_persistent":true},"demo.message"]`)
	if m := ada.read(); m[0] != 8.0 || !strings.Contains(fmt.Sprint(m), `expected _ack: "auto" from one that does`) {
		t.Fatalf("got %v, want an ERROR that says what to say", m)
	}
	ada.write(`[32,2,{"_persistent":true,"_ack":"auto"},"demo.message"]`)
	if m := ada.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	pub.say(t, "a", 1)
	wantOffset(t, ada, 1)
	if m := ada.read(); m != nil {
		t.Fatalf("got %v, want a PING", m)
	}
	acknowledges(t, ada, 1)

	again := dialRaw(t, p)
	enter(t, again, `,"_reattach":true`)
	pub.say(t, "a", 2)
	wantOffset(t, again, 2)
	acknowledges(t, again, 2)
}

// Who comes back to a subscription that it acknowledges itself need not say so
// again, whatever its connection can answer.
func TestPersistentAckIsRemembered(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	ada := dialRaw(t, p)
	enter(t, ada, "")
	ada.write(`[32,1,{"_persistent":true,"_ack":"explicit"},"demo.message"]`)
	if m := ada.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	_ = ada.conn.Close()
	again := dialRaw(t, p)
	enter(t, again, "")
	again.write(`[32,1,{"_persistent":true},"demo.message"]`)
	if m := again.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	join(t, p, "").say(t, "a", 1)
	wantOffset(t, again, 1)
	again.write(`[48,2,{},"wireroom.subscription.get",[],{"name":"demo.message"}]`)
	if m := again.read(); m[0] != 50.0 || m[4].(map[string]any)["ack"] != "explicit" || m[4].(map[string]any)["_offset"] != 0.0 {
		t.Fatalf("got %v, want that it is acknowledged by hand, and at offset 0", m)
	}
	// One that its connection acknowledges is another matter.
	again.write(`[32,3,{"_persistent":true,"_ack":"auto","_name":"by pings"},"demo.message"]`)
	if m := again.read(); m[0] != 8.0 {
		t.Fatalf("got %v, want ERROR: the session has this subscription", m)
	}
	other := dialRaw(t, p)
	enter(t, other, "")
	other.write(`[32,1,{"_persistent":true,"_ack":"auto","_name":"by pings"},"demo.message"]`)
	if m := other.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	last := dialRaw(t, p)
	enter(t, last, "")
	last.write(`[32,1,{"_persistent":true,"_name":"by pings"},"demo.message"]`)
	if m := last.read(); m[0] != 8.0 || !strings.Contains(fmt.Sprint(m), `expected _ack: "auto" from one that does`) {
		t.Fatalf("got %v, want an ERROR that says what to say", m)
	}
}

// A session that is resumed over another kind of connection acknowledges over
// that, whichever it is.
func TestPersistentAckResumed(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	const resumable = `,"resumable":true`
	first := dialRaw(t, p) // a session that begins on a WebSocket may have messages that are too long
	welcome := enter(t, first, resumable)
	received := 0 // messages after WELCOME
	resume := func(s speaker) speaker {
		t.Helper()
		details := welcome[2].(map[string]any)
		welcome = enter(t, s, fmt.Sprintf(`%s,"resume-session":%.0f,"resume-token":%q,"_received":%d`,
			resumable, welcome[1], details["resume_token"], received))
		if d := welcome[2].(map[string]any); d["resumed"] != true {
			t.Fatalf("welcomed with %v, want that the session is resumed", d)
		}
		return s
	}
	_ = first.conn.Close()
	s := resume(dialSpeaker(t, p))
	s.write(`[32,1,{"_persistent":true},"demo.message"]`) // a WebSocket need say no more
	if m := s.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	received++
	for round := range 4 {
		if round%2 == 0 {
			s = resume(dialRaw(t, p))
		} else {
			s = resume(dialSpeaker(t, p))
		}
		pub.say(t, "a", round)
		wantOffset(t, s, float64(round+1))
		counting := &counter{speaker: s}
		acknowledges(t, counting, float64(round+1))
		received += 1 + counting.messages
	}
}

// A counter counts the messages that its speaker reads.
type counter struct {
	speaker
	messages int
}

func (c *counter) read() []any {
	m := c.speaker.read()
	if m != nil {
		c.messages++
	}
	return m
}
