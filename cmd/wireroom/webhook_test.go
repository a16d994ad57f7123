package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
)

// hooked is the configuration of tests with webhooks at a server.
func hooked(t *testing.T, s *httptest.Server, hooks ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(testConfig + "webhooks:\n")
	for _, h := range hooks {
		fmt.Fprintf(&b, "  - {%s, timeout: 60s, allow: [127.0.0.1, \"::1\"], url: %q}\n", h, s.URL)
	}
	return writeConfig(t, b.String())
}

// A hookServer keeps the requests that it gets.
type hookServer struct {
	*httptest.Server
	requests chan string // content type and body
	down     atomic.Bool // it answers with 503
}

func newHookServer(t *testing.T) *hookServer {
	t.Helper()
	s := &hookServer{requests: make(chan string, 10_000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if s.down.Load() || err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		s.requests <- media + " " + string(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// next returns the next request.
func (s *hookServer) next(t *testing.T) string {
	t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		t.Fatal("no request comes")
		return ""
	}
}

// An endpoint is told of the events of a topic, in the format that it wants.
func TestWebhookEvents(t *testing.T) {
	s := newHookServer(t)
	p := startProgram(t, hooked(t, s.Server,
		"name: plain, topic: app., match: prefix",
		"name: notes, topic: staff.note, format: cloudevents, secret: a-secret-of-the-hook",
	))
	member := join(t, p, ticketFor(t, "ann", "member"))
	publish := func(topic string, args []any, kwargs map[string]any) {
		t.Helper()
		if err := member.publish(topic, args, kwargs); err != nil {
			t.Fatal(err)
		}
	}
	// The hooks subscribe when the gateway starts; until they have, nothing comes.
	await := func(topic string, kwargs map[string]any) string {
		t.Helper()
		for end := time.Now().Add(patience); time.Now().Before(end); {
			publish(topic, nil, kwargs)
			select {
			case r := <-s.requests:
				return r
			case <-time.After(50 * time.Millisecond):
			}
		}
		t.Fatalf("the hook of %s is never asked", topic)
		return ""
	}
	if got := await("app.ready", nil); !strings.HasPrefix(got, `application/json {"topic":"app.ready","args":[],"kwargs":{},"details":{"publication":`) {
		t.Errorf("the endpoint got %s", got)
	}
	got := await("staff.note", map[string]any{"text": "hi"})
	for strings.Contains(got, "app.ready") {
		got = s.next(t)
	}
	media, body, _ := strings.Cut(got, " ")
	var e struct {
		Type, Source, ID, Time string
		Data                   map[string]any
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || media != "application/cloudevents+json" ||
		e.Type != "staff.note" || e.Source != "/realm1" || e.ID == "" || e.Time == "" || e.Data["text"] != "hi" {
		t.Errorf("the endpoint got %s: %v", got, err)
	}
}

// A webhook whose session somebody ends has another one, whatever they say for a
// reason.
func TestWebhookJoinsAgain(t *testing.T) {
	s := newHookServer(t)
	file := hooked(t, s.Server, "name: plain, topic: app.ready")
	text := strings.Replace(string(must(os.ReadFile(file))(t)), `call: ["*"], register`, `call: ["*", "wamp.session.*"], register`, 1)
	p := startProgram(t, writeConfig(t, text))
	member := join(t, p, ticketFor(t, "ann", "member"))
	for _, reason := range []string{"wamp.close.killed", "wamp.close.system_shutdown"} {
		until(t, "a session to be ended with "+reason, func() bool {
			result, err := member.Call(t.Context(), "wamp.session.kill_by_authid", nil, wamp.List{"plain"}, wamp.Dict{"reason": reason}, nil)
			if err != nil {
				t.Fatal(err)
			}
			killed, _ := result.Arguments[0].([]any)
			return len(killed) == 1
		})
	}
	until(t, "the endpoint to be told again", func() bool {
		if err := member.publish("app.ready", []any{"again"}, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-s.requests:
			return strings.Contains(r, "again")
		default:
			return false
		}
	})
}

// Events of a class with a log that an endpoint did not take wait in the log,
// however many there are.
func TestWebhookReadsAgain(t *testing.T) {
	s := newHookServer(t)
	s.down.Store(true)
	p := startProgram(t, hooked(t, s.Server, "name: all, topic: demo.message, queue: 4KiB"))
	member := join(t, p, ticketFor(t, "ann", "member"))
	const n = 300
	for i := range n {
		if err := member.publish("demo.message", nil, map[string]any{"room": "lobby", "text": "x", "n": i}); err != nil {
			t.Fatal(err)
		}
	}
	s.down.Store(false)
	var first float64 = -1
	for i := 0; i < n; {
		_, body, _ := strings.Cut(s.next(t), " ")
		var e struct{ KwArgs struct{ N float64 } }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		if first < 0 { // the hook began when the gateway started, or a moment later
			first = e.KwArgs.N
			i = int(first)
		}
		if int(e.KwArgs.N) != i {
			t.Fatalf("event %v came, want %d", e.KwArgs.N, i)
		}
		i++
	}
	if first != 0 {
		t.Errorf("the first event that came is %v", first)
	}
}

// An endpoint answers calls.
func TestWebhookCalls(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, string(body))
		mu.Unlock()
		if strings.Contains(string(body), "fail") {
			_, _ = io.WriteString(w, `{"error":"app.error.no","args":["no"]}`)
			return
		}
		_, _ = io.WriteString(w, `{"args":[42]}`)
	}))
	defer s.Close()
	p := startProgram(t, hooked(t, s, "name: answers, procedure: app.answer"))
	member := join(t, p, ticketFor(t, "ann", "member"))
	call := func(args ...any) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		result, err := member.Call(ctx, "app.answer", nil, args, nil, nil)
		if err != nil {
			return "", err
		}
		return jsonText(result.Arguments), nil
	}
	until(t, "the procedure", func() bool {
		got, err := call(1, "ü")
		if err == nil && got != "[42]" || err != nil && !strings.Contains(err.Error(), "no_such_procedure") {
			t.Fatalf("call = %s, %v", got, err)
		}
		return err == nil
	})
	if _, err := call("fail"); err == nil || !strings.Contains(err.Error(), "app.error.no") {
		t.Errorf("call that fails: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 2 || asked[0] != `{"procedure":"app.answer","args":[1,"ü"],"kwargs":{},"details":{}}` {
		t.Errorf("the endpoint was asked %q", asked)
	}
}

// An endpoint on this machine is not asked unless that is allowed.
func TestWebhookIsKeptOut(t *testing.T) {
	s := newHookServer(t)
	file := writeConfig(t, testConfig+fmt.Sprintf("webhooks:\n  - {name: inside, procedure: app.inside, url: %q}\n", s.URL))
	p := startProgram(t, file)
	member := join(t, p, ticketFor(t, "ann", "member"))
	until(t, "the procedure", func() bool {
		_, err := member.Call(t.Context(), "app.inside", nil, nil, nil, nil)
		registered := err == nil || !strings.Contains(err.Error(), "no_such_procedure")
		if registered && (err == nil || !strings.Contains(err.Error(), "wireroom.error.unavailable")) {
			t.Fatalf("call = %v, want wireroom.error.unavailable", err)
		}
		return registered
	})
	if len(s.requests) > 0 {
		t.Error("the endpoint was asked")
	}
}
