package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
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

// TestMain fails the package if a goroutine or a descriptor is left over.
func TestMain(m *testing.M) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		os.Exit(code) // the fuzzer's own goroutines stay
	}
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines || openFiles() > files; {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "%d goroutines and %d files before, %d and %d after:\n%s\n", goroutines, files,
				runtime.NumGoroutine(), openFiles(), stacks[:runtime.Stack(stacks, true)])
			code = max(code, 1)
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	os.Exit(code)
}

// openFiles counts sockets and the like; files that the runtime opens by
// itself (the poller, pipes of profiles) are not among them.
func openFiles() (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// A fakeSession notes what a connection does and answers End as the router
// does: a last message, the close frame, Finish.
type fakeSession struct {
	link    router.Link
	peer    router.Peer
	receive func(msg []byte) error // may be nil
	busy    atomic.Bool

	queue    chan []byte
	wg       sync.WaitGroup
	detached chan struct{}

	mu       sync.Mutex // guards the following
	messages []string
	pongs    []string
	flushes  int
	why      *wamp.Error
	ended    bool
	err      error
}

func newFakeSession(link router.Link, peer router.Peer) *fakeSession {
	s := &fakeSession{link: link, peer: peer, queue: make(chan []byte, 10_000), detached: make(chan struct{})}
	s.wg.Go(s.write)
	return s
}

const patience = 3 * time.Second

// write is the session's flusher. nil in the queue means that it ends.
func (s *fakeSession) write() {
	for frame := range s.queue {
		if frame == nil {
			s.link.Finish(patience)
			continue
		}
		n, err := s.link.TryWrite([][]byte{frame})
		if err == nil && n < len(frame) {
			err = s.link.Write([][]byte{frame[n:]}, time.Now().Add(2*time.Second))
		}
		if err != nil {
			s.link.Close()
		}
	}
}

func (s *fakeSession) Receive(msg []byte) error {
	s.mu.Lock()
	s.messages = append(s.messages, string(msg))
	ended := s.ended
	s.mu.Unlock()
	switch {
	case ended:
		return errors.New("ended")
	case s.receive != nil:
		return s.receive(msg)
	}
	return nil
}

func (s *fakeSession) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushes++
}

func (s *fakeSession) Busy() bool { return s.busy.Load() }

func (s *fakeSession) Pong(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pongs = append(s.pongs, string(data))
}

func (s *fakeSession) SendControl(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.queue <- frame
	}
}

func (s *fakeSession) End(why *wamp.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.why = true, why
	s.queue <- s.link.CloseFrame(why)
	s.queue <- nil
}

func (s *fakeSession) Detach(err error) {
	s.mu.Lock()
	s.err, s.ended = err, true
	close(s.queue)
	s.mu.Unlock()
	s.wg.Wait()
	close(s.detached)
}

func (s *fakeSession) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

func (s *fakeSession) reason() (*wamp.Error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why, s.err
}

// A pipeListener accepts what its dial made.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Net: "pipe", Name: "pipe"} }

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// A house is a server with the HTTP server before it.
type house struct {
	t        testing.TB
	srv      *transport.Server
	dial     func() (net.Conn, error)
	sessions chan *fakeSession
	receive  func(s *fakeSession, msg []byte) error
	offer    string // Sec-WebSocket-Extensions of clients; may be empty
	granted  string // what the server must answer to it
}

func testConfig() transport.Config {
	cfg := transport.DefaultConfig()
	cfg.MaxMessage = 256 << 10
	cfg.PingInterval = 30 * time.Second
	return cfg
}

// open returns a server with fake sessions, which shuts down with the test.
func open(t testing.TB, cfg transport.Config, l net.Listener) *house {
	h := &house{t: t, sessions: make(chan *fakeSession, 100)}
	h.srv = transport.NewTestServer(func(link router.Link, peer router.Peer) transport.Session {
		s := newFakeSession(link, peer)
		if h.receive != nil {
			s.receive = func(msg []byte) error { return h.receive(s, msg) }
		}
		h.sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	h.serve(h.srv, l)
	return h
}

// serve runs an HTTP server with the handler on l until the end of the test.
func (h *house) serve(handler http.Handler, l net.Listener) {
	f, fronted := l.(frontListener)
	if fronted {
		l = f.Listener
	}
	if d, ok := l.(interface{ dial() (net.Conn, error) }); ok {
		h.dial = d.dial
	} else {
		addr := l.Addr()
		h.dial = func() (net.Conn, error) { return net.Dial(addr.Network(), addr.String()) }
	}
	if fronted {
		l = h.srv.Front(l, "/ws")
	}
	hs := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ConnContext: transport.ConnContext,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			h.t.Errorf("Serve: %v", err)
		}
	})
	h.t.Cleanup(func() {
		hs.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.srv.Shutdown(ctx); err != nil {
			h.t.Errorf("Shutdown: %v", err)
		}
		wg.Wait()
	})
}

func listenTCP(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A frontListener is one that house.serve puts a front before.
type frontListener struct{ net.Listener }

// both runs f over real TCP, with and without a front and TLS, and over pipes
// in fake time.
func both(t *testing.T, f func(t *testing.T, l net.Listener)) {
	t.Run("tcp", func(t *testing.T) { f(t, listenTCP(t)) })
	t.Run("front", func(t *testing.T) { f(t, frontListener{listenTCP(t)}) })
	t.Run("tls", func(t *testing.T) { f(t, listenTLS(t)) })
	t.Run("tls front", func(t *testing.T) { f(t, frontListener{listenTLS(t)}) })
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, newPipeListener()) })
	})
}

// A peer is a client that speaks raw frames.
type peer struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
	sess *fakeSession
}

const handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// connect upgrades a connection; more is sent together with the request.
func (h *house) connect(subprotocol, more string) *peer {
	h.t.Helper()
	conn, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	p := &peer{t: h.t, conn: conn, br: bufio.NewReader(conn)}
	request := handshake + "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	if h.offer != "" {
		request += "Sec-WebSocket-Extensions: " + h.offer + "\r\n"
	}
	p.send(request + "\r\n" + more)
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		h.t.Fatalf("no answer to the upgrade request: %v", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols ||
		resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		resp.Header.Get("Sec-WebSocket-Protocol") != subprotocol ||
		resp.Header.Get("Sec-WebSocket-Extensions") != h.granted {
		h.t.Fatalf("upgrade answered with %v", resp)
	}
	if h.sessions != nil {
		p.sess = <-h.sessions
	}
	return p
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// sendAway sends in a goroutine that cannot be held up by what the server
// writes. A server that has ended the connection may refuse what comes.
func (p *peer) sendAway(s string, piece int) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for len(s) > 0 {
			n := min(piece, len(s))
			if _, err := io.WriteString(p.conn, s[:n]); err != nil {
				return
			}
			s = s[n:]
		}
	})
	p.t.Cleanup(func() {
		p.conn.Close()
		wg.Wait()
	})
}

// A frame is one frame of the server.
type frame struct {
	first   byte // FIN, reserved bits, opcode
	payload string
}

func (f frame) op() byte { return f.first & 0x0f }

// code returns the status of a close frame.
func (f frame) code() int {
	if len(f.payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16([]byte(f.payload)))
}

// read returns the next frame of the server.
func (p *peer) read() (frame, error) {
	var b [10]byte
	if _, err := io.ReadFull(p.br, b[:2]); err != nil {
		return frame{}, err
	}
	if b[1]&0x80 != 0 {
		p.t.Fatalf("the server masked a frame")
	}
	first, n := b[0], uint64(b[1])
	switch n {
	case 126:
		io.ReadFull(p.br, b[:2])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		io.ReadFull(p.br, b[:8])
		n = binary.BigEndian.Uint64(b[:])
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(p.br, payload)
	return frame{first, string(payload)}, err
}

// mask frames payload with the first byte as given, in the shortest length.
func mask(first byte, payload string) string {
	var b bytes.Buffer
	b.WriteByte(first)
	switch n := len(payload); {
	case n <= 125:
		b.WriteByte(0x80 | byte(n))
	case n < 1<<16:
		b.WriteByte(0x80 | 126)
		binary.Write(&b, binary.BigEndian, uint16(n))
	default:
		b.WriteByte(0x80 | 127)
		binary.Write(&b, binary.BigEndian, uint64(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b.Write(key[:])
	for i := range len(payload) {
		b.WriteByte(payload[i] ^ key[i%4])
	}
	return b.String()
}

const (
	fin  = 0x80
	cont = 0
	text = 1
	bin  = 2
	clos = 8
	ping = 9
	pong = 10
)

func status(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}
