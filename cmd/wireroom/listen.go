package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/router/transport"
)

// listen binds the address of the HTTP listener.
func listen(ctx context.Context, l config.Listen) (net.Listener, error) {
	ln, err := listenTCP(ctx, l.HTTP, l.TLS, "http/1.1") // without HTTP/2, which has no use here: WebSocket needs 1.1
	if err != nil {
		return nil, fmt.Errorf("listen.http: %w", err)
	}
	return ln, nil
}

// listenRaw binds the addresses of the listeners for RawSocket.
func listenRaw(ctx context.Context, l config.Listen) (all []net.Listener, err error) {
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
			ln, err = listenTCP(ctx, a.Name, l.TLS)
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

// listenTCP binds an address, for TLS if there is a certificate, with the
// protocols that it offers by name.
func listenTCP(ctx context.Context, addr string, cert *config.TLS, protocols ...string) (net.Listener, error) {
	ln, err := transport.Listen(ctx, addr)
	if err != nil || cert == nil {
		return ln, err
	}
	pair, err := cert.Certificate()
	if err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("listen.tls: %w", err)
	}
	return tls.NewListener(transport.NewListener(ln), &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   protocols,
		// The wires gather what they write; smaller records would only be
		// more system calls.
		DynamicRecordSizingDisabled: true,
	}), nil
}
