package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
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

// ListenUnix listens on a Unix socket, a file with the permissions of mode,
// which is removed when the listener is closed. A socket that nobody listens on
// any more, as a program that was killed leaves it behind, is replaced; one
// that somebody listens on, or any other file, is an error.
func ListenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{
		Control: func(_, _ string, rc syscall.RawConn) error {
			// On Linux the file has these permissions from the moment that
			// it is there. Others may ignore it.
			return rc.Control(func(fd uintptr) { restrict(fd, mode) })
		},
	}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket at path if nobody listens on it.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("listen on %s: there is a file that is no socket", path)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = nc.Close()
		return fmt.Errorf("listen on %s: %w", path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}
