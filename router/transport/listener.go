package transport

import "net"

// NewListener returns a listener that accepts what l accepts, in a form that
// lets a [Server] serve TLS as thriftily as plain sockets: without a buffer
// while a connection is idle, and without a goroutine for each delivery. Put it
// below TLS:
//
//	l = tls.NewListener(transport.NewListener(l), config)
//
// To crypto/tls and net/http its connections are ordinary ones. Once a request
// over TLS has become a WebSocket, reads and writes below TLS no longer wait.
// TLS over any other listener works too, at the cost of a buffer for each
// connection and a goroutine for each write.
//
// Without TLS it gains nothing. On systems other than Linux reads and writes
// wait as ever.
func NewListener(l net.Listener) net.Listener { return leanListener{l} }

type leanListener struct{ net.Listener }

func (l leanListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newLean(nc), nil
}
