package sockio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/sockio"
)

// pair returns the two ends of a connection, of which the first one is quick.
func pair(t *testing.T, network string) (quick, other net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if other, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	quick = sockio.Quick(nc)
	t.Cleanup(func() { _ = quick.Close(); _ = other.Close() })
	return quick, other
}

func TestQuickCarriesEverything(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			quick, other := pair(t, network)
			// More than sockets hold, so that both sides have to wait, and in
			// pieces both shorter and longer than what goes without the scheduler.
			want := make([]byte, 9<<20)
			for i := range want {
				want[i] = byte(i * 7 >> 3)
			}
			go func() {
				for rest, n := want, 1; len(rest) > 0; n = n*5 + 1 {
					n = min(n%100_000, len(rest))
					if w, err := quick.Write(rest[:n]); w != n || err != nil {
						t.Errorf("Write: %d, %v, want %d", w, err, n)
						return
					}
					rest = rest[n:]
				}
			}()
			go func() { _, _ = io.Copy(other, other) }() // sends it back
			got := make([]byte, len(want))
			if _, err := io.ReadFull(quick, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("ReadFull: %v, all the same %v", err, bytes.Equal(got, want))
			}
		})
	}
}

func TestQuickEnds(t *testing.T) {
	quick, other := pair(t, "tcp")
	if n, err := quick.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	_ = quick.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := quick.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline: %v", err)
	}
	if e, ok := errors.AsType[net.Error](errOf(quick.Read(make([]byte, 1)))); !ok || !e.Timeout() {
		t.Error("Read past its deadline gives no timeout")
	}
	_ = quick.SetReadDeadline(time.Time{})
	_ = quick.SetWriteDeadline(time.Now().Add(-time.Second))
	if _, err := quick.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write past its deadline: %v", err)
	}
	_ = quick.SetWriteDeadline(time.Time{})
	_ = other.Close()
	if n, err := quick.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read behind the end: %d, %v, want EOF", n, err)
	}
	_ = quick.Close()
	if _, err := quick.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := quick.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

func TestQuickErrors(t *testing.T) {
	quick, other := pair(t, "tcp")
	_ = other.(*net.TCPConn).SetLinger(0) // so that closing resets the connection
	_ = other.Close()
	_, err := quick.Read(make([]byte, 1))
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != "read" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read from a connection that was reset: %v", err)
	}
	_, err = quick.Write([]byte("x"))
	if e, ok := errors.AsType[*net.OpError](err); !ok || e.Op != "write" || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write to a connection that was reset: %v", err)
	}
}

func TestQuickLooksThrough(t *testing.T) {
	quick, _ := pair(t, "tcp")
	s, ok := quick.(syscall.Conn)
	if !ok {
		t.Fatal("a quick connection hides its socket")
	}
	rc, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Control(func(uintptr) {}); err != nil {
		t.Error(err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if sockio.Quick(a) != a {
		t.Error("Quick changes what is no socket")
	}
}

func errOf(_ int, err error) error { return err }
