package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
)

// acceptPause is how long nothing is accepted after an error that may pass,
// such as too many open files.
const acceptPause = 100 * time.Millisecond

// ServeRawSocket accepts connections from ln and serves them as RawSocket. It
// returns nil after [Server.Shutdown], which closes ln, and otherwise why
// nothing can be accepted any more; then ln is closed, too. TLS is served as
// thriftily as plain sockets if it runs over a [NewListener].
//
// A connection that has not greeted [Config.UpgradeTimeout] after it was
// accepted is closed, PROXY header and TLS handshake included. Peers without
// TLS have no identity: they must authenticate within WAMP, or stay anonymous.
func (s *Server) ServeRawSocket(ln net.Listener) error {
	l := &rawListener{srv: s, ln: ln, done: make(chan struct{}), waiting: make(map[net.Conn]struct{})}
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.fronts = append(s.fronts, l.shut)
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if closing {
		return l.shut()
	}
	defer s.wg.Done()
	return l.run()
}

// A rawListener accepts RawSocket connections.
type rawListener struct {
	// Fixed at construction.
	srv  *Server
	ln   net.Listener
	done chan struct{} // closed by shut; never sent to

	mu      sync.Mutex // guards the following
	closed  bool
	waiting map[net.Conn]struct{} // they have not greeted yet
}

// run accepts connections until the listener is closed or broken.
func (l *rawListener) run() error {
	for {
		nc, err := l.ln.Accept()
		switch {
		case err == nil:
			l.srv.wg.Add(1)
			go l.greet(nc)
			continue
		case l.isClosed():
			return nil
		case errors.Is(err, net.ErrClosed):
			_ = l.shut() // says the same
			return err
		}
		l.srv.log.Warn("connection cannot be accepted", "err", err)
		select {
		case <-time.After(acceptPause):
		case <-l.done:
			return nil
		}
	}
}

func (l *rawListener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// shut closes the listener, and the connections that have not greeted yet.
func (l *rawListener) shut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for nc := range l.waiting {
		socketOf(nc).Close()
	}
	return l.ln.Close()
}

// await notes that nc has not greeted, and reports false if nothing is served
// any more.
func (l *rawListener) await(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting[nc] = struct{}{}
	return true
}

func (l *rawListener) awaited(nc net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, nc)
}

// greet reads a peer's first four bytes, in a goroutine of its own that is
// counted in the server's wait group, and has the crew do the rest.
func (l *rawListener) greet(nc net.Conn) {
	a := &rawArrival{srv: l.srv, nc: nc}
	if err := l.read(a); err != nil {
		a.in.drop()
		l.srv.stats.refused.Add(1)
		l.srv.log.LogAttrs(context.Background(), slog.LevelDebug, "no RawSocket greeting",
			slog.String("peer", a.name()), slog.Any("err", err))
		socketOf(nc).Close()
		l.srv.wg.Done()
		return
	}
	l.srv.crew.do(a)
}

// read waits for the greeting.
func (l *rawListener) read(a *rawArrival) error {
	if !l.await(a.nc) {
		return net.ErrClosed
	}
	defer l.awaited(a.nc)
	socket := socketOf(a.nc)
	if err := socket.SetDeadline(time.Now().Add(l.srv.cfg.UpgradeTimeout)); err != nil {
		return err
	}
	var err error
	if a.client, err = l.srv.introduce(a.nc); err != nil {
		return err
	}
	if t, ok := a.nc.(*tls.Conn); ok {
		if err := t.HandshakeContext(context.Background()); err != nil {
			return err
		}
		a.state = new(t.ConnectionState())
	}
	a.wire = newWire(a.nc)
	if err := readGreeting(a.wire, &a.in); err != nil {
		return err
	}
	return socket.SetDeadline(time.Time{})
}

// readGreeting reads until a greeting is there whole, or cannot be one.
func readGreeting(w wire, in *inbox) error {
	for b := in.bytes(); len(b) < rawHeader && (len(b) == 0 || b[0] == rawMagic); b = in.bytes() {
		if _, err := w.fill(in, rawHeader); err != nil {
			return err
		}
	}
	return nil
}

// remoteAddr names the peer of nc. Those of a Unix socket have no name.
func remoteAddr(nc net.Conn) string {
	addr := nc.RemoteAddr()
	if tcp, ok := addr.(*net.TCPAddr); ok { // in one piece of memory instead of four
		from := tcp.AddrPort()
		return netip.AddrPortFrom(from.Addr().Unmap(), from.Port()).String()
	}
	if addr == nil {
		return unixPeer
	}
	if name := addr.String(); name != "" && name != "@" {
		return name
	}
	return unixPeer
}

// peerName names the peer of nc: client, if a proxy told it.
func peerName(nc net.Conn, client string) string {
	if client != "" {
		return client
	}
	return remoteAddr(nc)
}

// A rawArrival is a connection that has greeted as a RawSocket peer does, or
// has not. It is counted in the server's wait group.
type rawArrival struct {
	// Fixed at construction.
	srv *Server
	nc  net.Conn

	// Owned by who reads, then by work.
	wire   wire
	client string               // who a proxy says that it is; may be empty
	state  *tls.ConnectionState // nil without TLS
	in     inbox
}

// name names the peer.
func (a *rawArrival) name() string { return peerName(a.nc, a.client) }

var _ task = (*rawArrival)(nil)

// work answers the greeting: a task of the crew.
func (a *rawArrival) work() {
	s := a.srv
	defer s.wg.Done()
	s.keepAlive(a.nc)
	g, no, ok := greeting{}, rawAccepted, false
	if b := a.in.bytes(); len(b) >= rawHeader {
		g, no, ok = parseGreeting([rawHeader]byte(b))
	}
	if ok && no == rawAccepted {
		no = s.considerRaw()
	}
	if !ok || no != rawAccepted {
		a.refuse(no, ok)
		return
	}
	a.in.take(rawHeader)
	limit := rawLimit(s.cfg.MaxMessage)
	if err := writeFirst(a.wire, g.answer(limit), s.cfg.UpgradeTimeout); err != nil {
		a.fail(err)
		return
	}
	c := s.newConn(a.wire, a.in, terms{serializer: g.serializer, raw: g.takes, limit: limit})
	if c == nil {
		a.fail(errors.New("the server is shutting down"))
		return
	}
	var identity any
	if a.state != nil && s.cfg.IdentifyTLS != nil {
		identity = s.cfg.IdentifyTLS(a.state)
	}
	c.begin(&router.Peer{
		Serializer: g.serializer,
		Framing:    RawSocket,
		Transport:  "rawsocket",
		RemoteAddr: a.name(),
		Secure:     a.state != nil,
		MaxFrame:   rawHeader + g.takes,
		Identity:   identity,
		ChannelID:  channelOf(a.state),
	})
}

// keepAliveProbes is how many packets of keep-alive a peer may leave unanswered.
const keepAliveProbes = 3

// keepAlive has the system find dead peers if pings do not. Failure costs a few
// packets, or a connection that stays open for long.
func (s *Server) keepAlive(nc net.Conn) {
	tcp, ok := socketOf(nc).(*net.TCPConn)
	switch {
	case !ok || s.cfg.PingInterval == 0:
	case s.cfg.PingRawSockets:
		_ = tcp.SetKeepAlive(false)
	default:
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: max(s.cfg.PingInterval, time.Second),
			Interval: max(s.cfg.PingTimeout/keepAliveProbes, time.Second), Count: keepAliveProbes,
		})
	}
}

// considerRaw decides about a peer whose greeting is in order.
func (s *Server) considerRaw() rawRefusal {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return rawTooManyOrLate
	}
	if s.admit != nil {
		if _, ok := s.admit(); !ok {
			s.stats.tooMany.Add(1)
			return rawTooManyOrLate
		}
	}
	return rawAccepted
}

// refuse closes the connection, with an answer if that was a greeting.
func (a *rawArrival) refuse(no rawRefusal, answer bool) {
	s := a.srv
	s.stats.refused.Add(1)
	why := "no greeting of RawSocket"
	if answer {
		why = no.String()
	}
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "RawSocket refused",
		slog.String("peer", a.name()), slog.String("why", why))
	a.in.drop()
	if answer {
		if err := writeFirst(a.wire, no.answer(), s.cfg.UpgradeTimeout); err != nil {
			s.log.Debug("refusal not written", slog.String("peer", a.name()), slog.Any("err", err))
		}
	}
	a.wire.hangUp()
}

// fail closes a connection that cannot be accepted.
func (a *rawArrival) fail(err error) {
	a.in.drop()
	a.srv.stats.refused.Add(1)
	a.srv.log.LogAttrs(context.Background(), slog.LevelDebug, "RawSocket not accepted",
		slog.String("peer", a.name()), slog.Any("err", err))
	a.wire.close()
}
