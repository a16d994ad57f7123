//go:build linux

package torture_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Codes of WAMP messages.
const (
	wampHello      = 1
	wampWelcome    = 2
	wampChallenge  = 4
	wampAuth       = 5
	wampGoodbye    = 6
	wampError      = 8
	wampPublish    = 16
	wampPublished  = 17
	wampSubscribe  = 32
	wampSubscribed = 33
	wampEvent      = 36
	wampCall       = 48
	wampResult     = 50
)

// A wampConn is a connection that speaks WAMP in JSON. It is plain on purpose:
// what it does to the bytes can be read here. One goroutine reads, one writes.
type wampConn struct {
	ws      *websocket.Conn
	welcome struct {
		session  uint64
		resumed  bool
		token    string
		received uint64
	}
	requests uint64
	until    time.Time // when who reads has had enough
}

// A message is what came: its code, and all elements.
type message struct {
	code  int
	parts []json.RawMessage
}

// dialWAMP connects and joins the realm. ctx bounds that, and nothing after.
func dialWAMP(ctx context.Context, addr string, who identity, hello map[string]any) (*wampConn, error) {
	header := http.Header{}
	if who.cookie != "" {
		header.Set("Cookie", who.cookie)
	}
	dialer := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}, HandshakeTimeout: 10 * time.Second}
	ws, resp, err := dialer.DialContext(ctx, "ws://"+addr+"/ws", header)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, err
	}
	c := &wampConn{ws: ws}
	ws.SetPingHandler(c.ping)
	details := map[string]any{"roles": map[string]any{"subscriber": map[string]any{}, "publisher": map[string]any{}, "caller": map[string]any{}}}
	maps.Copy(details, hello)
	if who.user != "" {
		details["authmethods"], details["authid"] = []string{"ticket"}, who.user
	}
	if err := c.send(wampHello, "realm1", details); err != nil {
		c.vanish()
		return nil, err
	}
	until, _ := ctx.Deadline()
	m, err := c.read(until)
	if err == nil && m.code == wampChallenge {
		if err = c.send(wampAuth, who.ticket, map[string]any{}); err == nil {
			m, err = c.read(until)
		}
	}
	if err == nil && m.code != wampWelcome {
		err = fmt.Errorf("instead of WELCOME: %s", m)
	}
	if err != nil {
		c.vanish()
		return nil, err
	}
	var welcome struct {
		Resumed  bool   `json:"resumed"`
		Token    string `json:"resume_token"`
		Received uint64 `json:"_received"`
	}
	if err := errors.Join(m.element(1, &c.welcome.session), m.element(2, &welcome)); err != nil {
		c.vanish()
		return nil, err
	}
	c.welcome.resumed, c.welcome.token, c.welcome.received = welcome.Resumed, welcome.Token, welcome.Received
	return c, nil
}

// send writes a message.
func (c *wampConn) send(message ...any) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return c.ws.WriteJSON(message)
}

// request draws the ID of the next request.
func (c *wampConn) request() uint64 {
	c.requests++
	return c.requests
}

// silence is how long a client waits for any sign of life. The gateway pings
// after a second.
const silence = 6 * time.Second

// read returns the next message. A connection that is silent for long counts as
// broken. After an error, and that until has come is one, nothing can be read
// any more.
func (c *wampConn) read(until time.Time) (message, error) {
	var m message
	c.until = until
	if err := c.listen(); err != nil {
		return m, err
	}
	_, data, err := c.ws.ReadMessage()
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m.parts); err != nil || len(m.parts) == 0 {
		return m, fmt.Errorf("no WAMP message: %q", data)
	}
	return m, m.element(0, &m.code)
}

// listen waits for the next sign of life.
func (c *wampConn) listen() error {
	until := time.Now().Add(silence)
	if c.until.Before(until) {
		until = c.until
	}
	return c.ws.SetReadDeadline(until)
}

// ping answers a ping, as browsers do.
func (c *wampConn) ping(data string) error {
	if err := c.listen(); err != nil {
		return err
	}
	err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(5*time.Second))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return err
	}
	return nil
}

// vanish ends the connection without a word.
func (c *wampConn) vanish() { reset(c.ws.NetConn()) }

// element decodes one of the elements.
func (m *message) element(i int, v any) error {
	if i >= len(m.parts) {
		return fmt.Errorf("%s has no element %d", m, i)
	}
	if err := json.Unmarshal(m.parts[i], v); err != nil {
		return fmt.Errorf("%s: element %d: %w", m, i, err)
	}
	return nil
}

func (m message) String() string {
	text, _ := json.Marshal(m.parts)
	return string(text[:min(len(text), 500)])
}

// A payload is the data of all events of this test.
type payload struct {
	Key  string `json:"key"` // which publication it is
	Room string `json:"room"`
	Tag  int    `json:"tag"`
}

// An arrival is an EVENT.
type arrival struct {
	subscription uint64
	publication  uint64
	details      eventDetails
	data         payload
}

type eventDetails struct {
	ID        string  `json:"_event_id"`
	Class     string  `json:"_class"`
	Offset    uint64  `json:"_offset"`
	Epoch     string  `json:"_epoch"`
	Time      string  `json:"_time"`
	Replayed  bool    `json:"_replayed"`
	Recovered *bool   `json:"_recovered"`
	From      uint64  `json:"_lost_from"`
	Through   uint64  `json:"_lost_through"`
	Missed    *uint64 `json:"_missed"`
}

// event decodes an EVENT.
func (m *message) event() (*arrival, error) {
	a := new(arrival)
	err := errors.Join(m.element(1, &a.subscription), m.element(2, &a.publication), m.element(3, &a.details))
	if err == nil && len(m.parts) > 5 {
		err = m.element(5, &a.data)
	}
	return a, err
}
