package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

func TestPollSend(t *testing.T) {
	tests := []struct {
		name, protocol, body string
		status               int
		got                  []string
		ended                bool
	}{
		{"one", "wamp.2.json", "[1]", 204, []string{"[1]"}, false},
		{"batch", "wamp.2.json.batched", "[1]\x1e[2]\x1e", 204, []string{"[1]", "[2]"}, false},
		{"binary batch", "wamp.2.cbor.batched", "\x00\x00\x00\x01a\x00\x00\x00\x02bb", 204, []string{"a", "bb"}, false},
		{"batch without an end", "wamp.2.json.batched", "[1]\x1e[2]", 400, []string{"[1]"}, true},
		{"empty batch", "wamp.2.json.batched", "", 400, nil, true},
		{"binary batch with a long length", "wamp.2.msgpack.batched", "\xff\xff\xff\xffa", 400, nil, true},
		{"no UTF-8", "wamp.2.json", "[\"\xff\"]", 400, nil, true},
		{"as large as may be", "wamp.2.cbor", strings.Repeat("x", 4<<10), 204, []string{strings.Repeat("x", 4<<10)}, false},
		{"too large", "wamp.2.cbor", strings.Repeat("x", 4<<10+1), 413, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			polls(t, nil, func(t *testing.T, h *pollHouse) {
				c := h.open(tt.protocol)
				c.want("/send", tt.body, tt.status, "")
				c.sess.mu.Lock()
				defer c.sess.mu.Unlock()
				if !slices.Equal(c.sess.messages, tt.got) || c.sess.ended != tt.ended {
					t.Errorf("the session gets %q and ended is %v, want %q and %v", c.sess.messages, c.sess.ended, tt.got, tt.ended)
				}
			})
		})
	}
}

// Requests to send are handed on one at a time, in order, and those that wait
// when the transport ends are told so.
func TestPollSendInTurn(t *testing.T) {
	polls(t, nil, func(t *testing.T, h *pollHouse) {
		hold := make(chan struct{})
		h.receive = func(*fakeSession, []byte) error {
			<-hold
			return nil
		}
		c := h.open("wamp.2.json")
		var sent []<-chan reply
		for i := range 4 {
			sent = append(sent, h.later(t.Context(), "POST", c.path+"/send", fmt.Sprint(i)))
		}
		if got := c.sess.got(); !slices.Equal(got, []string{"0"}) {
			t.Fatalf("the session gets %q while it handles 0", got)
		}
		hold <- struct{}{}
		hold <- struct{}{}
		synctest.Wait()
		if got := c.sess.got(); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("the session gets %q, want 0, 1, 2", got)
		}
		closed := h.later(t.Context(), "POST", c.path+"/close", "")
		close(hold)
		if r := <-closed; r.status != 204 {
			t.Errorf("close is answered with %d", r.status)
		}
		for i, want := range []int{204, 204, 204, 404} {
			if r := <-sent[i]; r.status != want {
				t.Errorf("request %d is answered with %d, want %d", i, r.status, want)
			}
		}
	})
}

// A body that does not arrive is waited for no longer than may be, and does not
// keep a transport from ending.
func TestPollSlowBody(t *testing.T) {
	pollsByHand(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, func(t *testing.T, h *pollHouse) {
		c := h.open("wamp.2.json")
		slow := func() *bufio.Reader {
			conn, err := h.l.dial()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			fmt.Fprintf(conn, "POST %s/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[1", c.path)
			return bufio.NewReader(conn)
		}
		begin := time.Now()
		resp, err := http.ReadResponse(slow(), nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || time.Since(begin) != 30*time.Second {
			t.Errorf("a slow body is answered with %v, %v after %v, want 408 after 30s", resp, err, time.Since(begin))
		}
		c = h.open("wamp.2.json")
		slow()
		synctest.Wait()
		begin = time.Now()
		c.want("/close", "", 204, "")
		if took := time.Since(begin); took != 0 {
			t.Errorf("close took %v", took)
		}
	})
}

// With HTTP/2 it ends the request, and nothing else of the connection.
func TestPollSlowBodyStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openPolls(t, func(c *transport.LongPollConfig) { c.Away = time.Hour }, 2)
		c := h.open("wamp.2.json")
		stream := h.later(t.Context(), "GET", c.path+"/events", "")
		begin := time.Now()
		body, half := io.Pipe()
		go io.WriteString(half, "ha")
		resp, err := h.http.Post("http://localhost"+c.path+"/send", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		half.Close()
		if took := time.Since(begin); resp.StatusCode != http.StatusRequestTimeout || took != 30*time.Second {
			t.Errorf("a slow body is answered with %d after %v, want 408 after 30s", resp.StatusCode, took)
		}
		c.want("/send", "whole", 204, "")
		c.want("/close", "", 204, "")
		if r := <-stream; r.status != 200 {
			t.Errorf("the event stream ended with %+v", r)
		}
	})
}
