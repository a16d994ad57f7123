package transport_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/wireroom/wireroom/router/transport"
)

// A place is where clients connect: a listener, with an HTTP server of its own
// in front of the transport's for WebSockets.
type place struct {
	name    string
	l       net.Listener
	client  *tls.Config // nil: no TLS
	bare    bool        // RawSocket, without an HTTP server
	fronted bool        // the transport answers upgrades before the HTTP server
	server  *http.Server
	wg      sync.WaitGroup
}

// A tightListener has the system buffer little of what is written to those
// that it accepts, so that a peer that does not read is soon noticed.
type tightListener struct{ net.Listener }

func (l tightListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(interface{ SetWriteBuffer(int) error }); ok && err == nil {
		err = tcp.SetWriteBuffer(8 << 10)
	}
	return c, err
}

// listen opens the places.
func (sk *soak) listen() {
	var sockets [2]net.Listener
	for i := range sockets {
		var err error
		if sockets[i], err = net.Listen("unix", filepath.Join(sk.t.TempDir(), "soak.sock")); err != nil {
			sk.t.Fatal(err)
		}
	}
	sk.places = []*place{
		{name: "tcp, fronted", fronted: true, l: listenTCP(sk.t)},
		{name: "tight tcp", l: tightListener{listenTCP(sk.t)}},
		{name: "tight tcp, fronted", fronted: true, l: tightListener{listenTCP(sk.t)}},
		{name: "tight unix, fronted", fronted: true, l: tightListener{sockets[0]}},
		{name: "tls", l: listenTLS(sk.t), client: clientTLS()},
		{name: "tight tls", l: tls.NewListener(transport.NewListener(tightListener{listenTCP(sk.t)}), serverTLS()), client: clientTLS()},
		{name: "rawsocket", l: listenTCP(sk.t), bare: true},
		{name: "tight rawsocket, unix", l: tightListener{sockets[1]}, bare: true},
		{name: "tight rawsocket, tls", l: tls.NewListener(transport.NewListener(tightListener{listenTCP(sk.t)}), serverTLS()), client: clientTLS(), bare: true},
		{name: "plain-wire tls", l: tls.NewListener(tightListener{listenTCP(sk.t)}, serverTLS()), client: clientTLS()},
	}
	for _, pl := range sk.places {
		if pl.bare {
			pl.wg.Go(func() {
				if err := sk.srv.ServeRawSocket(pl.l); err != nil && !errors.Is(err, net.ErrClosed) {
					sk.t.Errorf("ServeRawSocket: %v", err)
				}
			})
			continue
		}
		pl.server = &http.Server{
			Handler: sk.srv, ReadHeaderTimeout: patientlyWaited,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		}
		pl.wg.Go(func() {
			if err := pl.server.Serve(sk.front(pl)); !errors.Is(err, http.ErrServerClosed) {
				sk.t.Errorf("Serve: %v", err)
			}
		})
	}
}

// front has the transport answer upgrades by itself at every other place, as
// it does for a whole gateway.
func (sk *soak) front(pl *place) net.Listener {
	if pl.fronted {
		return sk.srv.Front(pl.l, "/ws")
	}
	return pl.l
}

// dial connects. A tight client has the system buffer little.
func (pl *place) dial(tight bool) (conn net.Conn, raw *brittleConn, err error) {
	d := net.Dialer{}
	if tight {
		d.Control = smallBuffers
	}
	addr := pl.l.Addr()
	under, err := d.Dial(addr.Network(), addr.String())
	if err != nil {
		return nil, nil, err
	}
	raw = &brittleConn{Conn: under}
	if pl.client == nil {
		return raw, raw, nil
	}
	return tls.Client(raw, pl.client), raw, nil
}

func (pl *place) close() {
	if pl.bare {
		pl.l.Close()
	} else {
		pl.server.Close()
	}
	pl.wg.Wait()
}
