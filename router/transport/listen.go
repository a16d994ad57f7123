package transport

import (
	"context"
	"net"
	"syscall"
)

// Listen listens on a TCP address in the way that suits a gateway's clients,
// who speak first, whatever they speak: HTTP, WebSocket or TLS. On Linux a
// connection is accepted when its first bytes are there, or after about a
// second without any, which spares waiting for them. TCP keep-alive is off:
// whoever serves the connections must time them, as an [net/http.Server] with
// timeouts does, and as pings do.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, rc syscall.RawConn) error {
			return rc.Control(deferAccept)
		},
	}
	return lc.Listen(ctx, "tcp", address)
}
