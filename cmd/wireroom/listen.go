package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/router/transport"
)

// listen binds the address of the HTTP listener.
func listen(ctx context.Context, l config.Listen, keeper *certs.Keeper) (net.Listener, error) {
	// HTTP/2 for event streams and requests; whoever wants a WebSocket asks for
	// 1.1, and whoever wants a RawSocket for nothing.
	ln, err := listenTCP(ctx, l.HTTP, keeper, "h2", "http/1.1")
	if err != nil {
		return nil, fmt.Errorf("listen.http: %w", err)
	}
	return ln, nil
}

// listenRaw binds the addresses of the listeners for RawSocket.
func listenRaw(ctx context.Context, l config.Listen, keeper *certs.Keeper) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
			all = nil
		}
	}()
	for _, a := range l.RawSocket {
		var ln net.Listener
		if a.Network == "unix" {
			ln, err = transport.ListenUnix(ctx, a.Name, l.SocketMode)
		} else {
			ln, err = listenTCP(ctx, a.Name, keeper)
		}
		if err != nil {
			return all, fmt.Errorf("listen.rawsocket: %w", err)
		}
		all = append(all, ln)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		_ = ln.Close()
	}
}

// listenTCP binds an address, for TLS if there are certificates, with the
// protocols that it offers by name.
func listenTCP(ctx context.Context, addr string, keeper *certs.Keeper, protocols ...string) (net.Listener, error) {
	ln, err := transport.Listen(ctx, addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	if keeper == nil {
		return ln, nil
	}
	return tls.NewListener(transport.NewListener(ln), keeper.TLS(protocols...)), nil
}

// listenError says why addr cannot be listened on, without what the system calls
// are named.
func listenError(addr string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("cannot listen on %s: %w", addr, errno)
	}
	return fmt.Errorf("cannot listen: %w", err)
}

// listenACME binds the address for the challenges of an ACME server; nil if
// there is none.
func listenACME(ctx context.Context, l config.Listen) (net.Listener, error) {
	if l.ACME == "" {
		return nil, nil
	}
	ln, err := transport.Listen(ctx, l.ACME)
	if err != nil {
		return nil, fmt.Errorf("listen.tls.acme.http: %w", listenError(l.ACME, err))
	}
	return ln, nil
}

// keepCertificates returns the keeper of the certificates, or nil if there is
// no TLS.
func keepCertificates(l config.Listen, log *slog.Logger) (*certs.Keeper, error) {
	if l.TLS == nil {
		return nil, nil
	}
	k, err := certs.New(*l.TLS, log.With("part", "tls"))
	if err != nil {
		return nil, fmt.Errorf("listen.tls: %w", err)
	}
	return k, nil
}
