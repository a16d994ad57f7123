package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// within reports whether d is at least least and at most most.
func within(d, least, most time.Duration) bool { return d >= least && d <= most }

// A peer whose session does not read for a while, for reasons of its own, is
// not taken for dead.
func TestBusySessionIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		p := h.connect("wamp.2.json", "")
		p.sess.receive = func([]byte) error {
			p.sess.busy.Store(true)
			<-time.After(5 * time.Minute)
			p.sess.busy.Store(false)
			return nil
		}
		p.send(mask(fin|text, "m"))
		// It is pinged, and can't know that its pongs are not read yet.
		pings, began := 0, time.Now()
		for {
			f, err := p.read()
			if err == nil && f.first == fin|ping {
				pings++
				continue
			}
			if err != nil || f.first != fin|clos {
				t.Fatalf("got %q, %v; want pings, and at last a close frame", f, err)
			}
			break
		}
		if d := time.Since(began); pings < 7 || d < 5*time.Minute || d > 6*time.Minute {
			t.Errorf("ended after %d pings and %v, want that silence counts when the peer is heard again after 5m", pings, d)
		}
	})
}

func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig() // pings after 30s, 10s to answer: a look takes 1.25s
		const look = 10 * time.Second / 8
		h := open(t, cfg, newPipeListener())
		start := time.Now()
		p := h.connect("wamp.2.json", "")

		// A peer that answers stays.
		for range 5 {
			f, err := p.read()
			if err != nil || f.first != fin|ping || f.payload != "" {
				t.Fatalf("got %q, %v; want a ping", f, err)
			}
			if d := time.Since(start); !within(d, 30*time.Second, 30*time.Second+2*look) {
				t.Errorf("ping after %v of silence, want 30s to 32.5s", d)
			}
			<-time.After(9 * time.Second)
			start = time.Now()
			p.send(mask(fin|pong, f.payload))
		}
		// So does one that sends anything.
		for range 100 {
			<-time.After(20 * time.Second)
			p.send(mask(fin|text, "m"))
		}
		if st := h.srv.Stats(); st.Pings != 5 {
			t.Errorf("%d pings, want 5: a peer that sends needs none", st.Pings)
		}
		// Half a frame is something.
		start = time.Now()
		p.send(mask(fin|text, "mm")[:7])
		if f, err := p.read(); err != nil || f.first != fin|ping {
			t.Fatalf("got %q, %v; want a ping", f, err)
		}
		if d := time.Since(start); !within(d, 30*time.Second, 30*time.Second+2*look) {
			t.Errorf("ping after %v, want 30s to 32.5s", d)
		}
		// One that does not answer is ended.
		start = time.Now()
		f, err := p.read()
		if err != nil || f.first != fin|clos || f.code() != 1008 || !strings.Contains(f.payload, "10s of a ping") {
			t.Errorf("got %q, %v; want a close frame with 1008", f, err)
		}
		if d := time.Since(start); !within(d, 10*time.Second, 10*time.Second+2*look) {
			t.Errorf("ended %v after the ping, want 10s to 12.5s", d)
		}
		<-p.sess.detached
		if d := time.Since(start); !within(d, 13*time.Second, 13*time.Second+2*look) { // the session's patience
			t.Errorf("closed %v after the ping, want 13s to 15.5s", d)
		}
		why, _ := p.sess.reason()
		if !errors.Is(why, &wamp.Error{URI: wamp.URINetworkFailure}) || h.srv.Stats().PingTimeouts != 1 {
			t.Errorf("ended because %v, %d ping timeouts; want network_failure and 1", why, h.srv.Stats().PingTimeouts)
		}
	})
}

// A peer that stops reading cannot be told anything, and goes all the same.
func TestPeerStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		p := h.connect("wamp.2.json", "")
		start := time.Now()
		<-p.sess.detached // the pipe is never read
		if d := time.Since(start); !within(d, 32*time.Second, 56*time.Second) {
			t.Errorf("gone after %v, want 32s to 56s", d)
		}
	})
}

// Close must end a connection whose Write is stuck, and the sweeper must close
// one whose session does not.
func TestSweeperCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		p := h.connect("wamp.2.json", "")
		p.sess.mu.Lock()
		p.sess.ended = true // a session that does nothing any more
		p.sess.mu.Unlock()
		start := time.Now()
		<-p.sess.detached
		if d := time.Since(start); !within(d, 50*time.Second, 56*time.Second) {
			t.Errorf("closed after %v, want 50s to 56s", d)
		}
	})
}

// Eight looks are in the shorter of the two times, which here are equal.
func TestDuties(t *testing.T) {
	cfg := testConfig()
	cfg.PingInterval, cfg.PingTimeout = 10*time.Second, 10*time.Second
	tests := []struct{ name, heard, want string }{
		{"silence from the first", "b--------", "--------p"},
		{"no answer", "b------------------------", "--------p-------e-------c"},
		{"answer", "b--------b--------", "--------p--------p"},
		{"late answer", "b----------------b--------", "--------p-------e--------p"},
		{"always busy", "mbmbmbmbmbmbmbmb", "----------------"},
		{"new stack after a message", "m--------", "----r---p"},
		{"only one", "m--------b--------", "----r---p--------p"},
		{"not before it is quiet", "m---m---mb----", "-------------r"},
		{"closed again and again", "b----------------------------------------", "--------p-------e-------c-------c-------c"},
	}
	for _, tt := range tests {
		if got := transport.Duties(cfg, tt.heard); got != tt.want {
			t.Errorf("%s: heard %s: did %s, want %s", tt.name, tt.heard, got, tt.want)
		}
	}

	// 30s and 10s: a look takes 1.25s.
	cfg.PingInterval = 30 * time.Second
	if got, want := transport.Duties(cfg, "b"+strings.Repeat("-", 40)), strings.Repeat("-", 24)+"p-------e-------c"; got != want {
		t.Errorf("did %s, want %s", got, want)
	}
}

// A reader that is replaced by a new goroutine loses nothing: not half a
// header, not half a payload, not half a message.
func TestNewStack(t *testing.T) {
	stream := mask(fin|text, "one") + mask(text, "tw") + mask(fin|ping, "p") + mask(fin|cont, "o") + mask(fin|text, strings.Repeat("three", 1000)) + bye
	want := []string{"one", "two", strings.Repeat("three", 1000)}
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		p := h.connect("wamp.2.json", "")
		for i := range len(stream) {
			if i%3 == 0 {
				transport.Nudge(p.sess.link)
			}
			p.send(stream[i : i+1])
		}
		if f, err := p.read(); err != nil || f.op() != pong {
			t.Errorf("got %q, %v; want a pong", f, err)
		}
		if f, err := p.read(); err != nil || f.code() != 1000 {
			t.Errorf("got %q, %v; want 1000", f, err)
		}
		p.conn.Close()
		<-p.sess.detached
		if got := p.sess.got(); !slices.Equal(got, want) {
			t.Errorf("delivered %.50q", got)
		}
	})
}

// A deadlineListener counts how often its connections get a read deadline that
// has passed, which is how the sweeper nudges.
type deadlineListener struct {
	*pipeListener
	nudges atomic.Int32
}

type deadlineConn struct {
	net.Conn
	l *deadlineListener
}

func (l *deadlineListener) Accept() (net.Conn, error) {
	c, err := l.pipeListener.Accept()
	return deadlineConn{c, l}, err
}

func (c deadlineConn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now().Add(-time.Hour)) {
		c.l.nudges.Add(1)
	}
	return c.Conn.SetReadDeadline(t)
}

// A reader is replaced once for each silence after messages, and not for pongs.
func TestSilentReaderIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.PingInterval, cfg.PingTimeout = time.Hour, time.Minute
		l := &deadlineListener{pipeListener: newPipeListener()}
		h := open(t, cfg, l)
		h.dial = l.dial
		p := h.connect("wamp.2.json", "")
		l.nudges.Store(0) // the HTTP server does the same when it hands the connection over
		for range 50 {    // more than a young connection hands over by itself
			p.send(mask(fin|text, "m"))
			synctest.Wait()
		}
		if n := l.nudges.Load(); n != 0 {
			t.Errorf("%d nudges while messages come, want 0", n)
		}
		for want := range int32(3) {
			<-time.After(10 * time.Minute)
			p.send(mask(fin|pong, ""))
			<-time.After(10 * time.Minute)
			if n := l.nudges.Load(); n != want+1 {
				t.Errorf("%d nudges after %d silences, want %d", n, want+1, want+1)
			}
			p.send(mask(fin|text, "m"))
		}
		synctest.Wait()
		if got := p.sess.got(); len(got) != 53 {
			t.Errorf("%d messages delivered, want 53", len(got))
		}
	})
}

func TestNoPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.PingInterval = 0
		h := open(t, cfg, newPipeListener())
		p := h.connect("wamp.2.json", "")
		<-time.After(24 * time.Hour)
		p.send(bye)
		if f, err := p.read(); err != nil || f.first != fin|clos {
			t.Errorf("after a day got %q, %v; want the close frame", f, err)
		}
	})
}

// A flood of pings is not answered by a flood of pongs, but the last ping is.
func TestPingFlood(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		flood := strings.Repeat(mask(fin|ping, "flood"), 150) + mask(fin|ping, "last")
		p := h.connect("wamp.2.json", flood) // in one read
		pongs := 0
		for {
			f, err := p.read()
			if err != nil || f.first != fin|pong {
				t.Fatalf("got %q, %v; want a pong", f, err)
			}
			pongs++
			if f.payload == "last" {
				break
			}
		}
		if pongs > 40 {
			t.Errorf("%d pongs for 151 pings in one read, want few", pongs)
		}
	})
}

// The server ends the session: the peer gets a close frame with a code that
// fits, and the connection is closed when the peer has answered, or after a
// while.
func TestServerCloses(t *testing.T) {
	tests := []struct {
		why  *wamp.Error
		code int
		text string
	}{
		{nil, 1000, ""},
		{wamp.Errorf(wamp.URICloseNormal, ""), 1000, "wamp.close.normal"},
		{wamp.Errorf(wamp.URICloseKilled, "by the operator"), 1000, "by the operator"},
		{wamp.Errorf(wamp.URISystemShutdown, "bye"), 1001, "bye"},
		{wamp.Errorf(wamp.URIProtocolViolation, "HELLO twice"), 1002, "HELLO twice"},
		{wamp.Errorf(wamp.URISlowConsumer, "slow"), 1008, "slow"},
		{wamp.Errorf(wamp.URILimit, "limit"), 1008, "limit"},
		{wamp.Errorf(wamp.URINotAuthorized, "no"), 1008, "no"},
		{wamp.Errorf(wamp.URIPayloadSize, "big"), 1009, "big"},
		{wamp.Errorf(wamp.URIInternal, "oops"), 1011, "oops"},
		{wamp.Errorf(wamp.URIUnavailable, "later"), 1013, "later"},
		{wamp.Errorf(wamp.URILimit, "%s", strings.Repeat("é", 200)), 1008, strings.Repeat("é", 61)},
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		for _, tt := range tests {
			for _, answer := range []bool{true, false} {
				p := h.connect("wamp.2.json", "")
				p.sess.End(tt.why)
				f, err := p.read()
				if err != nil || f.first != fin|clos || f.code() != tt.code || f.payload[2:] != tt.text {
					t.Errorf("ended by %v: got %q, %v; want code %d, text %q", tt.why, f, err, tt.code, tt.text)
				}
				// What comes before the close frame is skipped; a frame that
				// is skipped may be as large as it likes.
				p.send(mask(fin|text, "late") + mask(fin|ping, "late") + mask(fin|bin, strings.Repeat("z", 400<<10)))
				start, want := time.Now(), patience
				if answer {
					<-time.After(time.Second)
					want = time.Second
					p.sendAway(f2client(f), 1)
				}
				if f, err := p.read(); err != io.EOF {
					t.Errorf("after the close frame got %q, %v; want the end", f, err)
				}
				<-p.sess.detached
				if took := time.Since(start); took != want {
					t.Errorf("answered %v: closed after %v, want %v", answer, took, want)
				}
				if got := p.sess.got(); len(got) > 1 {
					t.Errorf("delivered %q after the end", got)
				}
			}
		}
	})
}

// f2client returns the frame as a client sends it.
func f2client(f frame) string { return mask(f.first, f.payload) }

// After Receive has failed no message is delivered any more.
func TestReceiveFails(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		h.receive = func(s *fakeSession, msg []byte) error {
			s.End(wamp.Errorf(wamp.URIProtocolViolation, "%s is no message", msg))
			return errors.New("ended")
		}
		p := h.connect("wamp.2.json", mask(fin|text, "one")+mask(fin|text, "two"))
		if f, err := p.read(); err != nil || f.code() != 1002 || f.payload[2:] != "one is no message" {
			t.Errorf("got %q, %v; want 1002", f, err)
		}
		p.send(mask(fin|text, "three") + bye)
		if _, err := p.read(); err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		<-p.sess.detached
		if got := p.sess.got(); len(got) != 1 {
			t.Errorf("delivered %q, want only the first", got)
		}
	})
}

// The session is flushed before the reader waits, once for all messages that
// came together.
func TestFlushOncePerRead(t *testing.T) {
	h := open(t, testConfig(), listenTCP(t))
	p := h.connect("wamp.2.json", strings.Repeat(mask(fin|text, "m"), 100)+bye)
	if f, err := p.read(); err != nil || f.code() != 1000 {
		t.Fatalf("got %q, %v", f, err)
	}
	p.conn.Close()
	<-p.sess.detached
	p.sess.mu.Lock()
	defer p.sess.mu.Unlock()
	if len(p.sess.messages) != 100 || p.sess.flushes > 10 {
		t.Errorf("%d messages, %d flushes; want 100 and few", len(p.sess.messages), p.sess.flushes)
	}
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		polite, deafPeer := h.connect("wamp.2.json", ""), h.connect("wamp.2.json", "")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		done := make(chan error)
		go func() { done <- h.srv.Shutdown(ctx) }()
		if f, err := polite.read(); err != nil || f.code() != 1001 {
			t.Errorf("got %q, %v; want 1001", f, err)
		}
		polite.send(mask(fin|clos, status(1001, "")))
		<-polite.sess.detached
		if time.Since(start) != 0 {
			t.Errorf("a peer that answers was kept for %v", time.Since(start))
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want the deadline", err)
		}
		<-deafPeer.sess.detached
		if time.Since(start) != time.Second {
			t.Errorf("closed after %v, want 1s", time.Since(start))
		}
		if err := h.srv.Shutdown(t.Context()); err != nil {
			t.Errorf("second Shutdown = %v", err)
		}
		if st := h.srv.Stats(); st.Open != 0 {
			t.Errorf("%d connections open after Shutdown", st.Open)
		}
		conn, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, change())
		answer := make([]byte, 12)
		io.ReadFull(conn, answer)
		if string(answer) != "HTTP/1.1 503" {
			t.Errorf("upgrade after Shutdown answered with %q, want 503", answer)
		}
		conn.Close()
	})
}

func TestStats(t *testing.T) {
	h := open(t, testConfig(), listenTCP(t))
	send := mask(fin|text, "one") + mask(fin|ping, "p") + mask(text, "t") + mask(fin|cont, "wo")
	for _, last := range []string{bye, mask(fin|bin, ""), mask(fin|text, "\xff"), mask(fin|3, ""), mask(fin|text, tooLong)[:14]} {
		p := h.connect("wamp.2.json", "")
		p.send(send + last)
		for f, err := p.read(); err == nil && f.op() != clos; f, err = p.read() {
		}
		p.conn.Close()
		<-p.sess.detached
	}
	st := h.srv.Stats()
	size := uint64(5*len(send) + len(bye) + len(mask(fin|bin, "")) + len(mask(fin|text, "\xff")) + len(mask(fin|3, "")) + 14)
	if st.BytesIn != size || st.MessagesIn != 10 || st.FramesOut != 10 || st.BytesOut == 0 {
		t.Errorf("traffic %+v, want %d bytes and 10 messages in, 10 frames out", st, size)
	}
	if st.Upgraded != 5 || st.ProtocolErrors != 1 || st.WrongType != 1 || st.BadData != 1 || st.TooBig != 1 {
		t.Errorf("outcomes %+v, want one violation of each kind", st)
	}
	var _ transport.Stats = st
}
