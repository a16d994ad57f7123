package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// A waitHouse is a server of handlers that echo the body of a request, and wait
// where the path is /wait, until they may answer or the client has left.
type waitHouse struct {
	*house
	arrived chan struct{} // a request waits
	answer  chan struct{} // a value lets one go on
	ended   chan error    // of the context of one that waited
}

func openWaiting(t *testing.T, l net.Listener, patient bool) *waitHouse {
	w := &waitHouse{
		house:   &house{t: t},
		arrived: make(chan struct{}), answer: make(chan struct{}), ended: make(chan error, 1),
	}
	w.srv = transport.NewTestServer(func(link router.Link, peer router.Peer) transport.Session {
		return newFakeSession(link, peer)
	}, testConfig(), slog.New(slog.DiscardHandler))
	var handler http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		if r.URL.Path == "/wait" {
			w.arrived <- struct{}{}
			select {
			case <-w.answer:
			case <-r.Context().Done():
			}
			w.ended <- r.Context().Err()
		}
		_, _ = rw.Write(body)
	})
	if patient {
		handler = transport.Patient(handler)
	}
	w.serve(handler, l)
	return w
}

// post is a request by HTTP/1.1.
func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// echoed checks that the next answer has the body.
func echoed(t *testing.T, br *bufio.Reader, want string) {
	t.Helper()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(got) != want {
		t.Errorf("%s %q, %v, want 200 %q", resp.Status, got, err, want)
	}
}

// readsOn reports whether, soon or for long, a goroutine of an HTTP server reads
// on behind a request, or none does, as wanted.
func readsOn(want bool) bool {
	stacks := make([]byte, 4<<20)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		n := runtime.Stack(stacks, true)
		if bytes.Contains(stacks[:n], []byte("created by net/http.(*connReader).startBackgroundRead")) == want {
			return true
		}
	}
	return false
}

// fronts runs f over a front on TCP.
func fronts(t *testing.T, f func(t *testing.T, l net.Listener)) {
	t.Run("tcp", func(t *testing.T) { f(t, frontListener{listenTCP(t)}) })
}

// While a patient handler waits, the server has no goroutine that waits, too.
// Others have one, by which it is seen that the test sees them.
func TestPatientReads(t *testing.T) {
	for _, patient := range []bool{false, true} {
		fronts(t, func(t *testing.T, l net.Listener) {
			w := openWaiting(t, l, patient)
			nc, err := w.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := io.WriteString(nc, post("/wait", "body")); err != nil {
				t.Fatal(err)
			}
			<-w.arrived
			if !readsOn(!patient) {
				t.Errorf("while a request waits, patient %v, the server reads on: %v", patient, patient)
			}
			w.answer <- struct{}{}
			if err := <-w.ended; err != nil {
				t.Errorf("the context of a request whose client waits: %v", err)
			}
			echoed(t, bufio.NewReader(nc), "body")
		})
	}
}

// Requests that come one behind the other, before they are answered, and by all
// kinds of bodies are answered as ever.
func TestPatientAnswers(t *testing.T) {
	fronts(t, func(t *testing.T, l net.Listener) {
		w := openWaiting(t, l, true)
		nc, err := w.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		large := string(bytes.Repeat([]byte("large"), 20_000))
		const chunks = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
		go func() {
			for range 20 {
				_, _ = io.WriteString(nc, post("/echo", "a")+post("/echo", "")+chunks+post("/echo", large))
			}
		}()
		br := bufio.NewReader(nc)
		for range 20 {
			for _, want := range []string{"a", "", "abc", large} {
				echoed(t, br, want)
			}
		}

		// One that comes while another one waits is kept for later, byte by byte.
		if _, err := io.WriteString(nc, post("/wait", "waits")); err != nil {
			t.Fatal(err)
		}
		<-w.arrived
		if _, err := io.WriteString(nc, post("/echo", "behind")); err != nil {
			t.Fatal(err)
		}
		w.answer <- struct{}{}
		if err := <-w.ended; err != nil {
			t.Errorf("the context of a request with another one behind it: %v", err)
		}
		echoed(t, br, "waits")
		echoed(t, br, "behind")
	})
}

// A client that leaves while its request waits ends the request, whichever way
// it leaves.
func TestPatientClientLeaves(t *testing.T) {
	leave := map[string]func(nc net.Conn) error{
		"closes": net.Conn.Close,
		"closes its half": func(nc net.Conn) error {
			return nc.(interface{ CloseWrite() error }).CloseWrite()
		},
		"resets": func(nc net.Conn) error {
			tcp, ok := nc.(*net.TCPConn)
			if !ok {
				return nc.Close()
			}
			if err := tcp.SetLinger(0); err != nil {
				return err
			}
			return tcp.Close()
		},
	}
	fronts(t, func(t *testing.T, l net.Listener) {
		w := openWaiting(t, l, true)
		left := make(map[string]net.Conn)
		for name := range leave {
			nc, err := w.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			left[name] = nc
			if _, err := io.WriteString(nc, post("/wait", "body")); err != nil {
				t.Fatal(err)
			}
			<-w.arrived
		}
		for name, leave := range leave {
			if err := leave(left[name]); err != nil {
				t.Fatalf("client %s: %v", name, err)
			}
		}
		for range leave {
			if err := <-w.ended; err != context.Canceled {
				t.Errorf("the context of a request whose client left: %v, want %v", err, context.Canceled)
			}
		}
	})
}
