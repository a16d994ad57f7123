package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// tcpPair returns the two ends of a TCP connection, the first one as an HTTP
// server has it.
func tcpPair(t testing.TB, head string) (server, client net.Conn) {
	t.Helper()
	l := listenTCP(t)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server = transport.NewRequestConn(nc.(*net.TCPConn), []byte(head))
	t.Cleanup(func() { server.Close() })
	return server, client
}

// longAgo is what an HTTP server ends a read with.
var longAgo = time.Unix(1, 0)

// deadlineIs checks that an error is that of a deadline, in the form that HTTP
// servers look for.
func deadlineIs(t *testing.T, op string, err error) {
	t.Helper()
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != op || !e.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %v (%T), want an OpError of %q that is a timeout", op, err, err, op)
	}
}

// A read waits for bytes, and ends with its deadline, whenever that was set.
func TestRequestConnReads(t *testing.T) {
	server, client := tcpPair(t, "first")
	b := make([]byte, 100)
	expect := func(want string) {
		t.Helper()
		n, err := server.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("Read: %q, %v, want %q", b[:n], err, want)
		}
	}
	send := func(text string) {
		t.Helper()
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
	}
	timesOut := func() {
		t.Helper()
		n, err := server.Read(b)
		if n != 0 {
			t.Errorf("Read returned %d bytes with %v", n, err)
		}
		deadlineIs(t, "read", err)
	}
	set := func(limit time.Time) {
		t.Helper()
		if err := server.SetReadDeadline(limit); err != nil {
			t.Fatal(err)
		}
	}

	expect("first")
	if n, err := server.Read(nil); n != 0 || err != nil {
		t.Errorf("Read into nothing: %d, %v", n, err)
	}
	send("a")
	expect("a")

	set(time.Now().Add(10 * time.Millisecond)) // none before
	timesOut()
	timesOut()
	send("b")
	timesOut() // although there is something
	set(time.Time{})
	expect("b")

	set(longAgo)
	timesOut()
	set(time.Now().Add(time.Hour)) // later than the one that passed
	send("c")
	expect("c")

	var wg sync.WaitGroup // while a read waits
	wg.Go(timesOut)
	set(longAgo)
	wg.Wait()
	set(time.Time{})
	wg.Go(timesOut)
	set(time.Now().Add(time.Hour))
	set(time.Now().Add(10 * time.Millisecond)) // earlier than the one before
	wg.Wait()

	// A deadline that has been put off does not end a read, nor the next one.
	for _, later := range []time.Time{{}, time.Now().Add(time.Hour)} {
		const soon = 100 * time.Millisecond
		begin := time.Now()
		set(begin.Add(soon))
		ended := make(chan error, 1)
		go func() {
			_, err := server.Read(b)
			ended <- err
		}()
		set(later)
		inTime := time.Since(begin) < soon // a machine that stands still may be too late
		time.Sleep(soon)                   // longer would find no more
		send("d")
		if err := <-ended; err != nil {
			if inTime {
				t.Errorf("Read with a deadline that was put off to %v: %v", later, err)
			}
			expect("d")
		}
		send("e")
		expect("e")
	}

	client.Close()
	if n, err := server.Read(b); n != 0 || err != io.EOF {
		t.Errorf("Read at the end: %d, %v, want EOF", n, err)
	}
}

// A write waits for a peer that does not read, and ends with its deadline or
// the connection; what was written before counts.
func TestRequestConnWrites(t *testing.T) {
	server, client := tcpPair(t, "")
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than sockets take
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(client, int64(len(large))))
		got <- b
	}()
	if n, err := server.Write(large); n != len(large) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	if b := <-got; !bytes.Equal(b, large) {
		t.Errorf("%d bytes came, want the %d that were written", len(b), len(large))
	}

	if err := server.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := server.Write(large)
	deadlineIs(t, "write", err)
	if n == len(large) {
		t.Errorf("%d bytes written to a peer that does not read, want fewer", n)
	}
	if n, err := server.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write after the deadline: %d, %v", n, err)
	}
	if err := server.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := server.Write(large); err == nil {
			t.Error("Write to a peer that does not read has ended without an error")
		}
	})
	wg.Go(func() {
		if n, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read of a connection that is closed: %d, %v, want %v", n, err, net.ErrClosed)
		}
	})
	time.Sleep(10 * time.Millisecond) // both may wait
	server.Close()
	wg.Wait()
}

// A connection that is taken away from the HTTP server has no deadline, and is
// the bare one again.
func TestRequestConnReleased(t *testing.T) {
	server, client := tcpPair(t, "rest")
	if err := server.SetReadDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := server.Read(b); err != nil || string(b[:n]) != "rest" {
		t.Fatalf("Read: %q, %v", b[:n], err)
	}
	_, err := server.Read(b)
	deadlineIs(t, "read", err)
	if err := server.SetDeadline(time.Time{}); err != nil { // as Hijack does
		t.Fatal(err)
	}
	nc, head := transport.Unreplayed(server)
	if _, ok := nc.(*net.TCPConn); !ok || len(head) != 0 {
		t.Errorf("%T with %q, want a bare connection with nothing", nc, head)
	}
	if _, err := io.WriteString(client, "more"); err != nil {
		t.Fatal(err)
	}
	if n, err := nc.Read(b); err != nil || string(b[:n]) != "more" {
		t.Errorf("Read: %q, %v, want %q", b[:n], err, "more")
	}
}

// Reading and writing for the HTTP server allocate nothing.
func TestRequestConnAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	server, client := tcpPair(t, "")
	b := make([]byte, 100)
	got := testing.AllocsPerRun(100, func() {
		_ = server.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := client.Write(b[:10]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, b[:10]); err != nil {
			t.Fatal(err)
		}
		_ = server.SetWriteDeadline(time.Now().Add(time.Minute))
		if _, err := server.Write(b[:10]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, b[:10]); err != nil {
			t.Fatal(err)
		}
	})
	if got > 0 {
		t.Errorf("%v allocations for a read and a write, want 0", got)
	}
}
