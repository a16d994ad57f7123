package transport_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// A connection is accepted whether its peer speaks or not, and the bytes of one
// that speaks are there.
func TestListen(t *testing.T) {
	l, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, hello := range []string{"hello", ""} {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		io.WriteString(client, hello)
		server, err := l.Accept()
		if err != nil {
			t.Fatalf("a peer that says %q is not accepted: %v", hello, err)
		}
		defer server.Close()
		got := make([]byte, len(hello))
		if _, err := io.ReadFull(server, got); err != nil || string(got) != hello {
			t.Errorf("read %q, %v; want %q", got, err, hello)
		}
		io.WriteString(server, "answer")
		got = make([]byte, 6)
		if _, err := io.ReadFull(client, got); err != nil || string(got) != "answer" {
			t.Errorf("read %q, %v; want an answer", got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transport.Listen(ctx, "no such address"); err == nil {
		t.Error("listening on no such address works")
	}
}
