package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
)

// ask queues pings with these data, for a client that wants to be asked.
func (c *pollClient) ask(pings ...string) {
	c.t.Helper()
	for _, data := range pings {
		frame := c.sess.link.(router.Pinger).PingFrame([]byte(data), true)
		if frame == nil {
			c.t.Fatalf("the client cannot be asked %s", data)
		}
		c.sess.queue <- frame
	}
	synctest.Wait()
}

// answered checks which pings are answered, in order, since it last looked.
func (c *pollClient) answered(want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.sess.mu.Lock()
	defer c.sess.mu.Unlock()
	if !slices.Equal(c.sess.pongs, want) {
		c.t.Errorf("the session has the answers %q, want %q", c.sess.pongs, want)
	}
	c.sess.pongs = nil
}

// A ping is answered when the client says that it has the message before it, and
// neither when that is sent nor when the client asks for more.
func TestPollPing(t *testing.T) {
	for _, batched := range []string{"", ".batched"} {
		polls(t, nil, func(t *testing.T, h *pollHouse) {
			c := h.open("wamp.2.json" + batched)
			c.say("a")
			c.ask("1")
			c.want("/receive?ack=0", "", 200, "a")
			c.answered()
			c.want("/receive?ack=0", "", 200, "a") // it has not got the answer
			c.answered()
			c.say("b", "c")
			c.ask("2")
			c.want("/receive?ack=1", "", 200, "b")
			c.answered("1")
			if batched == "" {
				c.want("/receive?ack=2", "", 200, "c")
				c.answered()
			}
			waiting := h.later(t.Context(), "POST", c.path+"/receive?ack=3", "")
			c.answered("2")
			c.ask("3", "4") // behind what the client has
			c.answered("3", "4")
			c.say("d")
			if r := <-waiting; r.status != 200 || r.seq != "4" {
				t.Errorf("the request that waits is answered with %d, %s; want 4", r.status, r.seq)
			}
			c.ask("5")
			waiting = h.later(t.Context(), "POST", c.path+"/receive?ack=4", "")
			c.answered("5")
			if r := <-waiting; r.status != 204 || r.after != 10*time.Second {
				t.Errorf("a ping had a request answered with %d after %v, want 204 after 10s", r.status, r.after)
			}
		})
	}
}

// A client that does not come back, or that comes back for what is gone, or with
// nonsense, answers nothing.
func TestPollPingUnanswered(t *testing.T) {
	tests := []struct {
		name string
		act  func(c *pollClient)
		why  string
	}{
		{"it stays away", func(*pollClient) { time.Sleep(30 * time.Second) }, "did not come back"},
		{"it only sends", func(c *pollClient) {
			for range 6 {
				c.want("/send", "[1]", 204, "")
				time.Sleep(5 * time.Second)
			}
		}, "did not come back"},
		{"it closes", func(c *pollClient) { c.want("/close", "", 204, "") }, ""},
		{"it says that it has what was not sent", func(c *pollClient) {
			c.want("/receive?ack=9", "", 400, "only 2 were sent")
			c.want("/receive?ack=-1", "", 400, "must be an integer")
			time.Sleep(30 * time.Second)
		}, "did not come back"},
		{"it has less than it said", func(c *pollClient) { c.want("/receive?ack=0", "", 410, "not kept any more") }, "lost"},
		{"it does not say what it has", func(c *pollClient) {
			c.want("/receive", "", 204, "")
			time.Sleep(30 * time.Second)
		}, "did not come back"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json")
				c.say("a", "b")
				c.ask("1")
				c.want("/receive?ack=0", "", 200, "a")
				c.want("/receive?ack=1", "", 200, "b")
				tt.act(c)
				<-c.sess.detached
				if _, err := c.sess.reason(); !strings.Contains(fmt.Sprint(err), tt.why) {
					t.Errorf("the session ended because of %v, want %q", err, tt.why)
				}
				c.answered()
			})
		})
	}
}

// An answer that is cut off, before it was read or in the middle, is none that the
// client has got; what comes when it asks again is.
func TestPollPingAnswerCut(t *testing.T) {
	for _, read := range []int{0, 150, 5000} {
		t.Run(fmt.Sprint("read=", read), func(t *testing.T) {
			pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json.batched")
				c.say(strings.Repeat("a", 10_000), "b")
				c.ask("1")
				conn, err := h.l.dial()
				if err != nil {
					t.Fatal(err)
				}
				go fmt.Fprintf(conn, "POST %s/receive?ack=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.path)
				if _, err := io.ReadFull(bufio.NewReaderSize(conn, 16), make([]byte, read)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				conn.Close()
				c.answered()
				for range 2 {
					if r := c.post(c.path+"/receive?ack=0", ""); r.seq != "2" || len(r.body) != 10_003 {
						t.Errorf("%d bytes came again, up to %s", len(r.body), r.seq)
					}
					c.answered()
				}
				h.later(t.Context(), "POST", c.path+"/receive?ack=2", "")
				c.answered("1")
			})
		})
	}
}

// Of several requests at a time each says what it says, and no more.
func TestPollPingParallel(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say("a", "b")
		c.ask("1")
		c.want("/receive?ack=0", "", 200, "a")
		c.want("/receive?ack=1", "", 200, "b")
		c.want("/receive?ack=1", "", 200, "b")
		ctx, giveUp := context.WithCancel(t.Context())
		first := h.later(ctx, "POST", c.path+"/receive?ack=2", "")
		c.answered("1")
		second := h.later(t.Context(), "POST", c.path+"/receive?ack=2", "")
		if r := <-first; r.status != 204 {
			t.Errorf("the earlier one is answered with %d", r.status)
		}
		giveUp()
		c.say("c")
		c.ask("2")
		if r := <-second; r.body != "c" {
			t.Errorf("the later one gets %q", r.body)
		}
		third := h.later(t.Context(), "POST", c.path+"/receive?ack=2", "") // it was for a page that has gone
		if r := <-third; r.body != "c" {
			t.Errorf("who has not got it gets %q", r.body)
		}
		c.answered()
		fourth := h.later(t.Context(), "POST", c.path+"/receive?ack=3", "")
		c.answered("2")
		c.want("/close", "", 204, "")
		<-fourth
	})
}

// Whether a client can be asked depends on how it receives.
func TestPollPingWho(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		can := func(by string, unwanted, wanted bool) {
			t.Helper()
			for i, want := range []bool{unwanted, wanted} {
				if got := c.sess.link.(router.Pinger).PingFrame([]byte("x"), i == 1) != nil; got != want {
					t.Errorf("after %s, with wanted %v, it can be asked: %v", by, i == 1, got)
				}
			}
		}
		can("nothing", false, true)
		c.say("a", "b", "c")
		c.want("/receive?ack=0", "", 200, "a")
		can("a request with a number", true, true)
		c.ask("1") // behind c
		c.want("/receive", "", 200, "b")
		can("a request without", false, false)
		c.want("/receive", "", 200, "c")
		c.answered()
		s := c.follow("", nil)
		can("an event stream", false, false)
		s.stop()
		synctest.Wait()
		c.say("d")
		s = c.follow("3", nil)
		s.want("id: 4, data: d")
		c.answered("1") // it had been asked before
		can("an event stream that goes on", false, false)
		s.stop()
		synctest.Wait()
		h.later(t.Context(), "POST", c.path+"/receive?ack=4", "")
		can("a request with a number", true, true)
	})
}

// What waits for an answer is bounded, without being asked in vain: the first and
// the last of each kind are answered.
func TestPollPingsAreBounded(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		c.say("a")
		var want []string
		for i := range 1000 {
			for _, kind := range []string{"ask-this", "ask-that"} {
				if c.ask(fmt.Sprint(kind, i)); i < 3 || i == 999 {
					want = append(want, fmt.Sprint(kind, i))
				}
			}
		}
		c.want("/receive?ack=0", "", 200, "a")
		c.answered()
		h.later(t.Context(), "POST", c.path+"/receive?ack=1", "")
		c.answered(want...)
	})
}

// Pings are no messages: they are not counted, not sent, take no place that a large
// message needs, and do not keep a transport from its end.
func TestPollPingIsNoMessage(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		c.ask("0")
		huge := strings.Repeat("x", 200<<10)
		c.say(huge)
		if r := c.post(c.path+"/receive?ack=0", ""); r.seq != "1" || r.body != huge+"\x1e" {
			t.Errorf("a large message behind a ping comes as %d bytes, up to %s", len(r.body), r.seq)
		}
		c.answered("0")
		c.say("a", "b")
		c.ask("1")
		c.say("c")
		if r := c.post(c.path+"/receive?ack=1", ""); r.seq != "4" || r.body != "a\x1eb\x1ec\x1e" {
			t.Errorf("messages around a ping come as %q, up to %s", r.body, r.seq)
		}
		c.say("GOODBYE")
		c.ask("2")
		c.sess.End(nil)
		c.want("/receive?ack=4", "", 200, "GOODBYE")
		c.answered("1")
		c.want("/receive?ack=5", "", 404, "no such transport")
		c.answered("2") // the client has everything
		<-c.sess.detached
	})
}

// However many pings stand before a message, it is the next.
func TestPollPingsBeforeMessage(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.ask("1", "2", "3", "4")
		c.say("a")
		c.ask("5")
		if r := c.post(c.path+"/receive?ack=0", ""); r.body != "a" || r.after != 0 {
			t.Errorf("a message behind pings comes as %d %q after %v", r.status, r.body, r.after)
		}
		c.answered("1", "2", "3", "4")
	})
}

// A client may answer while its session ends, from several requests.
func TestPollPingRaces(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		for range 30 {
			c := h.open("wamp.2.json")
			c.say("a")
			c.ask("1")
			c.want("/receive?ack=0", "", 200, "a")
			var requests []<-chan reply
			for _, path := range []string{"/receive?ack=1", "/receive?ack=1", "/close", "/receive?ack=1"} {
				answer := make(chan reply, 1)
				go func() { answer <- h.post(c.path+path, "") }()
				requests = append(requests, answer)
			}
			for _, answer := range requests {
				<-answer
			}
			<-c.sess.detached
			c.sess.mu.Lock()
			if n := len(c.sess.pongs); n > 1 {
				t.Errorf("one ping is answered %d times", n)
			}
			c.sess.mu.Unlock()
		}
	})
}
