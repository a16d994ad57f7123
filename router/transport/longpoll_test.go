package transport_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A client that the router refuses at once has the time to fetch the reason, not
// that of clients who may come back.
func TestPollRefusedAtOnce(t *testing.T) {
	polls(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, func(t *testing.T, h *pollHouse) {
		h.attached = func(s *fakeSession) { s.link.Finish(patience) }
		c := h.open("wamp.2.json")
		time.Sleep(patience)
		synctest.Wait()
		if n := h.lp.Stats().Open; n != 0 {
			t.Errorf("%d clients are open %v after all were refused", n, patience)
		}
		if _, err := c.sess.reason(); err != nil {
			t.Errorf("the session was detached because of %v", err)
		}
	})
}

func TestPollAway(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		never, once, cut := h.open("wamp.2.json"), h.open("wamp.2.json"), h.open("wamp.2.json")
		opened := time.Now()
		waiting := h.later(t.Context(), "POST", once.path+"/receive", "")
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		h.later(ctx, "POST", cut.path+"/receive", "")
		for range 6 { // sending is no sign of life
			time.Sleep(4 * time.Second)
			never.want("/send", "[1]", 204, "")
		}
		if r := <-waiting; r.status != 204 {
			t.Errorf("receive: %d", r.status)
		}
		never.wantDetached(opened, 30*time.Second, "nobody came for messages within 30s")
		cut.wantDetached(opened, 37*time.Second, "nobody came for messages")
		once.wantDetached(opened, 40*time.Second, "nobody came for messages")
		if n := h.lp.Stats().Away; n != 3 {
			t.Errorf("Stats().Away = %d, want 3", n)
		}
	})
}

func TestPollGoodbye(t *testing.T) {
	goodbye := func(c *pollClient) {
		c.say("GOODBYE")
		c.sess.End(nil)
		synctest.Wait()
	}
	tests := []struct {
		name string
		act  func(t *testing.T, c *pollClient)
		took time.Duration
	}{
		{"the client closes", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			time.Sleep(time.Second)
			c.want("/send", "[6]", 204, "")
			c.want("/close", "", 204, "")
		}, time.Second},
		{"the client receives once more", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			c.want("/receive", "", 404, "no such transport")
		}, 0},
		{"the client is not there in time", func(_ *testing.T, c *pollClient) {
			<-c.sess.detached
		}, patience},
		{"the client does nothing more", func(_ *testing.T, c *pollClient) {
			c.want("/receive", "", 200, "GOODBYE")
			<-c.sess.detached
		}, patience},
		{"the client did not get it", func(_ *testing.T, c *pollClient) {
			c.want("/receive?ack=0", "", 200, "GOODBYE")
			c.want("/receive?ack=0", "", 200, "GOODBYE")
			c.want("/receive?ack=1", "", 404, "no such transport")
		}, 0},
		{"by a stream", func(t *testing.T, c *pollClient) {
			s := c.follow("", nil)
			s.want(": 1, data: GOODBYE")
			s.wantEnd()
			if r := c.do(t.Context(), "GET", c.path+"/events?ack=1", ""); r.status != 204 {
				t.Errorf("coming back for more is answered with %d, want 204", r.status)
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json")
				begin := time.Now()
				goodbye(c)
				tt.act(t, c)
				c.wantDetached(begin, tt.took, "")
			})
		})
	}
}

func TestPollOpenRefused(t *testing.T) {
	tests := []struct {
		name, body string
		identify   error
		status     int
		text       string
	}{
		{"no JSON", "{", nil, 400, "must be a JSON object"},
		{"another type", `{"protocols": "wamp.2.json"}`, nil, 400, "must be a JSON object"},
		{"no protocols", `{}`, nil, 400, "must be a JSON object"},
		{"no overlap", `{"protocols": ["wamp.2.ubjson", "wamp.2.json.packed"]}`, nil, 400, "must have one of wamp.2.json"},
		{"too large", `{"protocols": ["` + strings.Repeat("x", 5000) + `"]}`, nil, 413, "more than 4096 bytes"},
		{"foreign page", `{"protocols": ["wamp.2.json"]}`, wamp.Errorf(wamp.URINotAuthorized, "not from there"), 403, "not from there"},
		{"broken store", `{"protocols": ["wamp.2.json"]}`, errors.New("disk on fire"), 500, "internal error"},
		{"one too many", `{"protocols": ["wamp.2.json"]}`, nil, 503, "too many"},
	}
	polls(t, func(c *transport.LongPollConfig) { c.MaxOpen = 1 }, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		for _, tt := range tests {
			h.identify = func(*http.Request) (any, error) { return nil, tt.identify }
			if r := h.post("/open", tt.body); r.status != tt.status || !strings.Contains(r.body, tt.text) || strings.Contains(r.body, "fire") {
				t.Errorf("%s: %d %q, want %d %q", tt.name, r.status, r.body, tt.status, tt.text)
			}
		}
		for _, r := range []reply{
			h.do(t.Context(), "GET", "/open", ""), h.do(t.Context(), "GET", c.path+"/receive", ""), h.do(t.Context(), "POST", c.path+"/events", ""),
		} {
			if r.status != http.StatusMethodNotAllowed {
				t.Errorf("another method is answered with %d", r.status)
			}
		}
		for _, path := range []string{"/receive", "/send", "/close"} {
			if r := h.post("/AAAAAAAAAAAAAAAAAAAAAAAAAA"+path, ""); r.status != 404 {
				t.Errorf("%s of an unknown transport is answered with %d", path, r.status)
			}
		}
		c.want("/close", "", 204, "")
		h.open("wamp.2.json") // there is room again
		if st := h.lp.Stats(); st.Opened != 2 || st.Refused != uint64(len(tests)) || st.TooMany != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// Shutdown lets clients fetch what they were told, and waits no longer than it
// may for those who do not.
func TestPollShutdown(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		there, away := h.open("wamp.2.json"), h.open("wamp.2.json")
		waiting := h.later(t.Context(), "POST", there.path+"/receive", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := h.lp.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Shutdown with a client that is away: %v after %v", err, time.Since(begin))
		}
		if r := <-waiting; r.after != 0 {
			t.Errorf("the client that waits is answered after %v", r.after)
		}
		for _, c := range []*pollClient{there, away} {
			if why, _ := c.sess.reason(); why == nil || why.URI != wamp.URISystemShutdown {
				t.Errorf("a session ended because of %v", why)
			}
		}
		if r := h.post("/open", `{"protocols":["wamp.2.json"]}`); r.status != 503 {
			t.Errorf("open after that is answered with %d", r.status)
		}
	})
}
