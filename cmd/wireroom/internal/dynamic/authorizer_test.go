package dynamic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

const guard wamp.URI = "com.example.authorize"

// A house is a router with a realm whose sessions with the role "guest" are
// asked about.
type house struct {
	t      *testing.T
	router *router.Router
	caller *dynamic.Caller
	asks   *dynamic.Authorizer
	log    *logBook
}

type logBook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

type rules struct{ house *house }

func (r rules) Authorize(s *router.Session, action router.Action, uri wamp.URI, match wamp.Match, m wamp.Message) router.Decision {
	if s.AuthRole() != "guest" {
		return router.Decision{Allow: true}
	}
	return r.house.asks.Decide(guard, s, action, uri, match, m, router.DiscloseOnRequest)
}

func newHouse(t *testing.T, change ...func(*dynamic.Config)) *house {
	cfg := dynamic.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	h := &house{t: t, log: new(logBook)}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.router = router.New(router.DefaultConfig(), nil, log)
	h.caller = dynamic.NewCaller(h.router, "realm1", cfg.Timeout)
	h.asks = dynamic.NewAuthorizer(h.caller, cfg, log)
	h.router.AddRealm("realm1", rules{h}, nil)
	t.Cleanup(func() {
		h.caller.Close()
		if err := h.router.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) join(authid, role string) *local.Client {
	h.t.Helper()
	c, err := local.Join(h.router, "realm1", router.Grant{AuthID: authid, AuthRole: role, AuthMethod: "test", Provider: "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Close)
	return c
}

// A questionnaire is what an authorizer was asked.
type questionnaire struct {
	mu    sync.Mutex // guards the following
	asked []string   // the arguments, in JSON
}

func (q *questionnaire) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.asked)
}

// guard registers the authorizer with an answer in JSON.
func (h *house) guard(c *local.Client, answer func(args string) string) (*questionnaire, *local.Registration) {
	h.t.Helper()
	q := new(questionnaire)
	reg, err := c.Register(h.t.Context(), guard, wamp.RegisterOptions{}, func(_ context.Context, inv *wamp.Invocation) (wamp.Payload, error) {
		args := string(inv.Payload.Args)
		q.mu.Lock()
		q.asked = append(q.asked, args)
		q.mu.Unlock()
		text := answer(args)
		if text == "" {
			return wamp.Payload{}, errors.New("broken")
		}
		return wamp.Payload{Serializer: wamp.JSON, Args: []byte("[" + text + "]")}, nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return q, reg
}

func says(answer string) func(string) string { return func(string) string { return answer } }

// try has a client publish, and reports an outcome that is not the wanted URI of
// an error; "" is none.
func (h *house) try(c *local.Client, topic, want wamp.URI) {
	h.t.Helper()
	_, err := c.Publish(h.t.Context(), topic, wamp.PublishOptions{}, wamp.Payload{})
	var uri wamp.URI
	if e, ok := errors.AsType[*local.Error](err); ok {
		uri = e.URI
	}
	if uri != want || (err == nil) != (want == "") {
		h.t.Errorf("publish %s: %v, want %q", topic, err, want)
	}
}

func (h *house) wantStats(want dynamic.Stats) {
	h.t.Helper()
	if got := h.asks.Stats(); got != want {
		h.t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestAuthorizerIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, guest := h.join("app", "app"), h.join("ada", "guest")
		q, _ := h.guard(app, func(args string) string {
			if strings.Contains(args, "forbidden") {
				return "false"
			}
			return `{"allow":true}`
		})
		h.try(guest, "com.topic", "")
		h.try(guest, "com.forbidden", wamp.URINotAuthorized)
		h.try(guest, "com.topic", "") // nobody said that it may be kept
		if _, err := guest.Subscribe(t.Context(), "com.", wamp.SubscribeOptions{Match: wamp.Prefix}, func(context.Context, *wamp.Event) {}); err != nil {
			t.Error(err)
		}
		if _, err := guest.Register(t.Context(), "com.proc", wamp.RegisterOptions{Invoke: "roundrobin"}, nil); err != nil {
			t.Error(err)
		}
		if _, err := guest.Call(t.Context(), "com.forbidden.proc", wamp.CallOptions{Timeout: 5000}, wamp.Payload{}); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("call: %v, want not_authorized", err)
		}
		h.wantStats(dynamic.Stats{Misses: 6, Denied: 2})
		var got [][]any
		for _, args := range q.asked {
			var list []any
			if err := json.Unmarshal([]byte(args), &list); err != nil || len(list) != 4 {
				t.Fatalf("asked %s (%v), want 4 arguments", args, err)
			}
			got = append(got, list)
		}
		details := got[0][0].(map[string]any)
		transport := details["transport"].(map[string]any)
		if details["session"] != float64(guest.ID()) || details["authid"] != "ada" || details["authrole"] != "guest" ||
			details["authmethod"] != "test" || details["authprovider"] != "test" || transport["type"] != "local" {
			t.Errorf("the session is described as %v", details)
		}
		for i, want := range []string{
			`["com.topic","publish",{"acknowledge":true}]`,
			`["com.forbidden","publish",{"acknowledge":true}]`,
			`["com.topic","publish",{"acknowledge":true}]`,
			`["com.","subscribe",{"match":"prefix"}]`,
			`["com.proc","register",{"concurrency":64,"invoke":"roundrobin","match":"exact"}]`,
			`["com.forbidden.proc","call",{"timeout":5000}]`,
		} {
			if text, _ := json.Marshal(got[i][1:]); string(text) != want {
				t.Errorf("question %d is %s, want %s", i+1, text, want)
			}
		}
	})
}

func TestAuthorizerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, guest := h.join("app", "app"), h.join("ada", "guest")
		h.try(guest, "com.topic", wamp.URIAuthorizationFailed) // there is no procedure
		for _, answer := range []string{"", "7", "null", `{"allow":1}`, `{}`, `"yes"`} {
			_, reg := h.guard(app, says(answer))
			h.try(guest, "com.topic", wamp.URIAuthorizationFailed)
			if err := reg.Unregister(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, reg := h.guard(app, func(string) string { time.Sleep(time.Hour); return "true" })
		begin := time.Now()
		h.try(guest, "com.topic", wamp.URIAuthorizationFailed)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("the refusal came after %v, want 5s", d)
		}
		if err := reg.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantStats(dynamic.Stats{Misses: 8, Failed: 8})
		for _, want := range []string{"no_such_procedure", "did not answer within 5s", guardName} {
			if !strings.Contains(h.log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, h.log)
			}
		}
		h.guard(app, says("true"))
		h.try(guest, "com.topic", "")
	})
}

const guardName = string(guard)

func TestAuthorizerCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, ada, ben := h.join("app", "app"), h.join("ada", "guest"), h.join("ben", "guest")
		q, reg := h.guard(app, func(args string) string {
			if strings.Contains(args, "forbidden") {
				return `{"allow":false,"cache":true}`
			}
			return `{"allow":true,"cache":true}`
		})
		want := func(what string, n int) {
			t.Helper()
			if got := q.count(); got != n {
				t.Errorf("%s: asked %d times, want %d", what, got, n)
			}
		}
		for range 10 {
			h.try(ada, "com.topic", "")
			h.try(ada, "com.forbidden", wamp.URINotAuthorized)
		}
		want("twenty times two questions", 2)
		h.wantStats(dynamic.Stats{Hits: 18, Misses: 2, Denied: 10, Kept: 2})
		h.try(ben, "com.topic", "")
		want("another session", 3)
		if _, err := ada.Publish(t.Context(), "com.topic", wamp.PublishOptions{Retain: true}, wamp.Payload{}); err != nil {
			t.Error(err)
		}
		want("other options", 4)

		time.Sleep(5 * time.Minute)
		h.try(ada, "com.topic", "")
		want("after the time", 5)
		h.try(ben, "com.topic", "")
		want("ben after the time", 6)
		if n := h.asks.Flush("ada"); n == 0 {
			t.Error("nothing about ada is forgotten")
		}
		h.try(ben, "com.topic", "")
		want("ben after ada was forgotten", 6)
		h.try(ada, "com.topic", "")
		want("ada after she was forgotten", 7)

		// The answers go with the procedure.
		if err := reg.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.try(ada, "com.topic", wamp.URIAuthorizationFailed)
		q, _ = h.guard(app, says(`{"allow":false,"cache":true}`))
		h.try(ada, "com.topic", wamp.URINotAuthorized)
		h.try(ada, "com.topic", wamp.URINotAuthorized)
		want("of the new procedure", 1)
	})
}

// An answer that was under way when answers were to be forgotten is not kept: it
// may be what the application has just changed its mind about.
func TestAuthorizerFlushWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, ada := h.join("app", "app"), h.join("ada", "guest")
		q, _ := h.guard(app, func(string) string {
			time.Sleep(time.Second)
			return `{"allow":true,"cache":true}`
		})
		for _, authid := range []string{"ada", ""} {
			before := q.count()
			var asking sync.WaitGroup
			asking.Go(func() { h.try(ada, "com.topic", "") })
			time.Sleep(500 * time.Millisecond)
			h.asks.Flush(authid)
			asking.Wait()
			if n := h.asks.Stats().Kept; n != 0 {
				t.Errorf("flushed for %q: %d answers are kept, want none", authid, n)
			}
			h.try(ada, "com.topic", "")
			if n := q.count() - before; n != 2 {
				t.Errorf("flushed for %q: asked %d times, want 2", authid, n)
			}
			h.asks.Flush("")
		}
	})
}

// The gateway's own session can be ended like any other, and comes back.
func TestCallerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, guest := h.join("app", "app"), h.join("ada", "guest")
		h.guard(app, says("true"))
		h.try(guest, "com.topic", "")
		payload, err := wamp.NewPayload(wamp.JSON, []any{"wireroom"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Call(t.Context(), "wamp.session.kill_by_authrole", wamp.CallOptions{}, payload); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.try(guest, "com.topic", "")
		h.caller.Close()
		h.try(guest, "com.topic", wamp.URIAuthorizationFailed)
	})
}

// A disclosure by the authorizer goes before that of the role.
func TestAuthorizerDiscloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		app, guest := h.join("app", "app"), h.join("ada", "guest")
		h.guard(app, func(args string) string {
			if strings.Contains(args, "named") {
				return `{"allow":true,"disclose":true}`
			}
			return `{"allow":true,"disclose":false}`
		})
		events := make(chan wamp.EventDetails, 2)
		_, err := app.Subscribe(t.Context(), "com.", wamp.SubscribeOptions{Match: wamp.Prefix}, func(_ context.Context, e *wamp.Event) {
			events <- e.Details
		})
		if err != nil {
			t.Fatal(err)
		}
		h.try(guest, "com.named", "")
		if d := <-events; d.Publisher != guest.ID() || d.PublisherAuthID != "ada" {
			t.Errorf("the event tells %+v, want the publisher", d)
		}
		_, err = guest.Publish(t.Context(), "com.secret", wamp.PublishOptions{DiscloseMe: true}, wamp.Payload{})
		if e, ok := errors.AsType[*local.Error](err); !ok || e.URI != wamp.URIDiscloseMe {
			t.Errorf("publish with disclose_me: %v, want %s", err, wamp.URIDiscloseMe)
		}
	})
}
