package transport_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPollReceive(t *testing.T) {
	tests := []struct {
		protocol, say string
		want          []string
		media         string
	}{
		{"wamp.2.json", "a b c", []string{"a", "b", "c"}, "application/json"},
		{"wamp.2.json.batched", "a b c", []string{"a\x1eb\x1ec\x1e"}, "application/json"},
		{"wamp.2.msgpack", "a b", []string{"a", "b"}, "application/x-msgpack"},
		{"wamp.2.cbor.batched", "a bb", []string{"\x00\x00\x00\x01a\x00\x00\x00\x02bb"}, "application/cbor"},
	}
	for _, tt := range tests {
		t.Run(tt.protocol, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open(tt.protocol)
				c.say(strings.Fields(tt.say)...)
				for _, want := range tt.want {
					if r := c.post(c.path+"/receive", ""); r.status != 200 || r.body != want || r.header.Get("Content-Type") != tt.media || r.header.Get("Cache-Control") != "no-store" {
						t.Errorf("receive: %d %q %v, want %q", r.status, r.body, r.header, want)
					}
				}
				waiting := h.later(t.Context(), "POST", c.path+"/receive", "")
				time.Sleep(3 * time.Second)
				c.say("z")
				if r := <-waiting; r.status != 200 || !strings.Contains(r.body, "z") || r.after != 3*time.Second {
					t.Errorf("receive that waited: %d %q after %v", r.status, r.body, r.after)
				}
				if r := c.post(c.path+"/receive", ""); r.status != 204 || r.body != "" || r.after != 10*time.Second {
					t.Errorf("receive with nothing to come: %d %q after %v, want 204 after 10s", r.status, r.body, r.after)
				}
			})
		})
	}
}

// A batch holds what waits, bounded; the rest comes with the next.
func TestPollBatchIsBounded(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		large := strings.Repeat("x", 20<<10)
		c.say(large, large, large, large, large)
		for _, want := range []int{3, 2} {
			if r := c.post(c.path+"/receive", ""); strings.Count(r.body, "\x1e") != want {
				t.Errorf("a batch of %d bytes has %d messages, want %d", len(r.body), strings.Count(r.body, "\x1e"), want)
			}
			synctest.Wait()
		}
		huge := strings.Repeat("y", 200<<10) // larger than the bound passes alone
		c.say("a", huge)
		for _, want := range []string{"a\x1e", huge + "\x1e"} {
			if r := c.post(c.path+"/receive", ""); r.body != want {
				t.Errorf("a batch of %d bytes, want %d", len(r.body), len(want))
			}
			synctest.Wait()
		}
	})
}

// The later of two requests to receive gets what comes; the earlier returns.
func TestPollReceiveTwice(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		first := h.later(t.Context(), "POST", c.path+"/receive", "")
		second := h.later(t.Context(), "POST", c.path+"/receive", "")
		if r := <-first; r.status != 204 || r.after != 0 {
			t.Errorf("the earlier one is answered with %d after %v, want 204 at once", r.status, r.after)
		}
		c.say("a")
		if r := <-second; r.body != "a" {
			t.Errorf("the later one gets %d %q, want a", r.status, r.body)
		}
	})
}

// A client that fetches nothing is to the session a peer that reads nothing.
func TestPollStalls(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		begin := time.Now()
		c.say(strings.Repeat("x", 64<<10)) // fits
		time.Sleep(time.Second)
		c.say("y")
		c.wantDetached(begin, 3*time.Second, "") // the session waits 2s for a write
	})
}
