package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// A listening is an event stream that is read.
type listening struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
	stop  context.CancelFunc
}

// listen asks for an event stream with what the visitor's browser sends.
func (v *visitor) listen(query string, header ...string) *listening {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	v.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.p.base+"/events?"+query, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = resp.Body.Close() })
	return &listening{v.t, resp, bufio.NewScanner(resp.Body), cancel}
}

// next returns the fields of the next event, but for comments and retry.
func (l *listening) next() map[string]string {
	l.t.Helper()
	fields := map[string]string{}
	for l.lines.Scan() {
		name, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch {
		case name == "" && len(fields) > 0:
			return fields
		case name != "" && name != "retry":
			fields[name] = value
		}
	}
	l.t.Fatalf("the stream ends with %v after %v", l.lines.Err(), fields)
	return nil
}

// want checks the next event.
func (l *listening) want(name, data string) map[string]string {
	l.t.Helper()
	e := l.next()
	if e["event"] != name || !strings.Contains(e["data"], data) {
		l.t.Errorf("the stream has %v, want %s with %s", e, name, data)
	}
	return e
}

func message(n int) map[string]any {
	return map[string]any{"room": "lobby", "text": "hello", "n": n}
}

// A browser that loses its event stream comes back with the last id, and gets
// what it missed, of all topics, once.
func TestEventSourceComesBack(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "access: authenticated", "access: public", 1)))
	v := newVisitor(t, p)
	order := func(id int) {
		t.Helper()
		if err := post(t, p, testShopKey, "order.created", map[string]any{"id": id}); err != nil {
			t.Fatal(err)
		}
	}
	say := func(n int) {
		t.Helper()
		if err := post(t, p, testKey, "demo.message", message(n)); err != nil {
			t.Fatal(err)
		}
	}
	// post sends each by both formats, so there are two of everything.
	say(1)
	const topics = "topic=demo.message&topic=plain.x&topic=order.created"
	s := v.listen(topics)
	if id := s.next()["id"]; strings.Count(id, ":") != 2 || strings.Count(id, ",") != 2 {
		t.Errorf("the stream begins with the id %q", id)
	}
	say(2)
	s.want("demo.message", `"n":2`)
	id := s.want("demo.message", `"n":2`)["id"]
	s.stop()

	order(1) // of which the client has seen none
	say(3)
	s = v.listen(topics, "Last-Event-ID", id)
	s.next()
	got := map[string]int{}
	for range 4 {
		e := s.next()
		got[e["event"]]++
		id = e["id"]
		if !strings.Contains(e["data"], `"_replayed":true`) {
			t.Errorf("%v is not marked", e)
		}
	}
	if got["demo.message"] != 2 || got["order.created"] != 2 {
		t.Errorf("the client that came back got %v", got)
	}
	order(2)
	e := s.want("order.created", `"data":{"id":2}`)
	if strings.Contains(e["data"], "_replayed") || e["id"] == id {
		t.Errorf("a live event is %v", e)
	}
	s.stop()

	if s = v.listen("topic=demo.message.lobby&last=3"); s.want("demo.message", `"n":2`)["id"] == "" {
		t.Error("a replayed event has no id")
	}
	s.want("demo.message", `"n":3`)
	s.stop()
	s = v.listen("topic=demo.message&since=5")
	s.want("demo.message", `"n":3`)
	s.stop()
	s = v.listen("topic=demo.message", "Last-Event-ID", "OTHER:1") // of a log that was lost
	s.next()
	s.want("_lost", `"topic":"demo.message"`)
	s.want("demo.message", `"n":1`)
	s.stop()
}

// Who listens is who the cookie or the token says, and may do what a subscriber
// may.
func TestEventSourceWho(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig+"origins: [\"*\"]\n"))
	jwt := func(role string) string {
		return string(must(auth.MintJWT("HS256", "a-secret-that-is-only-for-these-tests", auth.Claims{
			Subject: "ada", Roles: []string{role}, Expires: time.Now().Add(time.Hour),
		}))(t))
	}
	login := func(v *visitor) {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/session", nil))(t)
		r.Header.Set("Authorization", "Bearer "+jwt("staff"))
		resp := must(v.http.Do(r))(t)
		_ = resp.Body.Close()
	}
	tests := []struct {
		name, query string
		header      []string
		cookie      bool
		status      int
		text        string
	}{
		{"anybody", "topic=demo.message", nil, false, 200, ""},
		{"nobody", "topic=staff.note", nil, false, 403, "class staff.note is not for the role"},
		{"cookie", "topic=staff.note", nil, true, 200, ""},
		{"cookie that a foreign page brings", "topic=staff.note", []string{"Origin", "https://evil.example"}, true, 403, "not for the role"},
		{"token in the header", "topic=staff.note", []string{"Authorization", "Bearer " + jwt("staff")}, false, 200, ""},
		{"token in the query", "topic=staff.note&access_token=" + jwt("staff"), nil, false, 200, ""},
		{"token of another role", "topic=staff.note&access_token=" + jwt("member"), nil, false, 403, "not for the role"},
		{"token of no role", "topic=demo.message&access_token=" + jwt("nothing"), nil, false, 401, "no_such_role"},
		{"not retained", "topic=chat.line&last=1", nil, false, 400, "not retained"},
		{"no position", "topic=demo.message&since=yesterday", nil, false, 400, "_since"},
		{"other realm", "topic=demo.message&realm=other", nil, false, 404, "no_such_realm"},
		{"this realm", "topic=demo.message&realm=realm1", nil, false, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVisitor(t, p)
			if tt.cookie {
				login(v)
			}
			s := v.listen(tt.query, tt.header...)
			if s.resp.StatusCode != tt.status {
				t.Errorf("answered with %d, want %d", s.resp.StatusCode, tt.status)
			}
			if tt.status == http.StatusOK {
				s.stop()
				return
			}
			if body, err := io.ReadAll(s.resp.Body); err != nil || !strings.Contains(string(body), tt.text) {
				t.Errorf("answered with %s, %v, want %s", body, err, tt.text)
			}
		})
	}
}

// Pages of other origins may listen as they may connect; posting is as it was.
func TestEventSourceOrigins(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig+"origins: [\"https://app.example\"]\n"))
	for origin, want := range map[string]int{"https://app.example": http.StatusOK, "https://evil.example": http.StatusForbidden, p.base: http.StatusOK} {
		s := newVisitor(t, p).listen("topic=demo.message", "Origin", origin)
		if s.resp.StatusCode != want || (s.resp.Header.Get("Access-Control-Allow-Origin") == origin) != (want == http.StatusOK) {
			t.Errorf("a page of %s is answered with %d %v", origin, s.resp.StatusCode, s.resp.Header)
		}
		s.stop()
	}
	r := must(http.NewRequestWithContext(t.Context(), http.MethodOptions, p.base+"/events", nil))(t)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "content-type")
	resp := must(http.DefaultClient.Do(r))(t)
	_ = resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Headers"); strings.Contains(got, "Content-Type") {
		t.Errorf("pages may post events: %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A gateway that stops says so to those who listen.
func TestEventSourceShutdown(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	s := newVisitor(t, p).listen("topic=plain.x")
	if s.resp.StatusCode != http.StatusOK {
		t.Fatalf("answered with %d", s.resp.StatusCode)
	}
	stopped := make(chan int, 1)
	go func() { stopped <- p.stop() }()
	s.want("_goodbye", "wamp.close.system_shutdown")
	if s.lines.Scan() || s.lines.Err() != nil {
		t.Errorf("after the goodbye there is %q, %v", s.lines.Text(), s.lines.Err())
	}
	if code := <-stopped; code != exitOK {
		t.Errorf("the gateway ends with %d", code)
	}
}
