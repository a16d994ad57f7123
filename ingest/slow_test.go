package ingest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// A pipeListener is a listener whose connections are made by dial, in memory.
type pipeListener struct {
	conns chan net.Conn // unbuffered; never closed
	done  chan struct{} // closed by Close
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

// serve runs an HTTP server with the handler, and f with a connection to it.
func serve(t *testing.T, handler http.HandlerFunc, f func(c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: handler}
		stopped := make(chan error, 1)
		go func() { stopped <- server.Serve(listener) }()
		c := listener.dial()
		f(c)
		c.Close()
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-stopped
	})
}

const readTimeout = 10 * time.Second

// take reads the body of a request and says what it got.
func take(w http.ResponseWriter, r *http.Request) {
	ingest.LimitRead(w, readTimeout)
	body, err := ingest.ReadBody(w, r, nil, 100)
	if err != nil {
		http.Error(w, ingest.AsError(err).Kind.String(), http.StatusRequestTimeout)
		return
	}
	_, _ = w.Write(body)
}

// ask sends a request and returns the answer, without its body, and how long it
// took to come.
func ask(t *testing.T, c net.Conn, request string) (*http.Response, string, time.Duration) {
	t.Helper()
	start := time.Now()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, strings.TrimSpace(string(body)), time.Since(start)
}

// A body that does not come ends the request and the connection, in time.
func TestSlowBody(t *testing.T) {
	serve(t, take, func(c net.Conn) {
		resp, body, took := ask(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
		if resp.StatusCode != http.StatusRequestTimeout || body != "timeout" || took != readTimeout || !resp.Close {
			t.Errorf("answer %d %q after %v, close %v; want 408 after %v, and the connection closed",
				resp.StatusCode, body, took, resp.Close, readTimeout)
		}
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection gives %d bytes, %v, want EOF", n, err)
		}
	})
}

// So does the body of a request that is refused without reading it.
func TestSlowBodyRefused(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		ingest.LimitRead(w, readTimeout)
		http.Error(w, "no", http.StatusForbidden)
	}
	serve(t, refuse, func(c net.Conn) {
		resp, _, took := ask(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
		if resp.StatusCode != http.StatusForbidden || took > readTimeout {
			t.Errorf("answer %d after %v, want 403 after at most %v", resp.StatusCode, took, readTimeout)
		}
		start := time.Now()
		if n, err := c.Read(make([]byte, 1)); err != io.EOF || time.Since(start) > readTimeout {
			t.Errorf("the connection gives %d bytes, %v after %v, want EOF in time", n, err, time.Since(start))
		}
	})
}

// A handler may work longer than the body may take, and the connection may rest
// longer.
func TestSlowHandler(t *testing.T) {
	work := func(w http.ResponseWriter, r *http.Request) {
		ingest.LimitRead(w, readTimeout)
		body, err := ingest.ReadBody(w, r, nil, 100)
		select {
		case <-r.Context().Done():
			err = context.Cause(r.Context())
		case <-time.After(10 * readTimeout):
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
	}
	serve(t, work, func(c net.Conn) {
		for _, want := range []string{"first", "other"} {
			resp, body, _ := ask(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"+want)
			if resp.StatusCode != http.StatusOK || body != want {
				t.Errorf("answer %d %q, want 200 %q", resp.StatusCode, body, want)
			}
			<-time.After(10 * readTimeout)
		}
	})
}

// Too large a body that is not far too large is read in vain, so that the peer
// comes to reading the answer.
func TestTooLargeIsDrained(t *testing.T) {
	serve(t, take, func(c net.Conn) {
		resp, body, _ := ask(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"+strings.Repeat("a", 300_000))
		if body != "too-large" || !resp.Close {
			t.Errorf("answer %q, close %v; want too-large and the connection closed", body, resp.Close)
		}
	})
}
