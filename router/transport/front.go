package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// Front returns a listener for an [http.Server] whose handler serves s on
// path. It accepts connections from ln, bare TCP or TLS over TCP, and looks at
// the first bytes of each, those inside of TLS: a
// plain request to open a WebSocket on path is answered by s itself, at a
// fraction of the cost; so is a RawSocket, as [Server.ServeRawSocket] would do
// it. Every other connection is accepted by the HTTP server, which reads the
// same bytes as if nobody had before. What s answers itself has
// no way through the HTTP server: no handler in front of s, no limit on headers
// below 8 KiB, no hook. Connections that are neither TCP nor TLS over TCP all
// go to the HTTP server, and so do those whose TLS handshake has failed, since
// that has an answer for clients that speak HTTP instead, and those that have
// negotiated HTTP/2 in it. What a PROXY header says of the latter is known only
// if [NewListener] is below TLS.
//
// A connection from which nothing comes, or part of a PROXY header, of a TLS
// handshake or of a RawSocket greeting, is
// closed after [Config.UpgradeTimeout]; from its first byte on any other is
// timed by the HTTP server. Closing the listener closes ln. [Server.Shutdown] closes it, too.
func (s *Server) Front(ln net.Listener, path string) net.Listener {
	f := &front{
		srv: s, ln: ln, path: path,
		out:     make(chan accepted),
		done:    make(chan struct{}),
		waiting: make(map[*arrival]struct{}),
	}
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.fronts = append(s.fronts, f.shut)
		s.wg.Go(f.run)
	}
	s.mu.Unlock()
	if closing {
		_ = f.shut()
	}
	return f
}

// A front is a listener that serves some connections by itself. Its goroutine
// accepts them from ln; each is an arrival until it is known whose it is.
type front struct {
	// Fixed at construction.
	srv  *Server
	ln   net.Listener
	path string
	out  chan accepted // for Accept; unbuffered, never closed
	done chan struct{} // closed by Close; never sent to

	mu      sync.Mutex // guards the following
	asked   bool       // Close was called
	closed  bool
	waiting map[*arrival]struct{} // nothing has come from them yet, or part of a greeting
}

// accepted is what Accept returns.
type accepted struct {
	nc  net.Conn
	err error
}

// Accept returns the next connection for the HTTP server.
func (f *front) Accept() (net.Conn, error) {
	select {
	case a := <-f.out:
		return a.nc, a.err
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Addr returns the address of the listener behind.
func (f *front) Addr() net.Addr { return f.ln.Addr() }

// Close closes the listener, and the connections from which nothing has come.
// That [Server.Shutdown] was faster is no error.
func (f *front) Close() error {
	f.mu.Lock()
	again := f.asked
	f.asked = true
	f.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	return f.shut()
}

// shut does what Close says, once.
func (f *front) shut() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	close(f.done)
	for a := range f.waiting {
		socketOf(a.nc).Close()
	}
	return f.ln.Close()
}

// isTCP reports whether nc is a TCP connection, with or without TLS.
func isTCP(nc net.Conn) bool {
	_, ok := socketOf(nc).(*net.TCPConn)
	return ok
}

// run accepts connections until the listener is closed. Errors go to the HTTP
// server, which knows what to do: it logs them, and waits before it asks for
// another connection, for which run waits.
func (f *front) run() {
	for {
		nc, err := f.ln.Accept()
		if err == nil && isTCP(nc) {
			f.srv.wg.Add(1)
			go f.arrive(nc)
			if f.srv.cfg.Rest != nil {
				f.srv.cfg.Rest()
			}
			continue
		}
		if !f.pass(nc, err) || errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// pass gives a connection or an error to the HTTP server, and reports whether
// that took it.
func (f *front) pass(nc net.Conn, err error) bool {
	select {
	case f.out <- accepted{nc, err}:
		return true
	case <-f.done:
		if nc != nil {
			nc.Close()
		}
		return false
	}
}

// await notes that a waits, and reports false if the front is closed.
func (f *front) await(a *arrival) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.waiting[a] = struct{}{}
	return true
}

// awaited notes that a waits no more.
func (f *front) awaited(a *arrival) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, a)
}

// An arrival is a connection of which it is not known yet what it wants. It is
// counted in the server's wait group.
type arrival struct {
	// Fixed at construction.
	front *front
	nc    net.Conn

	// Owned by arrive, then by work.
	wire   wire                 // nil with TLS, until it is known that nobody else reads it
	client string               // who a proxy says that it is; may be empty
	state  *tls.ConnectionState // nil without TLS
	in     inbox
}

// arrive reads the first bytes, in a goroutine of its own, and has the crew do
// the rest.
func (f *front) arrive(nc net.Conn) {
	a := &arrival{front: f, nc: nc}
	err := a.read()
	switch {
	case err == nil:
		f.srv.crew.do(a)
		return
	case errors.Is(err, errHandshake), errors.Is(err, errHTTP2):
		f.pass(nc, nil)
	default:
		a.in.drop()
		socketOf(nc).Close()
	}
	f.srv.wg.Done()
}

// errHandshake is that TLS found no proper handshake. It says so again when it
// is asked again.
var errHandshake = errors.New("TLS handshake failed")

// errHTTP2 is that TLS has negotiated HTTP/2, which a client cannot leave any
// more for a WebSocket or a RawSocket. The HTTP server speaks it only over the
// TLS connection itself, of which nothing may have been read.
var errHTTP2 = errors.New("HTTP/2 was negotiated")

// acmeProtocol is what an ACME server negotiates to see who answers. The
// handshake is the answer, and nothing may follow (RFC 8737, 3).
const acmeProtocol = "acme-tls/1"

// http2Protocol is what clients negotiate for HTTP/2 (RFC 9113, 3.2).
const http2Protocol = "h2"

var errChallenged = errors.New("an ACME server has had its answer")

// read reads the first bytes: those that are there, as a rule, and otherwise
// those that come in time.
func (a *arrival) read() error {
	s := a.front.srv
	t, secure := a.nc.(*tls.Conn)
	if !secure {
		a.wire = newWire(a.nc)
	}
	if !secure && !s.introduced(a.nc) {
		if n, err := fillNow(a.wire, &a.in); err != nil || n > 0 && (!a.isRaw() || n >= rawHeader) {
			return err
		}
	}
	if !a.front.await(a) {
		return net.ErrClosed
	}
	defer a.front.awaited(a)
	socket := socketOf(a.nc)
	if err := socket.SetDeadline(time.Now().Add(s.cfg.UpgradeTimeout)); err != nil {
		return err
	}
	var err error
	if len(a.in.bytes()) == 0 {
		if a.client, err = s.introduce(a.nc); err != nil {
			return err
		}
		if secure {
			err = a.decrypt(t)
		} else {
			_, err = a.wire.fill(&a.in, 1)
		}
		if err != nil {
			return err
		}
	}
	if a.isRaw() {
		a.own()
		if err := readGreeting(a.wire, &a.in); err != nil {
			return err
		}
	}
	return socket.SetDeadline(time.Time{})
}

// decrypt reads the first bytes inside of TLS.
func (a *arrival) decrypt(t *tls.Conn) error {
	if err := t.HandshakeContext(context.Background()); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return err
		}
		if err := socketOf(t).SetDeadline(time.Time{}); err != nil {
			return err
		}
		return errHandshake
	}
	a.state = new(t.ConnectionState())
	switch a.state.NegotiatedProtocol {
	case acmeProtocol:
		return errChallenged
	case http2Protocol:
		rename(t, a.client)
		if err := socketOf(t).SetDeadline(time.Time{}); err != nil {
			return err
		}
		return errHTTP2
	}
	n, err := t.Read(a.in.room(1))
	a.in.added(n)
	if n > 0 {
		return nil // the error comes again
	}
	return err
}

// own takes the connection for the server: no HTTP server will read it.
func (a *arrival) own() {
	if a.wire == nil {
		a.wire = newWire(a.nc)
	}
}

// isRaw reports whether what came is the beginning of a RawSocket greeting.
func (a *arrival) isRaw() bool {
	b := a.in.bytes()
	return len(b) > 0 && b[0] == rawMagic
}

// work decides about the connection: a task of the crew.
func (a *arrival) work() {
	s := a.front.srv
	if a.isRaw() {
		(&rawArrival{srv: s, nc: a.nc, wire: a.wire, client: a.client, state: a.state, in: a.in}).work()
		return
	}
	defer s.wg.Done()
	r, size := parsePlain(a.in.bytes(), a.front.path)
	if r == nil || checkHandshake(r) != nil {
		a.leave()
		return
	}
	a.in.take(size)
	a.own()
	r.RemoteAddr = peerName(a.nc, a.client)
	r.TLS = a.state
	s.resolve(r)
	t, no, ok := a.consider(r)
	if !ok {
		socketOf(a.nc).Close()
		return
	}
	if no != nil {
		a.refuse(r, no)
		return
	}
	c, err := s.accept(a.nc, a.wire, a.in, nil, r, t)
	if err != nil {
		s.acceptFailed(a.nc, r, err)
		return
	}
	peer := s.peerOf(r, t)
	c.begin(&peer)
}

// leave gives the connection to the HTTP server.
func (a *arrival) leave() {
	again := replay{head: append([]byte(nil), a.in.bytes()...), client: a.client}
	a.in.drop()
	switch nc := a.nc.(type) {
	case *net.TCPConn:
		a.front.pass(forHTTP(nc, again), nil)
	case *tls.Conn:
		a.front.pass(&replayedTLS{nc, again}, nil)
	}
}

// consider is that of the server. It reports false if that panicked, which an
// HTTP server would survive, too.
func (a *arrival) consider(r *http.Request) (t terms, no *refusal, ok bool) {
	s := a.front.srv
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic while a peer was identified", "peer", r.RemoteAddr, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	t, no = s.consider(r)
	return t, no, true
}

// refuse answers a request that is not upgraded, and closes the connection.
func (a *arrival) refuse(r *http.Request, no *refusal) {
	s := a.front.srv
	s.refused(r, no)
	a.in.drop()
	if err := writeFirst(a.wire, no.response(), s.cfg.UpgradeTimeout); err != nil {
		s.log.Debug("refusal not written", slog.String("peer", r.RemoteAddr), slog.Any("err", err))
	}
	a.wire.hangUp()
}

// response returns the whole answer, as [http.Error] would write it, after
// which the connection is closed.
func (no *refusal) response() []byte {
	b := make([]byte, 0, 512)
	b = fmt.Appendf(b, "HTTP/1.1 %d %s\r\n", no.status, http.StatusText(no.status))
	if no.header[0] != "" {
		b = fmt.Appendf(b, "%s: %s\r\n", no.header[0], no.header[1])
	}
	b = append(b, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(no.text)+1), 10)
	b = append(b, "\r\nConnection: close\r\n\r\n"...)
	b = append(b, no.text...)
	return append(b, '\n')
}

var _ task = (*arrival)(nil)
