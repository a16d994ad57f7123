package transport_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// routedRaw returns RawSockets before a real router.
func routedRaw(t *testing.T, l net.Listener) (*house, *router.Router) {
	h, rt := routedOn(t, testConfig(), router.DefaultLimits())
	h.serveRaw(l)
	return h, rt
}

// A rawClient is a peer that speaks WAMP in JSON over a RawSocket.
type rawClient struct{ *rawPeer }

// joinRaw joins the realm; exponent says how long messages the client takes.
func (h *house) joinRaw(exponent byte) rawClient {
	h.t.Helper()
	c := rawClient{h.connectRaw(string([]byte{0x7f, exponent<<4 | 1, 0, 0}), 4)}
	if _, err := c.take(4); err != nil {
		h.t.Fatal(err)
	}
	c.call(`[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}]`)
	c.expect(2)
	return c
}

func (c rawClient) call(msg string) { c.send(raw(0, msg)) }

// expect reads a message of the type.
func (c rawClient) expect(code float64) []any {
	c.t.Helper()
	f, err := c.readRaw()
	if err != nil {
		c.t.Fatalf("want a message of type %v, got %v", code, err)
	}
	var msg []any
	if err := json.Unmarshal([]byte(f.payload), &msg); err != nil || f.first != 0 || len(msg) == 0 || msg[0] != code {
		c.t.Fatalf("got %.300q, %v; want a message of type %v", f, err, code)
	}
	return msg
}

// WAMP over RawSocket, on every kind of connection: also an ABORT before the
// end of a connection whose peer breaks the rules.
func TestRawRouted(t *testing.T) {
	everyRaw(t, func(t *testing.T, l net.Listener) {
		if f, ok := l.(frontListener); ok {
			l = f.Listener
		}
		h, rt := routedRaw(t, l)
		a, b := h.joinRaw(1), h.joinRaw(15)
		a.call(`[32,1,{},"chat"]`)
		sub := a.expect(33)[2]
		b.call(`[16,1,{"acknowledge":true},"chat",["hello"]]`)
		b.expect(17)
		if e := a.expect(36); e[1] != sub || fmt.Sprint(e[4]) != "[hello]" {
			t.Errorf("event %v", e)
		}
		a.call(`[6,{},"wamp.close.close_realm"]`)
		a.expect(6)
		if f, err := a.readRaw(); err == nil {
			t.Errorf("%q after GOODBYE, want the end", f)
		}
		a.conn.Close()
		b.send("\xff")
		if e := b.expect(3); e[2] != string(wamp.URIProtocolViolation) {
			t.Errorf("aborted with %v, want %s", e, wamp.URIProtocolViolation)
		}
		b.conn.Close()
		if n := rt.Stats().Violations; n != 1 {
			t.Errorf("%d violations, want 1", n)
		}
	})
}

// Nothing longer than it takes is sent to a peer, and what becomes of it is
// told: to the subscriber, to the caller, or to the session itself.
func TestRawPeerLimit(t *testing.T) {
	h, rt := routedRaw(t, listenTCP(t))
	small, large := h.joinRaw(1), h.joinRaw(15) // 1 KiB, 16 MiB
	long := strings.Repeat("x", 2000)

	small.call(`[32,1,{},"chat"]`)
	small.expect(33)
	for _, tt := range []struct{ text, want string }{
		{"a", "map[] [a]"}, {long, ""}, {long, ""}, {"b", "map[_missed:2] [b]"}, {"c", "map[] [c]"},
	} {
		large.call(`[16,1,{"acknowledge":true},"chat",["` + tt.text + `"]]`)
		large.expect(17)
		if tt.want == "" {
			continue
		}
		if e := small.expect(36); fmt.Sprint(e[3], e[4]) != tt.want {
			t.Errorf("event %v %v, want %s", e[3], e[4], tt.want)
		}
	}

	// Calls of a peer that takes little.
	small.call(`[64,2,{},"echo.small"]`)
	small.expect(65)
	large.call(`[48,2,{},"echo.small",["` + long + `"]]`)
	if e := large.expect(8); e[4] != string(wamp.URIPayloadSize) {
		t.Errorf("a call that the callee does not take: %v, want %s", e, wamp.URIPayloadSize)
	}
	large.call(`[48,3,{},"echo.small",["short"]]`)
	if inv := small.expect(68); fmt.Sprint(inv[4]) != "[short]" {
		t.Errorf("invocation %v", inv)
	}

	// Results for a peer that takes little.
	large.call(`[64,4,{},"echo.large"]`)
	large.expect(65)
	for i, tt := range []struct{ answer, args, want string }{
		{`[70,%d,{},["` + long + `"]]`, "", string(wamp.URIPayloadSize)},
		{`[8,68,%d,{},"com.example.no",["` + long + `"]]`, "", "com.example.no"},
		{`[70,%d,{"progress":true},["` + long + `"]]`, "", string(wamp.URIPayloadSize)},
	} {
		small.call(fmt.Sprintf(`[48,%d,{"receive_progress":true},"echo.large"]`, 3+i))
		inv := large.expect(68)
		large.call(fmt.Sprintf(tt.answer, int(inv[1].(float64))))
		if e := small.expect(8); e[4] != tt.want {
			t.Errorf("answer %d that the caller does not take: %v, want %s", i, e, tt.want)
		}
	}

	// What cannot be told in another way ends the session.
	st := rt.Stats()
	if st.TooLong != 2 || st.TooLongEnds != 0 {
		t.Errorf("%d events and %d sessions counted, want 2 and 0", st.TooLong, st.TooLongEnds)
	}
	small.call(`[48,9,{},"echo.large"]`)
	inv := large.expect(68)
	large.call(fmt.Sprintf(`[8,68,%d,{},"com.%s"]`, int(inv[1].(float64)), strings.Repeat("x", 1020)))
	if e := small.expect(6); e[2] != string(wamp.URIPayloadSize) {
		t.Errorf("ended with %v, want %s", e, wamp.URIPayloadSize)
	}
	if n := rt.Stats().TooLongEnds; n != 1 {
		t.Errorf("%d sessions counted, want 1", n)
	}
}

// An event may be as long as the peer takes, less the room for _missed.
func TestRawEventAtTheLimit(t *testing.T) {
	h, rt := routedRaw(t, listenTCP(t))
	small, large := h.joinRaw(1), h.joinRaw(15)
	small.call(`[32,1,{},"chat"]`)
	small.expect(33)
	for n := 900; n < 1100; n++ {
		large.call(fmt.Sprintf(`[16,1,{"acknowledge":true},"chat",["%s"]]`, strings.Repeat("x", n)))
		large.expect(17)
	}
	large.call(`[16,1,{},"chat",["last"]]`)
	got := 0
	for {
		f, err := small.readRaw()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.payload) > 1024 {
			t.Fatalf("a message of %d bytes came to a peer that takes 1024", len(f.payload))
		}
		if strings.Contains(f.payload, "last") {
			break
		}
		got++
	}
	if missed := rt.Stats().TooLong; int(missed)+got != 200 || got < 20 {
		t.Errorf("%d events came and %d were missed, want 200 in all", got, missed)
	}
}
