package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// With ack nothing is lost, whatever becomes of an answer.
func TestPollAck(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json.batched")
		receive := func(ack, seq, body string) {
			t.Helper()
			if r := c.post(c.path+"/receive?ack="+ack, ""); r.status != 200 || r.seq != seq || r.body != body {
				t.Errorf("ack %s: %d %q to %s, want %q to %s", ack, r.status, r.body, r.seq, body, seq)
			}
		}
		c.say("a", "b")
		receive("0", "2", "a\x1eb\x1e")
		c.say("c")
		receive("0", "2", "a\x1eb\x1e") // it did not get the answer, and not c before
		receive("1", "2", "b\x1e")
		receive("2", "3", "c\x1e")
		c.want("/receive?ack=4", "", 400, "only 3 were sent")
		c.want("/receive?ack=x", "", 400, "must be an integer")
		c.want("/receive?ack=0", "", 410, "not kept any more")
		<-c.sess.detached
		if st := h.lp.Stats(); st.Lost != 1 || st.Again != 3 {
			t.Errorf("Stats: %+v, want one lost and three again", st)
		}
	})
}

// An answer that cannot be written, to a client that would not know, is the end.
func TestPollUnread(t *testing.T) {
	for _, acked := range []bool{false, true} {
		t.Run(fmt.Sprint("acked=", acked), func(t *testing.T) {
			pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open("wamp.2.json")
				c.say("a")
				conn, err := h.l.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				begin := time.Now()
				query := ""
				if acked {
					query = "?ack=0"
				}
				fmt.Fprintf(conn, "POST %s/receive%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.path, query)
				time.Sleep(11 * time.Second) // and reads nothing
				if !acked {
					c.wantDetached(begin, 11*time.Second, "messages could not be delivered")
					return
				}
				if r := c.post(c.path+"/receive?ack=0", ""); r.body != "a" {
					t.Errorf("the message comes again as %d %q", r.status, r.body)
				}
			})
		})
	}
}

// A request that cannot be read is none without a number, which would say that
// everything has arrived.
func TestPollAckMisread(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say("a", "b")
		c.want("/receive?ack=0", "", 200, "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, query := range []string{"ack=%zz", "ack=0;x=1", "ack=0&ack=1", "x=1&ack=1&ack="} {
			c.want("/receive?"+query, "", 400, "")
			if r := h.do(ctx, "GET", c.path+"/events?"+query, ""); r.status != 400 {
				t.Errorf("events?%s is answered with %d", query, r.status)
			}
		}
		c.want("/receive?ack=0", "", 200, "a")
	})
}

// A request without a number, whose answer is on its way, does not speak for one
// with a number that has come since.
func TestPollAckBesideNone(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say("a")
		conn, err := h.l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s/receive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.path)
		synctest.Wait() // it is being answered, and nobody reads
		c.want("/receive?ack=0", "", 200, "a")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("the first request is answered with %v, %v", resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		synctest.Wait()
		c.want("/receive?ack=0", "", 200, "a")
		c.want("/receive?ack=1", "", 204, "")
	})
}

// Nobody takes messages whose client is known to have gone.
func TestPollOfWhoHasGone(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say("a")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
		h.lp.ServeHTTP(w, httptest.NewRequestWithContext(gone, "POST", c.path+"/receive", nil))
		if w.Body.Len() > 0 {
			t.Errorf("who has gone is answered with %q", w.Body)
		}
		c.want("/receive", "", 200, "a")
	})
}

// An answer that is read after the transport has ended is as good as another.
func TestPollReadAfterEnd(t *testing.T) {
	pollsByHand(t, nil, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		c.say("a")
		conn, err := h.l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for i, want := range []int{200, 404} {
			fmt.Fprintf(conn, "POST %s/receive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.path)
			synctest.Wait() // it is being answered, and nobody reads
			if i == 0 {
				c.want("/close", "", 204, "")
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil || resp.StatusCode != want {
				t.Fatalf("request %d is answered with %v, %v; want %d", i, resp, err, want)
			}
			io.Copy(io.Discard, resp.Body)
		}
	})
}

// A deadlineRecorder is one that takes deadlines, and keeps none.
type deadlineRecorder struct{ *httptest.ResponseRecorder }

func (deadlineRecorder) SetReadDeadline(time.Time) error  { return nil }
func (deadlineRecorder) SetWriteDeadline(time.Time) error { return nil }
