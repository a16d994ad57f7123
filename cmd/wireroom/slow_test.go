package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// slowConfig has a class of every policy, and a role with one of its own.
const slowConfig = `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
queue: {bytes: 1MiB}
linger: 2ms
timeouts: {write: 1m, goodbye: 1s, shutdown: 5s}
roles:
  anonymous:
    subscribe: ["*"]
    publish: ["*"]
    queue: {when_full: drop-oldest}
    limits: {subscriptions: 2}
classes:
  lossless:
    access: public
    queue: {when_full: disconnect}
    linger: 0s
  lines:
    access: public
    queue: {when_full: drop-oldest}
    linger: 0s
  prices:
    access: public
    fields: {symbol: {type: string}}
    queue: {when_full: keep-latest, key: symbol}
    linger: 1ms
`

// A rawClient is a WAMP session over a socket that can be left unread.
type rawClient struct {
	t    *testing.T
	conn *websocket.Conn
}

// rawDial opens a WebSocket whose peer can hold little for it.
func rawDial(t *testing.T, p *program) *rawClient {
	t.Helper()
	dialer := websocket.Dialer{
		Subprotocols: []string{"wamp.2.json"},
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
				if e := c.Control(func(fd uintptr) {
					err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
				}); e != nil {
					return e
				}
				return err
			}}
			return d.DialContext(ctx, network, addr)
		},
	}
	conn, _, err := dialer.DialContext(t.Context(), p.ws(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &rawClient{t, conn}
}

func (c *rawClient) send(message string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next message.
func (c *rawClient) read() []json.RawMessage {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	_, data, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	var m []json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatalf("%s: %v", data, err)
	}
	return m
}

// want returns the next message, which must begin like this.
func (c *rawClient) want(begin string) []json.RawMessage {
	c.t.Helper()
	m := c.read()
	if got, _ := json.Marshal(m); !strings.HasPrefix(string(got), begin) {
		c.t.Fatalf("got %.200s, want %s…", got, begin)
	}
	return m
}

// subscribed returns a session that is subscribed to the topic.
func subscribed(t *testing.T, p *program, topic string) *rawClient {
	t.Helper()
	c := rawDial(t, p)
	c.send(`[1,"realm1",{"roles":{"subscriber":{},"publisher":{}}}]`)
	c.want("[2,")
	c.send(fmt.Sprintf(`[32,1,{},%q]`, topic))
	c.want("[33,1,")
	return c
}

// An arrival is an EVENT as these tests send it.
type arrival struct {
	N      int
	Symbol string
	missed int
}

func (c *rawClient) event() (a arrival) {
	c.t.Helper()
	m := c.want("[36,")
	var details struct {
		Missed int `json:"_missed"`
	}
	if err := json.Unmarshal(m[3], &details); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(m[5], &a); err != nil {
		c.t.Fatal(err)
	}
	a.missed = details.Missed
	return a
}

const (
	slowEvents  = 110
	slowSymbols = 7
)

// flood publishes so much that a client which does not read has a full queue,
// whatever the sockets between hold. Another one gets all of it, one by one.
func flood(t *testing.T, p *program, topic string) {
	t.Helper()
	fast := subscribed(t, p, topic)
	fill := strings.Repeat("x", 64<<10)
	for n := range slowEvents {
		fast.send(fmt.Sprintf(`[16,%d,{"exclude_me":false},%q,[],{"n":%d,"symbol":"s%d","fill":%q}]`, n+2, topic, n, n%slowSymbols, fill))
		if a := fast.event(); a.N != n || a.missed != 0 {
			t.Fatalf("the client that reads got event %d after %d missed, want event %d", a.N, a.missed, n)
		}
	}
}

// A client that reads too slowly learns with each event how many were dropped
// before it, whoever said that they may be; the other client of the same class
// misses nothing.
func TestSlowClientIsTold(t *testing.T) {
	p := startProgram(t, writeConfig(t, slowConfig))
	for _, topic := range []string{"lines", "prices", "plain.topic"} {
		t.Run(topic, func(t *testing.T) {
			slow := subscribed(t, p, topic)
			flood(t, p, topic)
			got, missed, last := 0, 0, -1
			latest := map[string]int{}
			for last != slowEvents-1 {
				a := slow.event()
				if a.N <= last {
					t.Fatalf("event %d after event %d", a.N, last)
				}
				if topic != "prices" && a.N != last+1+a.missed {
					t.Fatalf("event %d after event %d says that %d are missing", a.N, last, a.missed)
				}
				got, missed, last = got+1, missed+a.missed, a.N
				latest[a.Symbol] = a.N
			}
			if got+missed != slowEvents || missed == 0 {
				t.Errorf("%d events came and %d were missed, want %d in all and some missed", got, missed, slowEvents)
			}
			if topic != "prices" {
				return
			}
			for i := range slowSymbols {
				want := slowEvents - 1 - (slowEvents-1-i)%slowSymbols
				if symbol := fmt.Sprintf("s%d", i); latest[symbol] != want {
					t.Errorf("of %s the last event that came is %d, want the latest, %d", symbol, latest[symbol], want)
				}
			}
		})
	}
}

// A class that must not lose an event ends the session, though the role would
// rather drop.
func TestSlowClientIsEnded(t *testing.T) {
	p := startProgram(t, writeConfig(t, slowConfig))
	slow := subscribed(t, p, "lossless")
	flood(t, p, "lossless")
	for last := -1; ; {
		m := slow.read()
		if string(m[0]) != "36" {
			if string(m[0]) != "6" || string(m[2]) != `"wireroom.error.slow_consumer"` {
				t.Errorf("got %s, want GOODBYE with wireroom.error.slow_consumer", m)
			}
			return
		}
		var a arrival
		if err := json.Unmarshal(m[5], &a); err != nil || a.N != last+1 || strings.Contains(string(m[3]), "_missed") {
			t.Fatalf("event %d with %s after event %d: %v", a.N, m[3], last, err)
		}
		last = a.N
	}
}

// A session has the limits of its role.
func TestRoleLimits(t *testing.T) {
	p := startProgram(t, writeConfig(t, slowConfig))
	c := subscribed(t, p, "a")
	c.send(`[32,2,{},"b"]`)
	c.want("[33,2,")
	c.send(`[32,3,{},"c"]`)
	c.want(`[8,32,3,{},"wireroom.error.limit"`)
}

// When more want to join than may, one waits for its turn, one is told when to
// come back, and more than that are not even connected.
func TestAdmission(t *testing.T) {
	p := startProgram(t, writeConfig(t, `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
admission: {rate: 1, burst: 1, wait: 1s}
roles: {anonymous: {subscribe: ["*"]}}
timeouts: {shutdown: 5s, goodbye: 1s}
`))
	clients := []*rawClient{rawDial(t, p), rawDial(t, p), rawDial(t, p)}
	begin := time.Now()
	for _, c := range clients {
		c.send(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
	}
	refused := false
	for range 10 { // the fourth, if it comes within a second
		conn, resp, err := (&websocket.Dialer{Subprotocols: []string{"wamp.2.json"}}).DialContext(t.Context(), p.ws(), nil)
		if err == nil {
			_ = conn.Close()
			continue
		}
		if resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("dial: %v, %+v; want 503 with Retry-After", err, resp)
		}
		refused = true
		break
	}
	if !refused {
		t.Error("13 were connected at once, want 3 and one a second")
	}
	answers := map[string]int{}
	for _, c := range clients {
		m := c.read()
		answers[string(m[0])]++
		if string(m[0]) == "3" && (!strings.Contains(string(m[1]), `"_retry_after":`) || string(m[2]) != `"wireroom.error.unavailable"`) {
			t.Errorf("got %s, want an ABORT that says when to come back", m)
		}
	}
	if answers["2"] != 2 || answers["3"] != 1 {
		t.Errorf("three at the same time are answered with %v, want two WELCOME and one ABORT", answers)
	}
	if d := time.Since(begin); d < 900*time.Millisecond {
		t.Errorf("the one that had to wait joined after %v, want a second", d)
	}
}

// A person is told when to come back, too.
func TestToldToComeBack(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	code, _, stderr := runCommand(t, "", "subscribe", "a", "--url", busy.URL)
	if code != exitUnreachable || !strings.Contains(stderr, "503") || !strings.Contains(stderr, "; try again in 7 s") {
		t.Errorf("subscribe ends with code %d, %s; want 503 and when to try again", code, stderr)
	}
}
