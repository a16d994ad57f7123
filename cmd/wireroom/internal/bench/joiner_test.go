//go:build linux

package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
)

// A script is what a fake server does with each connection after it has read
// the upgrade request.
type script func(conn net.Conn, r *http.Request)

// serveScript returns the URL of a server that follows the script.
func serveScript(t *testing.T, do script) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				do(conn, r)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "ws://" + ln.Addr().String() + "/ws?a=b"
}

// grant answers an upgrade request, with the value of Sec-WebSocket-Accept for
// the generator's key.
func grant(protocol string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"sec-websocket-accept: HxOWR8fJQ05YkvjZq2cEBUIuyvM=\r\nSec-WebSocket-Protocol: " + protocol + "\r\n\r\n"
}

func serverMessage(msg string) string { return string(appendServerFrame(nil, []byte(msg))) }

// readMessage reads one message of the client.
func readMessage(conn net.Conn) string {
	h, err := ws.ReadHeader(conn)
	if err != nil || h.Length > 1000 {
		return fmt.Sprint(h.Length, err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(conn, payload); err != nil {
		return err.Error()
	}
	ws.Cipher(payload, h.Mask, 0)
	return string(payload)
}

func joinScript(ctx context.Context, t *testing.T, url string, n int) (*swarm, error) {
	t.Helper()
	w, err := newSwarm(url, &login{realm: "realm1"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, w.joinAll(ctx, &crowd{
		n: n, abreast: 3, to: bystander{},
		ser:   func(int) serializer { return serJSON },
		topic: func(i int) string { return fmt.Sprint("topic.", i) },
	})
}

// Sessions join however the server's bytes are cut, with pings between.
func TestJoiner(t *testing.T) {
	var mu sync.Mutex
	topics := make(map[string]bool)
	var pongs atomic.Int64
	url := serveScript(t, func(conn net.Conn, r *http.Request) {
		if r.URL.RequestURI() != "/ws?a=b" || r.Host != conn.LocalAddr().String() || r.Header.Get("Sec-WebSocket-Key") != joinKey {
			t.Errorf("the request is %+v", r)
		}
		dribble := func(s string) {
			for len(s) > 0 {
				n := min(7, len(s))
				_, _ = io.WriteString(conn, s[:n])
				s = s[n:]
			}
		}
		dribble(grant("wamp.2.json") + "\x89\x01p")
		if got := readMessage(conn); strings.HasPrefix(got, `[1,"realm1",{`) {
			dribble(serverMessage(`[2,1234,{"roles":{}}]`))
		} else if got == "p" {
			pongs.Add(1)
			readMessage(conn)
			dribble(serverMessage(`[2,1234,{"roles":{}}]`))
		}
		got := readMessage(conn)
		if got == "p" {
			pongs.Add(1)
			got = readMessage(conn)
		}
		mu.Lock()
		topics[got] = true
		mu.Unlock()
		dribble(serverMessage(`[33,1,77]`))
		_, _ = io.Copy(io.Discard, conn)
	})
	w, err := joinScript(t.Context(), t, url, 10)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(topics) != 10 || !topics[`[32,1,{},"topic.9"]`] {
		t.Errorf("subscribed to %v", topics)
	}
	if n := pongs.Load(); n != 10 {
		t.Errorf("%d pongs, want 10", n)
	}
	w.loops[0].mu.Lock()
	n := len(w.loops[0].peers)
	w.loops[0].mu.Unlock()
	if n != 5 {
		t.Errorf("a loop of two reads %d of 10 sessions, want 5", n)
	}
}

// Whatever a server answers that does not lead to a subscription is an error
// that says what it was.
func TestJoinerErrors(t *testing.T) {
	welcome := grant("wamp.2.json") + serverMessage(`[2,1,{}]`)
	for _, tt := range []struct{ name, answer, want string }{
		{"closed", "", "upgrade: the server closed the connection"},
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", `answered "HTTP/1.1 404 Not Found"`},
		{"wrong key", strings.Replace(grant("wamp.2.json"), "HxOW", "XXXX", 1), `Sec-WebSocket-Accept "XXXX`},
		{"wrong subprotocol", grant("wamp.2.cbor"), `agreed to subprotocol "wamp.2.cbor", expected "wamp.2.json"`},
		{"abort", grant("wamp.2.json") + serverMessage(`[3,{},"wamp.error.no_such_realm"]`), "join: the server sent ABORT"},
		{"close frame", grant("wamp.2.json") + "\x88\x06\x03\xf1busy", "join: the server closed the connection: 1009 busy"},
		{"fragment", grant("wamp.2.json") + "\x01\x00", "fragmented"},
		{"garbage", grant("wamp.2.json") + serverMessage(`{}`), "unexpected message"},
		{"masked", grant("wamp.2.json") + "\x81\x80abcd", "masked"},
		{"closed while subscribing", welcome, "subscribe: the server closed the connection"},
		{"error", welcome + serverMessage(`[8,32,1,{},"wamp.error.not_authorized"]`), "subscribe: the server sent ERROR"},
		{"another answer", welcome + serverMessage(`[33,2,77]`), "subscribe: the server sent an unexpected message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serveScript(t, func(conn net.Conn, _ *http.Request) {
				_, _ = io.WriteString(conn, tt.answer)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			})
			_, err := joinScript(t.Context(), t, url, 2)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "session ") {
				t.Errorf("error %v, want session … and %q", err, tt.want)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		addr, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := joinScript(t.Context(), t, "ws://"+addr+"/ws", 2); err == nil || !strings.Contains(err.Error(), "connect: connection refused") {
			t.Errorf("error %v, want connect: connection refused", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		url := serveScript(t, func(conn net.Conn, _ *http.Request) {
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		})
		if _, err := joinScript(ctx, t, url, 2); err != context.Canceled {
			t.Errorf("error %v, want the cause", err)
		}
	})
}
