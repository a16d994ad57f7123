package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest/webhook"
)

func callee(form webhook.Form, e *endpoint) *webhook.Callee {
	return webhook.NewCalleeBy(webhook.CalleeConfig{
		Endpoint: webhook.Endpoint{URL: "https://example.com/api/hook", Timeout: 5 * time.Second}, Form: form, MaxAnswer: 1024,
	}, slog.New(slog.DiscardHandler), e)
}

func said(r webhook.Result, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s", r.Args, r.KwArgs)
}

func TestCallForm(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		want   string
	}{
		{"a result", 200, `{"args":[3],"kwargs":{"a":1}}`, `[3] {"a":1}`},
		{"keywords", 200, `{"kwargs":{"a":1}}`, `[] {"a":1}`},
		{"null", 200, `{"args":null,"kwargs":null,"error":null}`, ` `},
		{"nothing", 204, ``, ` `},
		{"an error", 200, `{"error":"com.example.no","args":["no"]}`, `com.example.no ["no"] `},
		{"refused", 404, `not here`, `wireroom.error.unavailable ["the endpoint answers with status 404"] {"status":404}`},
		{"down", 503, ``, `wireroom.error.unavailable ["the endpoint answers with status 503"] {"status":503}`},
		{"a redirect to a GET", 302, ``, `wireroom.error.unavailable ["the endpoint answers with status 302"] {"status":302}`},
		{"a page", 200, `<html>`, `wireroom.error.unavailable ["expected a JSON object with args, kwargs or error`},
		{"a list", 200, `[1]`, `wireroom.error.unavailable ["expected a JSON object with args, kwargs or error`},
		{"args of another kind", 200, `{"args":{}}`, `wireroom.error.unavailable ["expected an array for args`},
		{"too deep", 200, `{"args":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, `wireroom.error.unavailable ["expected a JSON object`},
		{"too long", 200, `{"args":["` + strings.Repeat("x", 1024) + `"]}`, `wireroom.error.unavailable ["the endpoint cannot be reached, or its answer cannot be read"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			e := &endpoint{answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.String() + " " + r.Header.Get("Webhook-Id")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.answer)
			}}
			got := said(callee(webhook.Call, e).Call(t.Context(), &webhook.Invocation{ID: "call-1", Procedure: "com.example.add", Args: []byte("[1,2]"), Details: []byte(`{"caller":7}`)}))
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("Call = %s, want %s", got, tt.want)
			}
			if asked != "POST https://example.com/api/hook call-1" {
				t.Errorf("the endpoint was asked %s", asked)
			}
		})
	}
}

// What the endpoint is asked, and that a call which is canceled or too slow ends.
func TestCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{answer: func(n int, _ http.ResponseWriter, r *http.Request) {
			if n > 0 {
				<-r.Context().Done()
			}
		}}
		c := callee(webhook.Call, e)
		inv := &webhook.Invocation{ID: "1", Procedure: "p", KwArgs: []byte(`{"a":1}`)}
		if _, err := c.Call(t.Context(), inv); err != nil || e.bodies() != `{"procedure":"p","args":[],"kwargs":{"a":1},"details":{}}` {
			t.Errorf("the endpoint was asked %s: %v", e.bodies(), err)
		}
		begin := time.Now()
		_, err := c.Call(t.Context(), inv)
		if f, ok := errors.AsType[*webhook.Failure](err); !ok || f.URI != "wamp.error.timeout" || time.Since(begin) != 5*time.Second {
			t.Errorf("a slow endpoint: %v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Call(ctx, inv); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that was given up: %v", err)
		}
	})
}

func TestRequestForm(t *testing.T) {
	tests := []struct {
		name, kwargs string
		asked, want  string
	}{
		{"GET", `{"method":"GET"}`, "GET https://example.com/api/hook  ", `[{"code":200,"content":"done","headers":{"Content-Type":["text/plain; charset=utf-8"],"X-A":["1","2"]}}] `},
		{"below", `{"method":"POST","url":"users/1","body":"ü","params":{"a":"b c"},"headers":{"Content-Type":["text/plain"]}}`, "POST https://example.com/api/users/1?a=b+c text/plain ü", `[{"code":200`},
		{"a query of its own", `{"method":"GET","url":"x?b=1","params":{"a":"2"}}`, "GET https://example.com/api/x?a=2&b=1  ", `[{"code":200`},
		{"no method", `{}`, "", `wamp.error.invalid_argument ["method: expected a method of HTTP, found none"]`},
		{"no such method", `{"method":"GET IT"}`, "", `wamp.error.invalid_argument ["method: `},
		{"another kind", `{"method":7}`, "", `wamp.error.invalid_argument ["expected the keyword arguments method,`},
		{"another host", `{"method":"GET","url":"https://evil.example/api/hook"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"another host without a scheme", `{"method":"GET","url":"//evil.example/api/hook"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"another scheme", `{"method":"GET","url":"http://example.com/api/hook"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"a user", `{"method":"GET","url":"https://me@example.com/api/hook"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above", `{"method":"GET","url":"../admin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, absolute", `{"method":"GET","url":"/admin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, escaped", `{"method":"GET","url":"%2e%2e/admin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, with an escaped slash", `{"method":"GET","url":"..%2fadmin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, by a backslash", `{"method":"GET","url":"..%5cadmin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, with parameters", `{"method":"GET","url":"..;x=1/admin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"above, with an escaped semicolon", `{"method":"GET","url":"a/..%3b/..%3b/admin"}`, "", `wamp.error.invalid_argument ["url: expected a URL below`},
		{"another Host", `{"method":"GET","headers":{"Host":["evil.example"]}}`, "", `wamp.error.invalid_argument ["headers: Host`},
		{"a signature", `{"method":"GET","headers":{"webhook-signature":["v1,x"]}}`, "", `wamp.error.invalid_argument ["headers: webhook-signature`},
		{"a signature, for CGI", `{"method":"GET","headers":{"Webhook_Signature":["v1,x"]}}`, "", `wamp.error.invalid_argument ["headers: Webhook_Signature`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			e := &endpoint{}
			e.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.String() + " " + r.Header.Get("Content-Type") + " "
				w.Header()["X-A"] = []string{"1", "2"}
				_, _ = io.WriteString(w, "done")
			}
			got := said(callee(webhook.Request, e).Call(t.Context(), &webhook.Invocation{ID: "1", KwArgs: []byte(tt.kwargs)}))
			if asked != "" {
				asked += e.bodies()
			}
			if !strings.HasPrefix(got, tt.want) || asked != tt.asked {
				t.Errorf("Call(%s) = %s, and the endpoint was asked %q; want %s and %q", tt.kwargs, got, asked, tt.want, tt.asked)
			}
		})
	}
}

// FuzzBelow: no URL leads out of the endpoint's.
func FuzzBelow(f *testing.F) {
	for _, s := range []string{"", "a/b", "../x", "//evil", "https://example.com/api/x", "%2e%2e/x", "?q", "#f", "..%5cx", "a/../../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		got, err := webhook.Below("https://example.com/api/hook", ref, map[string]string{"a": "b"})
		if err == nil && !strings.HasPrefix(got, "https://example.com/api/") {
			t.Fatalf("%q leads to %s", ref, got)
		}
	})
}

// FuzzAnswer: whatever an endpoint answers becomes a result or a failure.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"args":[1],"kwargs":{}}`, `{"error":"a.b"}`, `[]`, "\xff", `{"args":"x"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := &endpoint{answer: func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }}
		r, err := callee(webhook.Call, e).Call(t.Context(), &webhook.Invocation{ID: "1"})
		if _, ok := errors.AsType[*webhook.Failure](err); err != nil && !ok {
			t.Fatalf("%q fails with %v", text, err)
		}
		if r.Args != nil && r.Args[0] != '[' || r.KwArgs != nil && r.KwArgs[0] != '{' {
			t.Fatalf("%q becomes %s %s", text, r.Args, r.KwArgs)
		}
	})
}
