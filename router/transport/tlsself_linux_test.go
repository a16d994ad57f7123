package transport_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// mostKept is how much ciphertext may be kept for a peer that does not read:
// what one group makes, and a little that TLS answers.
const mostKept = 18<<10 + 256

// A filler writes to a peer that does not read.
type filler struct {
	t    *testing.T
	p    *peer
	rng  *rand.Rand
	all  []byte // in order
	rest []byte // the end of all, which must be written next
}

func newFiller(t *testing.T, p *peer) *filler {
	return &filler{t: t, p: p, rng: rand.New(rand.NewPCG(3, 4))}
}

// more returns bytes that are to be written next.
func (f *filler) more(most int) []byte {
	b := make([]byte, 1+f.rng.IntN(most))
	for i := range b {
		b[i] = byte(f.rng.Uint32())
	}
	f.all = append(f.all, b...)
	return b
}

// try writes what the socket takes of one frame, and returns how much that is.
func (f *filler) try() int {
	f.t.Helper()
	if len(f.rest) == 0 {
		f.rest = f.more(9000)
	}
	n, err := f.p.sess.link.TryWrite([][]byte{f.rest})
	if err != nil {
		f.t.Fatalf("TryWrite: %v", err)
	}
	f.rest = f.rest[n:]
	return n
}

// fill writes until the socket has been full for a while.
func (f *filler) fill() {
	f.t.Helper()
	for since := time.Now(); time.Since(since) < 100*time.Millisecond; runtime.Gosched() {
		if f.try() > 0 {
			since = time.Now()
		}
	}
}

// await waits for something that must come true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// The peer may change keys at any time and ask for the same.
func TestTLSKeyUpdate(t *testing.T) {
	l := listenTLS(t)
	h := open(t, testConfig(), l)
	p := h.connectSealed(l)
	for range 5 {
		record := p.out.seal(contentHandshake, keyUpdate)
		p.sendRaw(record[:9])
		await(t, "half of a key update is read", func() bool { return transport.Unread(p.sess.link) == 0 })
		transport.Nudge(p.sess.link)
		p.sendRaw(record[9:])
		p.out.update()
		p.sendRaw(p.out.seal(contentData, mask(fin|text, "m")) + p.out.seal(contentData, "") + p.out.seal(contentData, mask(fin|ping, "p")))
		if f, err := p.read(); err != nil || f.first != fin|pong {
			t.Fatalf("got %q, %v; want a pong", f, err)
		}
	}
	if got := p.sess.got(); len(got) != 5 {
		t.Errorf("delivered %q, want 5 messages", got)
	}
}

// What TLS answers by itself to a peer that does not read is bounded, lost
// nowhere and out of nobody's way: not of the write that waits, nor, when
// nobody writes, of the reader.
func TestTLSAnswersToStalledPeer(t *testing.T) {
	for _, writer := range []bool{true, false} {
		l := listenTLS(t)
		h := open(t, testConfig(), l)
		p := h.connectSealed(l)
		f := newFiller(t, p.peer)
		f.fill()

		var (
			writing, sending sync.WaitGroup
			sent             int
		)
		stop := make(chan struct{})
		stopped := func() bool {
			select {
			case <-stop:
				return true
			default:
				return false
			}
		}
		write := func(b []byte) {
			if err := p.sess.link.Write([][]byte{b}, time.Now().Add(time.Minute)); err != nil {
				t.Errorf("Write: %v", err)
			}
		}
		if writer {
			writing.Go(func() {
				for write(f.rest); !stopped(); {
					write(f.more(100_000))
				}
			})
		}
		sending.Go(func() {
			for !stopped() {
				var many strings.Builder // in one read of the server
				for range 100 {
					many.WriteString(p.out.seal(contentHandshake, keyUpdate))
					p.out.update()
					many.WriteString(p.out.seal(contentData, mask(fin|text, "m")))
					sent++
				}
				p.sendRaw(many.String())
			}
		})
		await(t, "an answer is owed", func() bool {
			if !writer {
				f.try() // the system may find room after all
			}
			_, owed := transport.Kept(p.sess.link)
			return owed
		})
		for begin := time.Now(); time.Since(begin) < 200*time.Millisecond; runtime.Gosched() {
			if n, _ := transport.Kept(p.sess.link); n > mostKept {
				t.Fatalf("%d bytes are kept for a peer that does not read, want at most %d", n, mostKept)
			}
		}
		close(stop)

		var last sync.WaitGroup
		last.Go(func() {
			sending.Wait()
			writing.Wait()
			if !writer {
				for len(p.sess.got()) < sent { // which needs no writer
					runtime.Gosched()
				}
				write(f.rest) // which has been encrypted, and has arrived
			}
			write([]byte("last"))
		})

		// Now it reads, until everything that was written has come and every
		// update is answered.
		var got []byte
		answers := 0
		read := func() (over bool) {
			kind, content, err := p.in.open(p.raw)
			switch {
			case err != nil:
				t.Fatalf("writer %v: after %d bytes and %d answers: %v", writer, len(got), answers, err)
			case kind == contentData && string(content) == "last":
				return true
			case kind == contentData:
				got = append(got, content...)
			case kind == contentHandshake && string(content) == keyUpdateBack:
				answers++
			default:
				t.Fatalf("a record of type %d: %q", kind, content)
			}
			return false
		}
		for over := false; !over; {
			over = read()
		}
		last.Wait()
		for answers < sent {
			read()
		}
		if !bytes.Equal(got, f.all) {
			t.Errorf("writer %v: the peer gets other bytes", writer)
		}
		await(t, "all messages are read", func() bool { return len(p.sess.got()) == sent })
		if n, owed := transport.Kept(p.sess.link); n != 0 || owed {
			t.Errorf("%d bytes are kept at the end, owed %v", n, owed)
		}
	}
}

// A connection whose socket is full is closed without waiting for the peer.
func TestTLSHangUpDoesNotWait(t *testing.T) {
	l := listenTLS(t)
	h := open(t, testConfig(), l)
	p := h.connect("wamp.2.json", "")
	newFiller(t, p).fill()
	begin := time.Now()
	p.sess.link.Finish(0)
	<-p.sess.detached
	if d := time.Since(begin); d > 2*time.Second { // crypto/tls alone waits five
		t.Errorf("closing takes %v", d)
	}
}

// Records that are no TLS end the connection, and the peer is told by an alert.
func TestTLSBroken(t *testing.T) {
	tests := []struct {
		name string
		send func(p *sealedPeer) string
		want string // alert that the peer gets
	}{
		{"bad tag", func(p *sealedPeer) string {
			r := p.out.seal(contentData, "m")
			return r[:len(r)-1] + string(r[len(r)-1]^1)
		}, "bad record MAC"},
		{"too long", func(*sealedPeer) string { return "\x17\x03\x03\xff\xff" }, "record overflow"},
		{"other version", func(*sealedPeer) string { return "\x17\x02\x00\x00\x01m" }, "protocol version"},
		{"no TLS", func(*sealedPeer) string { return "GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 20_000) }, "protocol version"},
		{"unknown content", func(p *sealedPeer) string { return p.out.seal(99, "m") }, "unexpected message"},
		{"unexpected handshake", func(p *sealedPeer) string { return p.out.seal(contentHandshake, "\x01\x00\x00\x00") }, "error decoding message"},
		{"nothing but empty records", func(p *sealedPeer) string {
			var b strings.Builder
			for range 40 {
				b.WriteString(p.out.seal(contentData, ""))
			}
			return b.String()
		}, "unexpected message"},
	}
	l := listenTLS(t)
	h := open(t, testConfig(), l)
	for _, tt := range tests {
		p := h.connectSealed(l)
		p.sendRaw(p.out.seal(contentData, mask(fin|text, "m")) + tt.send(p))
		_, err := p.read()
		if err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the peer gets %v, want the alert %q", tt.name, err, tt.want)
		}
		<-p.sess.detached
		if _, err := p.sess.reason(); err == nil || !strings.Contains(err.Error(), "tls:") && !strings.Contains(err.Error(), "local error") {
			t.Errorf("%s: detached with %v, want an error of TLS", tt.name, err)
		}
		if got := p.sess.got(); len(got) != 1 {
			t.Errorf("%s: delivered %q, want the message before", tt.name, got)
		}
	}
}

// A peer that goes in the middle of a record is told apart from one that goes
// between two, with a goodbye of TLS or without.
func TestTLSEnd(t *testing.T) {
	tests := []struct {
		name string
		send func(p *sealedPeer) string
		want error
	}{
		{"close_notify", func(p *sealedPeer) string { return p.out.seal(contentAlert, closeNotify) }, io.EOF},
		{"between records", func(*sealedPeer) string { return "" }, io.EOF},
		{"in a header", func(p *sealedPeer) string { return p.out.seal(contentData, "m")[:3] }, io.ErrUnexpectedEOF},
		{"in a record", func(p *sealedPeer) string { return p.out.seal(contentData, "m")[:9] }, io.ErrUnexpectedEOF},
	}
	l := listenTLS(t)
	h := open(t, testConfig(), l)
	for _, tt := range tests {
		p := h.connectSealed(l)
		p.sendRaw(tt.send(p))
		p.raw.Close()
		<-p.sess.detached
		if _, err := p.sess.reason(); !errors.Is(err, tt.want) {
			t.Errorf("%s: detached with %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Behind the last frame TLS says that it was the last, so that nobody can cut
// the stream unnoticed: in a closing handshake, and after a violation.
func TestTLSSaysGoodbye(t *testing.T) {
	l := listenTLS(t)
	h := open(t, testConfig(), l)
	for _, send := range []string{bye, mask(fin|3, "")} {
		p := h.connectSealed(l)
		p.sendRaw(p.out.seal(contentData, send))
		if kind, content, err := p.in.open(p.raw); err != nil || kind != contentData || content[0] != fin|clos {
			t.Fatalf("got a record of type %d, %q, %v; want a close frame", kind, content, err)
		}
		if kind, content, err := p.in.open(p.raw); err != nil || kind != contentAlert || string(content) != closeNotify {
			t.Errorf("got a record of type %d, %q, %v; want close_notify", kind, content, err)
		}
		if n, err := p.raw.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %d more bytes, %v; want the end", n, err)
		}
		p.raw.Close()
		<-p.sess.detached
	}
}
