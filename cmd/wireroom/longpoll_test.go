package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A pollVisitor is a page that speaks WAMP by HTTP requests.
type pollVisitor struct {
	*visitor
	origin string // of the page; "": a program
	path   string // of its transport
}

// request sends a request and returns the answer with its body read.
func (v *pollVisitor) request(method, path, body string) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.p.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if v.origin != "" {
		r.Header.Set("Origin", v.origin)
	}
	if method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(answer)
}

func (v *pollVisitor) open() *http.Response {
	v.t.Helper()
	resp, body := v.request(http.MethodPost, "/lp/open", `{"protocols": ["wamp.2.json"]}`)
	var opened struct{ Transport string }
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &opened); err != nil {
			v.t.Fatal(err)
		}
	}
	v.path = "/lp/" + opened.Transport
	return resp
}

func (v *pollVisitor) send(msg string) {
	v.t.Helper()
	if resp, body := v.request(http.MethodPost, v.path+"/send", msg); resp.StatusCode != http.StatusNoContent {
		v.t.Errorf("sending %s is answered with %d %s", msg, resp.StatusCode, body)
	}
}

// receive returns the next message.
func (v *pollVisitor) receive() string {
	v.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		resp, body := v.request(http.MethodPost, v.path+"/receive", "")
		switch resp.StatusCode {
		case http.StatusOK:
			return body
		case http.StatusNoContent:
		default:
			v.t.Fatalf("receiving is answered with %d %s", resp.StatusCode, body)
		}
	}
	v.t.Fatal("nothing comes")
	return ""
}

// waiting has a request to receive wait, and returns what it is answered with.
// Of two, the gateway answers the earlier one when it has the later.
func (v *pollVisitor) waiting() <-chan string {
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			_, body := v.request(http.MethodPost, v.path+"/receive", "")
			answers <- body
		}()
	}
	<-answers // with nothing
	return answers
}

// Who opens a transport is who the cookie says, and can do what any client can.
func TestLongPollCookie(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	v := &pollVisitor{visitor: newVisitor(t, p)}
	status, id := v.session(http.MethodPost)
	if status != http.StatusOK {
		t.Fatalf("POST /session: %d", status)
	}
	v.open()
	v.send(`[1,"realm1",{"roles":{"subscriber":{},"publisher":{}}}]`)
	if got := v.receive(); !strings.Contains(got, `"authmethod":"cookie"`) || !strings.Contains(got, id) {
		t.Errorf("WELCOME is %s, want the client %s", got, id)
	}
	v.send(`[32,1,{},"demo.message"]`)
	if got := v.receive(); !strings.HasPrefix(got, "[33,1,") {
		t.Errorf("SUBSCRIBED is %s", got)
	}
	if err := post(t, p, testKey, "demo.message", map[string]any{"room": "lobby", "text": "hello"}); err != nil {
		t.Fatal(err)
	}
	if got := v.receive(); !strings.HasPrefix(got, "[36,") || !strings.Contains(got, `"hello"`) {
		t.Errorf("EVENT is %s", got)
	}
	if resp, _ := v.request(http.MethodPost, v.path+"/close", ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("close is answered with %d", resp.StatusCode)
	}
}

// Pages of other origins may do by requests what they may do by a WebSocket.
func TestLongPollOrigins(t *testing.T) {
	tests := []struct {
		name, origins, origin string
		status                int // of open
		allowed               string
		method                string // of authentication, with a cookie
	}{
		{"program", "", "", 200, "", "cookie"},
		{"foreign page", "", "https://evil.example", 403, "", ""},
		{"listed page", `origins: ["https://app.example"]`, "https://app.example", 200, "https://app.example", "cookie"},
		{"any page", `origins: ["*"]`, "https://evil.example", 200, "https://evil.example", "anonymous"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := startProgram(t, writeConfig(t, testConfig+tt.origins+"\n"))
			v := &pollVisitor{visitor: newVisitor(t, p), origin: tt.origin}
			v.session(http.MethodPost)
			preflight, _ := v.request(http.MethodOptions, "/lp/open", "")
			resp := v.open()
			for _, r := range []*http.Response{preflight, resp} {
				if got := r.Header.Get("Access-Control-Allow-Origin"); got != tt.allowed {
					t.Errorf("%s: the origin %q may read the answer, want %q", r.Request.Method, got, tt.allowed)
				}
			}
			if resp.StatusCode != tt.status {
				t.Errorf("open is answered with %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.status != http.StatusOK {
				return
			}
			v.send(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
			if got := v.receive(); !strings.Contains(got, `"authmethod":"`+tt.method+`"`) {
				t.Errorf("WELCOME is %s, want %s", got, tt.method)
			}
			v.request(http.MethodPost, v.path+"/close", "")
		})
	}
}

// A gateway that stops says so to clients that wait for messages, and ends
// event streams.
func TestLongPollShutdown(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	stopped := make(chan int, 1)
	polls, streams := &pollVisitor{visitor: newVisitor(t, p)}, &pollVisitor{visitor: newVisitor(t, p)}
	for _, v := range []*pollVisitor{polls, streams} {
		v.open()
		v.send(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
		v.receive()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+streams.path+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := streams.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	waiting := polls.waiting()
	go func() { stopped <- p.stop() }()
	if body := <-waiting; !strings.Contains(body, "wamp.close.system_shutdown") {
		t.Errorf("the client that waits gets %s", body)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "wamp.close.system_shutdown") {
		t.Errorf("the event stream ends with %v and %s", err, body)
	}
	if code := <-stopped; code != exitOK {
		t.Errorf("the gateway ends with %d", code)
	}
}
