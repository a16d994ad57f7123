package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/gorilla/websocket"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// everyone lets everybody do everything.
type everyone struct{}

func (everyone) Authenticate(context.Context, router.Joining) (*router.Grant, *router.Challenge, error) {
	return &router.Grant{AuthID: "joe", AuthRole: "member", AuthMethod: "anonymous"}, nil, nil
}

func (everyone) Authorize(*router.Session, router.Action, wamp.URI, wamp.Match, wamp.Message) router.Decision {
	return router.Decision{Allow: true}
}

// routed returns a server before a real router, and shuts both down with the
// test.
func routed(t testing.TB, cfg transport.Config, l net.Listener) (*house, *router.Router) {
	return routedWith(t, cfg, router.DefaultLimits(), l)
}

// routedWith is routed with limits of each session.
func routedWith(t testing.TB, cfg transport.Config, limits router.Limits, l net.Listener) (*house, *router.Router) {
	h, rt := routedOn(t, cfg, limits)
	h.serve(h.srv, l)
	return h, rt
}

// routedOn is routedWith without serving.
func routedOn(t testing.TB, cfg transport.Config, limits router.Limits) (*house, *router.Router) {
	log := slog.New(slog.DiscardHandler)
	rc := router.DefaultConfig()
	rc.Limits = limits
	rt := router.New(rc, everyone{}, log)
	rt.AddRealm("realm1", everyone{}, nil)
	h := &house{t: t, srv: transport.NewServer(rt, cfg, log)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Errorf("Router.Shutdown: %v", err)
		}
	})
	return h, rt
}

// A wampClient is somebody else's WebSocket and codec.
type wampClient struct {
	t    *testing.T
	conn *websocket.Conn
	ser  wamp.Serializer
}

func dialWAMP(t *testing.T, url string, d websocket.Dialer, ser wamp.Serializer) *wampClient {
	t.Helper()
	d.Subprotocols = []string{ser.Subprotocol()}
	conn, _, err := d.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wampClient{t, conn, ser}
}

func (c *wampClient) send(msg ...any) {
	c.t.Helper()
	marshal := [...]func(any) ([]byte, error){json.Marshal, msgpack.Marshal, cbor.Marshal}[c.ser]
	b, err := marshal(msg)
	if err != nil {
		c.t.Fatal(err)
	}
	kind := websocket.TextMessage
	if c.ser.Binary() {
		kind = websocket.BinaryMessage
	}
	if err := c.conn.WriteMessage(kind, b); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next message, as JSON would give it.
func (c *wampClient) read() ([]any, error) {
	_, b, err := c.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	unmarshal := [...]func([]byte, any) error{json.Unmarshal, msgpack.Unmarshal, cbor.Unmarshal}[c.ser]
	var msg []any
	return msg, unmarshal(b, &msg)
}

// expect reads a message of the type.
func (c *wampClient) expect(code wamp.Type) []any {
	c.t.Helper()
	msg, err := c.read()
	if err != nil || len(msg) == 0 || number(msg[0]) != uint64(code) {
		c.t.Fatalf("%v: got %v, %v; want a message of type %d", c.ser, msg, err, code)
	}
	return msg
}

func number(v any) uint64 {
	switch v := v.(type) {
	case float64:
		return uint64(v)
	case int8:
		return uint64(v)
	case int64:
		return uint64(v)
	case uint64:
		return v
	case uint8:
		return uint64(v)
	case uint16:
		return uint64(v)
	case uint32:
		return uint64(v)
	default:
		return 0
	}
}

func (c *wampClient) join() {
	c.t.Helper()
	c.send(1, "realm1", map[string]any{"roles": map[string]any{"publisher": map[string]any{}, "subscriber": map[string]any{}}})
	c.expect(wamp.TypeWelcome)
}

// Three clients, one for each serializer, over TCP, over TLS and over pipes,
// with the real router between.
func TestClients(t *testing.T) {
	run := func(t *testing.T, url string, d websocket.Dialer) {
		var all []*wampClient
		for ser := range wamp.Serializer(wamp.NumSerializers) {
			c := dialWAMP(t, url, d, ser)
			c.join()
			c.send(32, 1, map[string]any{}, "com.example.topic")
			c.expect(wamp.TypeSubscribed)
			all = append(all, c)
		}
		large := strings.Repeat("large ", 30_000)
		for i, c := range all {
			c.send(16, 2, map[string]any{"acknowledge": true, "exclude_me": false}, "com.example.topic", []any{i, large})
			published := false
			for _, other := range all {
				msg, err := other.read()
				for err == nil && other == c && number(msg[0]) == uint64(wamp.TypePublished) {
					published = true
					msg, err = other.read()
				}
				if err != nil || number(msg[0]) != uint64(wamp.TypeEvent) {
					t.Fatalf("%v: got %.200v, %v; want EVENT", other.ser, msg, err)
				}
				if args, ok := msg[4].([]any); !ok || number(args[0]) != uint64(i) || args[1] != large {
					t.Errorf("%v: got %.200v from %v", other.ser, msg, c.ser)
				}
			}
			if !published {
				c.expect(wamp.TypePublished)
			}
		}
		// Goodbye, and the closing handshake after it.
		for _, c := range all {
			c.send(6, map[string]any{}, "wamp.close.close_realm")
			c.expect(wamp.TypeGoodbye)
			if _, err := c.read(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("%v: after GOODBYE: %v, want a close frame with 1000", c.ser, err)
			}
		}
		// A client that closes without a word of WAMP.
		c := dialWAMP(t, url, d, wamp.JSON)
		c.join()
		goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "page left")
		if err := c.conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Minute)); err != nil {
			t.Errorf("close: %v", err)
		}
		if _, err := c.read(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("after closing: %v, want the echo of 1001", err)
		}
		// A message that is no WAMP.
		c = dialWAMP(t, url, d, wamp.JSON)
		c.join()
		c.send("no type")
		c.expect(wamp.TypeAbort)
		if _, err := c.read(); !websocket.IsCloseError(err, websocket.CloseProtocolError) {
			t.Errorf("after a protocol violation: %v, want a close frame with 1002", err)
		}
	}
	t.Run("tcp", func(t *testing.T) {
		l := listenTCP(t)
		routed(t, testConfig(), l)
		run(t, "ws://"+l.Addr().String()+"/ws", websocket.Dialer{})
	})
	t.Run("front", func(t *testing.T) {
		l := listenTCP(t)
		routed(t, testConfig(), frontListener{l})
		run(t, "ws://"+l.Addr().String()+"/ws", websocket.Dialer{})
	})
	t.Run("deflate", func(t *testing.T) {
		l := listenTCP(t)
		cfg := testConfig()
		cfg.Deflate = true
		h, _ := routed(t, cfg, l)
		run(t, "ws://"+l.Addr().String()+"/ws", websocket.Dialer{EnableCompression: true})
		// Five WELCOMEs; for each of three publications of 180 KB an EVENT in
		// each of three serializers.
		st := h.srv.Stats()
		if st.Deflating != 5 || st.Inflated != st.MessagesIn || st.Deflated != 5+9 || st.DeflatedFrom < 9*180_000 || st.DeflatedTo > st.DeflatedFrom/20 || st.BytesOut > 300_000 {
			t.Errorf("counted %+v", st)
		}
	})
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newPipeListener()
			routed(t, testConfig(), l)
			run(t, "ws://pipe/ws", websocket.Dialer{
				NetDial: func(string, string) (net.Conn, error) { return l.dial() },
			})
		})
	})
	t.Run("tls", func(t *testing.T) {
		certs := httptest.NewUnstartedServer(nil) // for its certificate
		certs.StartTLS()
		certs.Close()
		l := listenTCP(t)
		routed(t, testConfig(), tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates}))
		run(t, "wss://"+l.Addr().String()+"/ws", websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}})
	})
}

// One publication for peers with compression and without: each kind gets one
// frame that all of it share.
func TestDeflateShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		cfg := testConfig()
		cfg.Deflate = true
		h, _ := routed(t, cfg, l)
		var all []*wampClient
		for i := range 8 {
			c := dialWAMP(t, "ws://pipe/ws", websocket.Dialer{
				NetDial: func(string, string) (net.Conn, error) { return l.dial() }, EnableCompression: i%2 == 0,
			}, wamp.JSON)
			c.join()
			c.send(32, 1, map[string]any{}, "com.example.topic")
			c.expect(wamp.TypeSubscribed)
			all = append(all, c)
		}
		synctest.Wait()
		before := h.srv.Stats()
		text := strings.Repeat("shared ", 1000)
		all[0].send(16, 2, map[string]any{"exclude_me": false}, "com.example.topic", []any{text})
		for i, c := range all {
			if args, ok := c.expect(wamp.TypeEvent)[4].([]any); !ok || args[0] != text {
				t.Errorf("peer %d got %.100v", i, args)
			}
		}
		synctest.Wait()
		st := h.srv.Stats()
		if n := st.Deflated - before.Deflated; n != 1 {
			t.Errorf("the event was compressed %d times, want once", n)
		}
		if n := st.BytesOut - before.BytesOut; n < 4*7000 || n > 4*7000+4*500 {
			t.Errorf("%d bytes were written, want 7 KB for each of 4 peers and little for the others", n)
		}
	})
}

// An event that follows a gap is marked in a frame that is opened, and
// compressed again.
func TestDeflateMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 200
		l := newPipeListener()
		cfg := testConfig()
		cfg.Deflate = true
		limits := router.DefaultLimits()
		limits.QueueBytes, limits.WhenFull = 4<<10, router.DropOldest
		routedWith(t, cfg, limits, l)
		dial := func() *wampClient {
			c := dialWAMP(t, "ws://pipe/ws", websocket.Dialer{
				NetDial: func(string, string) (net.Conn, error) { return l.dial() }, EnableCompression: true,
			}, wamp.JSON)
			c.join()
			return c
		}
		slow, pub := dial(), dial()
		slow.send(32, 1, map[string]any{}, "com.example.topic")
		slow.expect(wamp.TypeSubscribed)
		text := strings.Repeat("large ", 1000)
		for i := range events {
			pub.send(16, i+1, map[string]any{"acknowledge": true}, "com.example.topic", []any{i, text})
			pub.expect(wamp.TypePublished)
		}
		got, missed := 0, 0
		for last := -1; last < events-1; got++ {
			event := slow.expect(wamp.TypeEvent)
			gap, _ := event[3].(map[string]any)["_missed"].(float64)
			args := event[4].([]any)
			if i := int(args[0].(float64)); i != last+int(gap)+1 || args[1] != text {
				t.Fatalf("event %d, missed %v, follows event %d", i, gap, last)
			}
			last += int(gap) + 1
			missed += int(gap)
		}
		if got+missed != events || missed == 0 {
			t.Errorf("got %d and missed %d, want %d in all and some missed", got, missed, events)
		}
	})
}

// Every reason that a session of the router ends for leaves nothing behind.
func TestRouterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		h, rt := routed(t, testConfig(), l)
		mute := h.connect("wamp.2.json", "")
		f, err := mute.read() // HELLO does not come
		if err != nil || f.first != fin|text || !strings.Contains(f.payload, "wamp.error.timeout") {
			t.Errorf("got %q, %v; want ABORT", f, err)
		}
		if f, err = mute.read(); err != nil || f.code() != 1008 {
			t.Errorf("got %q, %v; want 1008", f, err)
		}
		mute.conn.Close()

		lost := h.connect("wamp.2.json", mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`))
		lost.read()
		lost.conn.Close()

		bad := h.connect("wamp.2.json", mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)+mask(fin|text, "\xff"))
		bad.read()
		if f, err = bad.read(); err != nil || !strings.Contains(f.payload, "wamp.error.protocol_violation") {
			t.Errorf("got %q, %v; want ABORT", f, err)
		}
		if f, err = bad.read(); err != nil || f.code() != 1007 {
			t.Errorf("got %q, %v; want 1007", f, err)
		}
		bad.conn.Close()

		stuck := h.connect("wamp.2.json", mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`))
		<-time.After(2 * time.Minute) // never reads: WELCOME alone fills a pipe
		synctest.Wait()
		stuck.conn.Close()
		if n := rt.Stats().Connections; n != 0 || h.srv.Stats().Open != 0 {
			t.Errorf("%d sessions, %d connections are left", n, h.srv.Stats().Open)
		}
	})
}

// TLS: a client that goes without a word, and one whose TLS fails.
func TestTLSAbrupt(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	certs.Close()
	l := listenTCP(t)
	h := open(t, testConfig(), tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates}))
	h.dial = func() (net.Conn, error) {
		return tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	}
	p := h.connect("wamp.2.json", mask(fin|text, "m"))
	if !p.sess.peer.Secure {
		t.Error("peer is not marked as secure")
	}
	half := mask(fin|text, "other")
	for _, piece := range []string{half[:3], half[3:]} {
		p.send(piece)
		transport.Nudge(p.sess.link) // a read that timed out must not break TLS
	}
	p.send(mask(fin|ping, ""))
	if f, err := p.read(); err != nil || f.op() != pong {
		t.Errorf("got %q, %v; want a pong", f, err)
	}
	p.conn.(*tls.Conn).NetConn().Close()
	<-p.sess.detached
	if got := p.sess.got(); !slices.Equal(got, []string{"m", "other"}) {
		t.Errorf("delivered %q", got)
	}

	p = h.connect("wamp.2.json", mask(fin|3, ""))
	if f, err := p.read(); err != nil || f.code() != 1002 {
		t.Errorf("got %q, %v; want 1002", f, err)
	}
	p.conn.Close()
	<-p.sess.detached
	if why, _ := p.sess.reason(); !errors.Is(why, wamp.ErrProtocolViolation) && !strings.Contains(why.Error(), "reserved opcode 3") {
		t.Errorf("ended by %v", why)
	}
}
