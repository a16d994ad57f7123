package router_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A stack is a router behind all that a client comes through: an HTTP server,
// the WebSocket upgrade, and frames over connections in memory. It lives in a
// bubble of fake time.
type stack struct {
	t     testing.TB
	rt    *testRouter
	srv   *transport.Server
	lp    *transport.LongPoll
	conns chan net.Conn // to Accept; never closed
	done  chan struct{} // closed by Close
	once  sync.Once

	// wrap returns a client's end of a new connection as the client shall
	// have it; nil: as it is.
	wrap func(net.Conn) net.Conn
}

// newStack returns a stack that shuts down with the test. change may be nil.
func newStack(t testing.TB, change func(*router.Config), over func(*transport.Config)) *stack {
	if change == nil {
		change = func(*router.Config) {}
	}
	return newStackOf(t, newRouter(t, change), over)
}

// newStackOf is newStack with a router that there is already.
func newStackOf(t testing.TB, rt *testRouter, over func(*transport.Config)) *stack {
	cfg := transport.DefaultConfig()
	if over != nil {
		over(&cfg)
	}
	s := &stack{t: t, rt: rt, conns: make(chan net.Conn), done: make(chan struct{})}
	log := slog.New(slog.DiscardHandler)
	s.srv = transport.NewServer(s.rt.rt, cfg, log)
	polls := transport.DefaultLongPollConfig()
	polls.Away = router.DefaultConfig().WriteTimeout // a client that fetches nothing is a peer that reads nothing
	s.lp = transport.NewLongPoll(s.rt.rt, polls, log)
	mux := http.NewServeMux()
	mux.Handle("/ws", s.srv)
	mux.Handle("/lp/", http.StripPrefix("/lp", s.lp))
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(s) })
	t.Cleanup(func() {
		hs.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.srv.Shutdown(ctx); err != nil {
			t.Errorf("Server.Shutdown: %v", err)
		}
		if err := s.lp.Shutdown(ctx); err != nil {
			t.Errorf("LongPoll.Shutdown: %v", err)
		}
		wg.Wait()
	})
	return s
}

// Accept implements [net.Listener].
func (s *stack) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (s *stack) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Addr implements [net.Listener].
func (s *stack) Addr() net.Addr { return &net.UnixAddr{Net: "pipe", Name: "pipe"} }

// A watchedConn is the server's end of a connection.
type watchedConn struct {
	net.Conn
	once   sync.Once
	at     time.Time     // when it was closed; written before closed is
	closed chan struct{} // closed by Close
}

func (c *watchedConn) Close() error {
	c.once.Do(func() {
		c.at = time.Now()
		close(c.closed)
	})
	return c.Conn.Close()
}

// dial opens a connection that holds nothing between its ends: what the client
// does not read the server cannot write.
func (s *stack) dial() (net.Conn, *watchedConn) {
	client, server := net.Pipe()
	w := &watchedConn{Conn: server, closed: make(chan struct{})}
	s.conns <- w
	if s.wrap != nil {
		client = s.wrap(client)
	}
	return client, w
}

// A browser is a client of the whole stack. Like any, it answers pings and
// close frames by itself, unless it is mute or does not read.
type browser struct {
	t       testing.TB
	ser     wamp.Serializer
	deflate bool // messages are compressed, both ways
	conn    net.Conn
	server  *watchedConn
	br      *bufio.Reader // reader only
	out     chan []byte   // frames to send; never closed
	done    chan struct{} // closed by hangUp
	once    sync.Once
	wg      sync.WaitGroup

	mu     sync.Mutex    // guards the following
	got    [][]byte      // messages, in JSON
	mute   bool          // it answers nothing
	pings  int           // that came
	close  []byte        // payload of the server's close frame; nil: none came
	paused chan struct{} // closed to go on reading; nil: it reads
}

// upgrade is the request that makes a WebSocket of a connection. more are
// headers.
func upgrade(ser wamp.Serializer, more ...string) string {
	return "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Protocol: " + ser.Subprotocol() + "\r\n" + strings.Join(more, "") + "\r\n"
}

const offerDeflate = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"

// connect opens a connection, upgrades it and starts to read.
func (s *stack) connect(ser wamp.Serializer) *browser { return s.connectWith(ser, false) }

// connectWith is connect, with messages compressed or not.
func (s *stack) connectWith(ser wamp.Serializer, deflate bool) *browser {
	s.t.Helper()
	conn, server := s.dial()
	b := &browser{
		t: s.t, ser: ser, deflate: deflate, conn: conn, server: server, br: bufio.NewReader(conn),
		out: make(chan []byte, 10_000), done: make(chan struct{}),
	}
	s.t.Cleanup(b.hangUp)
	request := upgrade(ser)
	if deflate {
		request = upgrade(ser, offerDeflate)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(b.br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("upgrade answered with %v, %v", resp, err)
	}
	if granted := resp.Header.Get("Sec-WebSocket-Extensions"); (granted != "") != deflate {
		s.t.Fatalf("extensions %q are granted, compression was asked for: %v", granted, deflate)
	}
	b.wg.Go(b.read)
	b.wg.Go(b.write)
	return b
}

// hangUp breaks the connection.
func (b *browser) hangUp() {
	b.once.Do(func() {
		close(b.done)
		b.conn.Close()
	})
	b.wg.Wait()
}

func (b *browser) write() {
	for {
		select {
		case frame := <-b.out:
			if _, err := b.conn.Write(frame); err != nil {
				return
			}
		case <-b.done:
			return
		}
	}
}

// read takes what the server sends, as long as the client is not paused.
func (b *browser) read() {
	for {
		first, payload, err := b.frame()
		if err != nil {
			return
		}
		b.take(first, payload)
	}
}

// take handles one frame of the server.
func (b *browser) take(first byte, payload []byte) {
	const fin, compressed, text, binary, closing, ping, pong = 0x80, 0x40, 1, 2, 8, 9, 10
	want := byte(fin | text)
	if b.ser.Binary() {
		want = fin | binary
	}
	if b.deflate && first == want|compressed {
		var err error
		if payload, err = inflate(payload); err != nil {
			b.t.Errorf("the server sent what cannot be inflated: %v", err)
			return
		}
		first = want
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.close != nil {
		b.t.Errorf("the server sent a frame that begins with %#x after its close frame", first)
	}
	switch first {
	case want:
		msg, err := translate(b.ser, wamp.JSON, payload)
		if err != nil {
			b.t.Errorf("the server sent %q: %v", payload, err)
			return
		}
		b.got = append(b.got, msg)
	case fin | ping:
		b.pings++
		b.answer(fin|pong, payload)
	case fin | closing:
		b.close = payload
		b.answer(first, payload)
	case fin | pong:
	default:
		b.t.Errorf("the server sent a frame that begins with %#x", first)
	}
}

func (b *browser) answer(first byte, payload []byte) {
	if !b.mute {
		b.out <- maskedFrame(first, payload)
	}
}

// frame reads one frame of the server.
func (b *browser) frame() (first byte, payload []byte, err error) {
	var head [10]byte
	if err := b.full(head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		err = b.full(head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		err = b.full(head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil || n > 1<<24 {
		return 0, nil, errors.Join(err, fmt.Errorf("a frame of %d bytes", n))
	}
	payload = make([]byte, n)
	return head[0], payload, b.full(payload)
}

// full fills p, and waits where the client is paused.
func (b *browser) full(p []byte) error {
	for len(p) > 0 {
		b.mu.Lock()
		paused := b.paused
		b.mu.Unlock()
		if paused != nil {
			select {
			case <-paused:
			case <-b.done:
				return net.ErrClosed
			}
		}
		n, err := b.br.Read(p)
		if p = p[n:]; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// send sends a message that is given in JSON, without waiting. What cannot be
// said in the client's serializer is sent as it is.
func (b *browser) send(msg string) {
	raw := []byte(msg)
	if p, err := translate(wamp.JSON, b.ser, raw); err == nil {
		raw = p
	}
	first := byte(0x81)
	if b.ser.Binary() {
		first = 0x82
	}
	if b.deflate {
		first |= 0x40
		raw = deflated(raw)
	}
	b.out <- maskedFrame(first, raw)
}

// deflated compresses a message as RFC 7692, 7.2.1 says, and inflate is the
// reverse.
func deflated(msg []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write(msg)
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

func inflate(data []byte) ([]byte, error) {
	const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(data), strings.NewReader(tail))))
}

// translate returns the message that data holds in from, in to.
func translate(from, to wamp.Serializer, data []byte) ([]byte, error) {
	p, err := wamp.Payload{Serializer: from, Args: data}.In(to)
	return p.Args, err
}

// express returns msg as the client's serializer has it, in JSON: 2.50 is 2.5
// where numbers are no text.
func (b *browser) express(msg string) string {
	there, err := translate(wamp.JSON, b.ser, []byte(msg))
	if err != nil {
		return msg
	}
	back, err := translate(b.ser, wamp.JSON, there)
	if err != nil {
		return msg
	}
	return string(back)
}

// maskedFrame returns a frame of a client.
func maskedFrame(first byte, payload []byte) []byte {
	f := []byte{first}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	key := [4]byte{0x1d, 0xc3, 0x5a, 0x77}
	f = append(f, key[:]...)
	for i, c := range payload {
		f = append(f, c^key[i%4])
	}
	return f
}

func (b *browser) act(what string) error {
	switch what {
	case "stall":
		b.mu.Lock()
		b.paused = make(chan struct{})
		b.mu.Unlock()
		b.conn.SetReadDeadline(time.Unix(1, 0)) // ends the read that is under way
	case "read":
		b.conn.SetReadDeadline(time.Time{})
		b.mu.Lock()
		if b.paused != nil {
			close(b.paused)
			b.paused = nil
		}
		b.mu.Unlock()
	default:
		return fmt.Errorf("no such act")
	}
	return nil
}

func (b *browser) next() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.got) == 0 {
		return nil, false
	}
	msg := b.got[0]
	b.got = b.got[1:]
	return msg, true
}

// closed reports whether the server has closed its end.
func (b *browser) closed() bool {
	select {
	case <-b.server.closed:
		return true
	default:
		return false
	}
}

// Every transcript, through HTTP, upgrade and frames, in each serializer,
// compressed, and with peers that speak different ones; under the race detector
// with those only.
func TestConformanceStack(t *testing.T) {
	// Each is what the peers of a transcript speak, in turn.
	type speech struct {
		ser     wamp.Serializer
		deflate bool
	}
	variants := map[string][]speech{
		"json":    {{wamp.JSON, false}},
		"msgpack": {{wamp.MessagePack, false}},
		"cbor":    {{wamp.CBOR, false}},
		"deflate": {{wamp.JSON, true}},
		"mixed":   {{wamp.MessagePack, true}, {wamp.CBOR, false}, {wamp.JSON, true}, {wamp.MessagePack, false}},
	}
	for _, tr := range transcripts(t) {
		for name, turns := range variants {
			if raceEnabled && name != "mixed" {
				continue
			}
			t.Run(tr.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStackOf(t, tr.router(t), func(c *transport.Config) { c.Deflate, c.DeflateMin = true, 0 })
					n, first := 0, map[string]speech{}
					play(t, tr, func(name string) talker {
						turn := turns[n%len(turns)]
						n++
						name = strings.TrimRight(name, "0123456789")
						if before, again := first[name]; again {
							turn.ser = before.ser
							if len(turns) > 1 {
								turn.deflate = !before.deflate
							}
						}
						first[name] = turn
						return s.connectWith(turn.ser, turn.deflate)
					})
				})
			})
		}
	}
}
