//go:build linux

package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
)

// dial connects to a server and agrees on framing and serializer. nth is the
// number of the connection in this run: it decides the client's address.
func dial(ctx context.Context, rawURL string, ser serializer, lg *login, nth int) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	s := &session{ser: ser}
	_, _ = rand.Read(s.mask[:])
	d := localDialer(u, nth)
	switch u.Scheme {
	case "ws", "wss":
		wd := ws.Dialer{
			Protocols: []string{ser.subprotocol()},
			NetDial:   d.DialContext,
			TLSConfig: &tls.Config{InsecureSkipVerify: lg.insecure, RootCAs: lg.roots},
		}
		if lg.cookie != "" {
			wd.Header = ws.HandshakeHeaderString("Cookie: " + lg.cookie + "\r\n")
		}
		if lg.deflate {
			wd.Extensions = []httphead.Option{offerDeflate}
		}
		var refused *refusedError
		wd.OnStatusError = func(status int, _ []byte, resp io.Reader) { refused = refusedByHTTP(status, resp) }
		conn, br, hs, err := wd.Dial(ctx, rawURL)
		if refused != nil {
			err = refused
		}
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", rawURL, err)
		}
		s.conn = conn
		if br != nil {
			s.unread = make([]byte, br.Buffered())
			_, _ = io.ReadFull(br, s.unread)
			ws.PutReader(br)
		}
		if hs.Protocol != ser.subprotocol() {
			_ = conn.Close()
			return nil, fmt.Errorf("connect to %s: the server agreed to subprotocol %q, expected %q", rawURL, hs.Protocol, ser.subprotocol())
		}
		if lg.deflate {
			if err := checkDeflate(hs.Extensions); err != nil {
				_ = conn.Close()
				return nil, fmt.Errorf("connect to %s: %w", rawURL, err)
			}
			s.framing = frameDeflate
		}
		return s, nil
	}
	if lg.deflate {
		return nil, fmt.Errorf("connect to %s: permessage-deflate needs WebSocket", rawURL)
	}
	s.framing = frameRaw
	if s.conn, err = dialRaw(ctx, d, u, lg); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", rawURL, err)
	}
	if err := s.rawHandshake(); err != nil {
		_ = s.conn.Close()
		return nil, fmt.Errorf("connect to %s: %w", rawURL, err)
	}
	return s, nil
}

// localDialer returns a dialer that leaves from the client address that
// connection nth should have.
func localDialer(u *url.URL, nth int) *net.Dialer {
	d := &net.Dialer{}
	if local := localIP(net.ParseIP(u.Hostname()), nth); local != nil {
		d.LocalAddr = &net.TCPAddr{IP: local}
	}
	return d
}

// localIP returns the client address that connection nth to remote should
// leave from, or nil: any.
func localIP(remote net.IP, nth int) net.IP {
	if at := nth / perAddress; at > 0 && remote.To4() != nil && remote.IsLoopback() {
		return net.IPv4(127, 0, 0, byte(1+at%250))
	}
	return nil
}

func dialRaw(ctx context.Context, d *net.Dialer, u *url.URL, lg *login) (net.Conn, error) {
	switch u.Scheme {
	case "unix":
		return d.DialContext(ctx, "unix", u.Path)
	case "rss":
		td := tls.Dialer{NetDialer: d, Config: &tls.Config{InsecureSkipVerify: lg.insecure, RootCAs: lg.roots}}
		return td.DialContext(ctx, "tcp", u.Host)
	}
	return d.DialContext(ctx, "tcp", u.Host)
}

// rawHandshake agrees on the serializer of a RawSocket connection.
func (s *session) rawHandshake() error {
	_ = s.conn.SetDeadline(time.Now().Add(joinTimeout))
	if _, err := s.conn.Write([]byte{0x7f, 0xf0 | s.ser.rawID(), 0, 0}); err != nil {
		return err
	}
	var answer [4]byte
	if _, err := io.ReadFull(s.conn, answer[:]); err != nil {
		return fmt.Errorf("RawSocket handshake: %w", err)
	}
	if answer[0] != 0x7f || answer[1]&0x0f != s.ser.rawID() {
		return fmt.Errorf("RawSocket handshake: the server answered % x, which does not agree to %s", answer, s.ser)
	}
	return nil
}
