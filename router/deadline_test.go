package router_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

const joining = `[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}]`

// Every deadline, each of an odd length, through the whole stack: when the
// server closes the connection, counted from its beginning, and what the peer
// was told until then.
func TestDeadlines(t *testing.T) {
	const (
		joined = 2 * time.Second // when a peer that has subscribed does the next thing

		upgrading      = 1700 * time.Millisecond
		hello          = 3700 * time.Millisecond
		authentication = 2300 * time.Millisecond
		writing        = 4100 * time.Millisecond
		goodbye        = 2900 * time.Millisecond
		closing        = 1300 * time.Millisecond
		ping           = 17 * time.Second
		pong           = 5 * time.Second
		look           = pong / 8 // how exact pings are
	)
	tests := []struct {
		name  string
		act   func(s *stack, b *browser)
		at    time.Duration
		slack time.Duration // at may be later by that
		told  []string      // messages, as in transcripts
		code  int           // of the close frame; 0: none came
		text  string        // in it
	}{
		{
			name: "HELLO: none comes",
			act:  func(*stack, *browser) {},
			at:   hello,
			told: []string{`[3,{"message":"no HELLO came within 3.7s"},"wamp.error.timeout"]`},
			code: 1008, text: "no HELLO came within 3.7s",
		},
		{
			name: "HELLO: half of it comes",
			act: func(_ *stack, b *browser) {
				frame := maskedFrame(0x81, []byte(joining))
				for i := range len(frame) / 2 {
					time.Sleep(10 * time.Millisecond)
					b.out <- frame[i : i+1]
				}
			},
			at:   hello + closing, // a close frame cannot be seen in the other half
			told: []string{`[3,{},"wamp.error.timeout"]`},
			code: 1008, text: "no HELLO",
		},
		{
			name: "HELLO: pings come, and it does not",
			act: func(_ *stack, b *browser) {
				for range 3 {
					time.Sleep(time.Second)
					b.out <- maskedFrame(0x89, nil)
				}
			},
			at:   hello,
			told: []string{`[3,{},"wamp.error.timeout"]`},
			code: 1008, text: "no HELLO",
		},
		{
			name: "HELLO, then writing: a peer that does not read either",
			act:  func(_ *stack, b *browser) { b.act("stall") },
			at:   hello + writing,
		},
		{
			name: "HELLO, then closing: a peer that answers nothing",
			act:  func(_ *stack, b *browser) { b.silence() },
			at:   hello + closing,
			told: []string{`[3,{},"wamp.error.timeout"]`},
			code: 1008, text: "no HELLO",
		},
		{
			name: "authentication: the challenge is not answered",
			act: func(_ *stack, b *browser) {
				time.Sleep(time.Second)
				b.send(`[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]`)
			},
			at: time.Second + authentication,
			told: []string{
				`[4,"ticket",{}]`,
				`[3,{"message":"no AUTHENTICATE came within 2.3s"},"wamp.error.timeout"]`,
			},
			code: 1008, text: "no AUTHENTICATE came within 2.3s",
		},
		{
			name: "writing: a subscriber stops reading",
			act: func(s *stack, b *browser) {
				b.subscribe(joined)
				b.act("stall")
				s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic"})
			},
			at:   joined + writing,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`},
		},
		{
			name: "writing: the deadline is for each flush, not for the peer's life",
			act: func(s *stack, b *browser) {
				b.subscribe(joined)
				for range 3 {
					b.act("stall")
					s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic"})
					time.Sleep(writing - time.Millisecond)
					b.act("read")
					synctest.Wait()
				}
				b.act("stall")
				s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic"})
			},
			at:   joined + 3*(writing-time.Millisecond) + writing,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[36,"*","*",{}]`, `[36,"*","*",{}]`, `[36,"*","*",{}]`},
		},
		{
			name: "ping: a peer goes silent",
			act: func(_ *stack, b *browser) {
				b.subscribe(0)
				b.silence()
			},
			at: ping + pong + closing, slack: 2 * look,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[6,{"message":"nothing came within 5s of a ping"},"wamp.error.network_failure"]`},
			code: 1008, text: "nothing came within 5s of a ping",
		},
		{
			name: "ping, then writing: a peer stops reading before its ping",
			act: func(_ *stack, b *browser) {
				b.subscribe(0)
				b.act("stall")
			},
			at: ping + writing, slack: 2 * look, // the ping does not get through
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`},
		},
		{
			name: "closing: GOODBYE of the peer, which then is silent",
			act: func(_ *stack, b *browser) {
				b.subscribe(joined)
				b.silence()
				b.send(`[6,{},"wamp.close.close_realm"]`)
			},
			at:   joined + closing,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[6,{},"wamp.close.goodbye_and_out"]`},
			code: 1000,
		},
		{
			name: "closing: a violation of the protocol, and silence",
			act: func(_ *stack, b *browser) {
				b.subscribe(joined)
				b.silence()
				b.send(`[0]`)
			},
			at:   joined + closing,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[3,{"message":"message: unknown type 0"},"wamp.error.protocol_violation"]`},
			code: 1002, text: "unknown type 0",
		},
		{
			name: "closing: the router shuts down, and the peer is silent",
			act: func(s *stack, b *browser) {
				b.subscribe(joined)
				b.silence()
				go s.rt.rt.Shutdown(s.t.Context())
			},
			at:   joined + closing,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[6,{},"wamp.close.system_shutdown"]`},
			code: 1001, text: "shutting down",
		},
		{
			name: "no deadline: a peer that answers pings stays, until it goes by itself",
			act: func(_ *stack, b *browser) {
				b.subscribe(joined)
				time.Sleep(24 * time.Hour)
				b.send(`[6,{},"wamp.close.close_realm"]`)
			},
			at:   joined + 24*time.Hour,
			told: []string{`[2,"*",{}]`, `[33,1,"*"]`, `[6,{},"wamp.close.goodbye_and_out"]`},
			code: 1000,
		},
	}
	configure := func(c *router.Config) {
		c.HelloTimeout, c.AuthTimeout, c.WriteTimeout, c.GoodbyeTimeout = hello, authentication, writing, goodbye
	}
	over := func(c *transport.Config) {
		c.UpgradeTimeout, c.CloseTimeout, c.PingInterval, c.PingTimeout = upgrading, closing, ping, pong
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStack(t, configure, over)
				began := time.Now()
				b := s.connect(wamp.JSON)
				tt.act(s, b)
				<-b.server.closed
				if d := b.server.at.Sub(began); d < tt.at || d > tt.at+tt.slack {
					t.Errorf("closed after %v, want %v to %v", d, tt.at, tt.at+tt.slack)
				}
				synctest.Wait()
				b.expect(tt.told, tt.code, tt.text)
			})
		})
	}

	t.Run("upgrade: the answer is not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t, configure, over)
			began := time.Now()
			conn, server := s.dial()
			defer conn.Close()
			io.WriteString(conn, upgrade(wamp.JSON))
			<-server.closed
			if d := server.at.Sub(began); d != upgrading {
				t.Errorf("closed after %v, want %v", d, upgrading)
			}
			if st := s.srv.Stats(); st.Upgraded != 0 || st.Refused != 1 {
				t.Errorf("%d upgraded and %d refused, want 0 and 1", st.Upgraded, st.Refused)
			}
		})
	})

	// Of the two times for closing the shorter one counts.
	t.Run("goodbye: shorter than closing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t, func(c *router.Config) { c.GoodbyeTimeout = 700 * time.Millisecond }, over)
			b := s.connect(wamp.JSON)
			b.subscribe(0)
			b.silence()
			began := time.Now()
			b.send(`[6,{},"wamp.close.close_realm"]`)
			<-b.server.closed
			if d := b.server.at.Sub(began); d != 700*time.Millisecond {
				t.Errorf("closed after %v, want 700ms", d)
			}
		})
	})
}

// subscribe has the client join and subscribe at once, and lets time pass.
func (b *browser) subscribe(wait time.Duration) {
	b.send(joining)
	b.send(`[32,1,{},"com.example.topic"]`)
	time.Sleep(wait)
	synctest.Wait()
}

// silence makes the client answer nothing from now on.
func (b *browser) silence() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mute = true
}

// expect checks all messages that the client got and the close frame.
func (b *browser) expect(told []string, code int, text string) {
	b.t.Helper()
	vars := map[string]any{}
	for _, want := range told {
		got, ok := b.next()
		if !ok {
			b.t.Errorf("was not told %s", want)
			return
		}
		w, _ := decodeJSON([]byte(want))
		if g, err := decodeJSON(got); err != nil || !fits(w, g, vars) {
			b.t.Errorf("was told %s, want %s", got, want)
		}
	}
	if got, ok := b.next(); ok {
		b.t.Errorf("was told %s besides", got)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	gotCode, gotText := 0, ""
	if len(b.close) >= 2 {
		gotCode, gotText = int(binary.BigEndian.Uint16(b.close)), string(b.close[2:])
	}
	if gotCode != code || !strings.Contains(gotText, text) {
		b.t.Errorf("close frame %s, want %d with %q", fmt.Sprint(gotCode, gotText), code, text)
	}
}
