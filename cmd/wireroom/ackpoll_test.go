package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A pollSpeaker is one by HTTP requests, which says what it has received, if it is
// numbered.
type pollSpeaker struct {
	t        *testing.T
	url      string // of its transport
	client   *http.Client
	numbered bool
	seq      string // of the last message that came
}

func dialPoll(t *testing.T, p *program, numbered bool) *pollSpeaker {
	t.Helper()
	s := &pollSpeaker{t: t, client: &http.Client{Transport: new(http.Transport), Timeout: patience}, numbered: numbered, seq: "0"}
	t.Cleanup(s.client.CloseIdleConnections)
	resp, body := s.post(p.base+"/lp/open", `{"protocols":["wamp.2.json"]}`)
	var opened struct{ Transport string }
	if err := json.Unmarshal(body, &opened); resp.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("open is answered with %d %s", resp.StatusCode, body)
	}
	s.url = p.base + "/lp/" + opened.Transport
	return s
}

func (s *pollSpeaker) post(url, body string) (*http.Response, []byte) {
	s.t.Helper()
	resp, err := s.client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, answer
}

func (s *pollSpeaker) write(text string) {
	s.t.Helper()
	if resp, body := s.post(s.url+"/send", text); resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("sending is answered with %d %s", resp.StatusCode, body)
	}
}

// receiving is the address of the next request to receive.
func (s *pollSpeaker) receiving() string {
	if s.numbered {
		return s.url + "/receive?ack=" + s.seq
	}
	return s.url + "/receive"
}

func (s *pollSpeaker) read() (msg []any) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		resp, body := s.post(s.receiving(), "")
		switch resp.StatusCode {
		case http.StatusOK:
			s.seq = resp.Header.Get("Wireroom-Seq")
			if err := json.Unmarshal(body, &msg); err != nil {
				s.t.Fatalf("%q: %v", body, err)
			}
			return msg
		case http.StatusNoContent:
		default:
			s.t.Fatalf("receiving is answered with %d %s", resp.StatusCode, body)
		}
	}
	s.t.Fatal("nothing comes")
	return nil
}

// close ends the transport, and with it the session.
func (s *pollSpeaker) close() {
	s.t.Helper()
	if resp, body := s.post(s.url+"/close", ""); resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("close is answered with %d %s", resp.StatusCode, body)
	}
}

// cut sends a request to receive and reads the first n bytes of the answer.
func (s *pollSpeaker) cut(n int) {
	s.t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(s.receiving(), "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", path, host); err != nil {
		s.t.Fatal(err)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")) {
		s.t.Fatalf("the answer begins with %q, %v", got, err)
	}
}

// subscribes makes the persistent subscription to demo.message.
func subscribes(t *testing.T, s speaker, options string) {
	t.Helper()
	s.write(`[32,1,{"_persistent":true` + options + `},"demo.message"]`)
	if m := s.read(); m[0] != 33.0 {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
}

// wantAgain reads an EVENT with the offset, and wants to know whether it is marked
// as one that the client may have had.
func wantAgain(t *testing.T, s speaker, offset float64, marked bool) {
	t.Helper()
	m := s.read()
	for m == nil {
		m = s.read()
	}
	if m[0] != 36.0 {
		t.Fatalf("got %v, want EVENT", m)
	}
	details := m[3].(map[string]any)
	if replayed, _ := details["_replayed"].(bool); details["_offset"] != offset || replayed != marked {
		t.Fatalf("got the EVENT %v, marked %v; want %v, %v", details["_offset"], replayed, offset, marked)
	}
}

// A client by HTTP requests acknowledges by saying what it has received: what it
// has said is behind it, wherever it comes back.
func TestPersistentAckPoll(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	ada := dialPoll(t, p, true)
	enter(t, ada, "")
	subscribes(t, ada, "")
	pub.say(t, "a", 1)
	pub.say(t, "a", 2)
	wantAgain(t, ada, 1, false)
	wantAgain(t, ada, 2, false)
	acknowledges(t, ada, 2)
	pub.say(t, "a", 3)
	wantAgain(t, ada, 3, false)
	acknowledges(t, ada, 3)
	pub.say(t, "a", 4)
	wantAgain(t, ada, 4, false)
	ada.close() // and has not said that it has 4

	back := dialSpeaker(t, p)
	enter(t, back, "")
	subscribes(t, back, "")
	wantAgain(t, back, 4, true)
	acknowledges(t, back, 4)

	again := dialPoll(t, p, true)
	enter(t, again, `,"_reattach":true`) // it has not received before
	pub.say(t, "a", 5)
	wantAgain(t, again, 5, false)
	acknowledges(t, again, 5)
}

// An answer that is cut off acknowledges nothing, nor does asking for it again.
func TestPersistentAckPollCut(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	ada := dialPoll(t, p, true)
	enter(t, ada, "")
	subscribes(t, ada, "")
	pub.say(t, "a", 1)
	wantAgain(t, ada, 1, false)
	acknowledges(t, ada, 1)
	pub.say(t, "a", 2)
	for _, n := range []int{20, 200} {
		ada.cut(n)
	}
	wantAgain(t, ada, 2, false) // the same message, over the same transport
	ada.close()

	back := dialRaw(t, p)
	enter(t, back, "")
	subscribes(t, back, `,"_ack":"auto"`)
	wantAgain(t, back, 2, true)
	acknowledges(t, back, 2)
}

// Who does not say what it has received can only acknowledge by hand, and is told
// so.
func TestPersistentAckPollRefused(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	ada := dialPoll(t, p, false)
	enter(t, ada, "")
	for _, options := range []string{"", `,"_ack":"auto"`} {
		ada.write(`[32,1,{"_persistent":true` + options + `},"demo.message"]`)
		if m := ada.read(); m[0] != 8.0 || !strings.Contains(fmt.Sprint(m), "/receive?ack=") {
			t.Fatalf("got %v, want an ERROR that says how to ask", m)
		}
	}
	subscribes(t, ada, `,"_ack":"explicit","_name":"mine"`)
	ada.close()

	grace := dialPoll(t, p, false)
	enter(t, grace, "")
	subscribes(t, grace, `,"_name":"mine"`) // which is acknowledged by hand already
	grace.close()

	ada = dialPoll(t, p, true)
	enter(t, ada, "")
	subscribes(t, ada, "")
	pub.say(t, "a", 1)
	wantAgain(t, ada, 1, false)
	acknowledges(t, ada, 1)
}

// A session that is resumed by HTTP requests acknowledges by these, and has what it
// must be ready to repeat confirmed by them.
func TestPersistentAckPollResumed(t *testing.T) {
	p := startProgram(t, writeConfig(t, noPings))
	pub := join(t, p, "")
	first := dialSpeaker(t, p)
	welcome := enter(t, first, `,"resumable":true`)
	details := welcome[2].(map[string]any)
	subscribes(t, first, "")
	_ = first.(wireSpeaker).conn.Close()

	ada := dialPoll(t, p, true)
	welcome = enter(t, ada, fmt.Sprintf(`,"resumable":true,"resume-session":%.0f,"resume-token":%q,"_received":1`, welcome[1], details["resume_token"]))
	if details = welcome[2].(map[string]any); details["resumed"] != true {
		t.Fatalf("welcomed with %v, want that the session is resumed", details)
	}
	pub.say(t, "a", 1)
	wantAgain(t, ada, 1, false)
	counting := &counter{speaker: ada}
	acknowledges(t, counting, 1)

	last := dialSpeaker(t, p)
	welcome = enter(t, last, fmt.Sprintf(`,"resume-session":%.0f,"resume-token":%q,"_received":%d`, welcome[1], details["resume_token"], 2+counting.messages))
	if details = welcome[2].(map[string]any); details["resumed"] != true {
		t.Fatalf("welcomed with %v, want that the session is resumed", details)
	}
	pub.say(t, "a", 2)
	wantAgain(t, last, 2, false)
	acknowledges(t, last, 2)
}
