package local_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

const realm wamp.URI = "realm1"

// guest lets the role "guest" do anything but touch what begins with
// "forbidden."; nobody joins through it.
type guest struct{}

func (guest) Authenticate(context.Context, router.Joining) (*router.Grant, *router.Challenge, error) {
	return nil, nil, errors.New("a part of the program was asked who it is")
}

func (guest) Authorize(s *router.Session, _ router.Action, uri wamp.URI, _ wamp.Match, _ wamp.Message) router.Decision {
	return router.Decision{Allow: s.AuthRole() == "guest" && !strings.HasPrefix(string(uri), "forbidden.")}
}

// newRouter returns a router with one realm, which shuts down with the test.
func newRouter(t *testing.T, change ...func(*router.Config)) *router.Router {
	cfg := router.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	rt := router.New(cfg, guest{}, slog.New(slog.DiscardHandler))
	rt.AddRealm(realm, guest{}, nil)
	t.Cleanup(func() { shutdown(t, rt) })
	return rt
}

func shutdown(t *testing.T, rt *router.Router) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := rt.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// join returns a client with the role, which is closed with the test.
func join(t *testing.T, rt *router.Router, role string) *local.Client {
	t.Helper()
	c, err := local.Join(rt, realm, router.Grant{AuthID: "id-of-" + role, AuthRole: role, AuthMethod: "internal", Trusted: role == "trusted"})
	if err != nil {
		t.Fatalf("Join as %q: %v", role, err)
	}
	t.Cleanup(c.Close)
	return c
}

// args returns a payload of positional arguments, which are JSON.
func args(list string) wamp.Payload { return wamp.Payload{Serializer: wamp.JSON, Args: []byte(list)} }

// text returns a payload as JSON.
func text(p wamp.Payload) string { return string(p.Args) + string(p.KwArgs) }

// echo answers an invocation with its arguments.
func echo(_ context.Context, inv *wamp.Invocation) (wamp.Payload, error) { return inv.Payload, nil }

func register(t *testing.T, c *local.Client, procedure wamp.URI, run func(context.Context, *wamp.Invocation) (wamp.Payload, error)) *local.Registration {
	t.Helper()
	reg, err := c.Register(t.Context(), procedure, wamp.RegisterOptions{}, run)
	if err != nil {
		t.Fatalf("Register(%q): %v", procedure, err)
	}
	return reg
}

func TestCall(t *testing.T) {
	fails := func(_ context.Context, inv *wamp.Invocation) (wamp.Payload, error) {
		return wamp.Payload{}, &local.Error{URI: "com.example.error.no", Payload: wamp.Payload{
			Serializer: wamp.JSON, Args: []byte(`["no more",7]`), KwArgs: []byte(`{"left":0}`),
		}}
	}
	breaks := func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
		return wamp.Payload{}, errors.New("the password is s3cret")
	}
	bad := func(context.Context, *wamp.Invocation) (wamp.Payload, error) { return args(`[1`), nil }
	tests := []struct {
		name, role string
		procedure  wamp.URI
		payload    wamp.Payload
		want       string // result
		wantErr    string
	}{
		{"echo", "guest", "com.example.echo", args(`[1,{"a":null}]`), `[1,{"a":null}]`, ""},
		{
			"keyword arguments", "guest", "com.example.echo",
			wamp.Payload{Serializer: wamp.JSON, Args: []byte("[]"), KwArgs: []byte(`{"a":1}`)},
			`[]{"a":1}`, "",
		},
		{"another serializer", "guest", "com.example.echo", wamp.Payload{Serializer: wamp.CBOR, Args: []byte{0x81, 0x07}}, "[7]", ""},
		{"no payload", "guest", "com.example.echo", wamp.Payload{}, "", ""},
		{"the callee's error", "guest", "com.example.fails", args("[]"), "", "com.example.error.no: no more"},
		{"an error that nobody may see", "guest", "com.example.breaks", args("[]"), "", "wireroom.error.internal: internal error"},
		{"a result that is no JSON", "guest", "com.example.bad", args("[]"), "", "wamp.error.invalid_argument: YIELD."},
		{"no such procedure", "guest", "com.example.none", args("[]"), "", `wamp.error.no_such_procedure: no procedure "com.example.none" is registered`},
		{"not allowed", "guest", "forbidden.echo", args("[]"), "", `wamp.error.not_authorized: role "guest" may not call "forbidden.echo"`},
		{"trusted", "trusted", "forbidden.echo", args("[2]"), "[2]", ""},
		{"arguments that are no JSON", "guest", "com.example.echo", args(`[1],["x"]]`), "", "wamp.error.invalid_argument: CALL."},
		{"arguments that nest too deep", "guest", "com.example.echo", args(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "", "wamp.error.invalid_argument: CALL."},
		{"arguments that hide another message", "guest", "com.example.echo", args(`[]] [6,{},"wamp.close.normal"`), "", "wamp.error.invalid_argument: CALL."},
	}
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		callee := join(t, rt, "trusted")
		register(t, callee, "com.example.echo", echo)
		register(t, callee, "com.example.fails", fails)
		register(t, callee, "com.example.breaks", breaks)
		register(t, callee, "com.example.bad", bad)
		register(t, callee, "forbidden.echo", echo)
		callers := map[string]*local.Client{"guest": join(t, rt, "guest"), "trusted": join(t, rt, "trusted")}
		for _, tt := range tests {
			got, err := callers[tt.role].Call(t.Context(), tt.procedure, wamp.CallOptions{}, tt.payload)
			if msg := message(err); text(got) != tt.want || !strings.HasPrefix(msg, tt.wantErr) || tt.wantErr == "" && msg != "" {
				t.Errorf("%s: Call(%q, %s) = %s, %v; want %s, %q", tt.name, tt.procedure, text(tt.payload), text(got), err, tt.want, tt.wantErr)
			}
		}
	})
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What a callee's error carries reaches the caller as it is.
func TestCallErrorPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		c := join(t, rt, "guest")
		register(t, c, "com.example.fails", func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
			return wamp.Payload{}, wamp.Errorf(wamp.URINotAuthorized, "go away")
		})
		_, err := c.Call(t.Context(), "com.example.fails", wamp.CallOptions{}, args("[]"))
		e, ok := errors.AsType[*local.Error](err)
		if !ok || text(e.Payload) != `["go away"]` || !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("Call = %v (%#v), want wamp.error.not_authorized with its text as the argument", err, e)
		}
	})
}

// The end of a caller's context cancels the call, and only that.
func TestCallCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		c := join(t, rt, "guest")
		var why error
		register(t, c, "com.example.slow", func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
			<-ctx.Done()
			why = context.Cause(ctx)
			return wamp.Payload{}, why
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Call(ctx, "com.example.slow", wamp.CallOptions{}, args("[]"))
		synctest.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(why, &wamp.Error{URI: wamp.URICanceled}) {
			t.Errorf("Call = %v, and the callee was told %v; want the deadline's error, and %s", err, why, wamp.URICanceled)
		}

		_, err = c.Call(t.Context(), "com.example.slow", wamp.CallOptions{Timeout: 500}, args("[]"))
		synctest.Wait()
		if !errors.Is(err, &wamp.Error{URI: wamp.URITimeout}) || !errors.Is(why, &wamp.Error{URI: wamp.URITimeout}) {
			t.Errorf("Call with a timeout = %v, and the callee was told %v; want %s", err, why, wamp.URITimeout)
		}
		if err := c.Err(); err != nil {
			t.Errorf("Err after all that = %v", err)
		}
	})
}

// Events come in order, and not after Unsubscribe.
func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		pub, c := join(t, rt, "guest"), join(t, rt, "guest")
		var got []string
		sub, err := c.Subscribe(t.Context(), "com.example", wamp.SubscribeOptions{Match: wamp.Prefix}, func(_ context.Context, e *wamp.Event) {
			got = append(got, string(e.Details.Topic)+text(e.Payload))
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Subscribe(t.Context(), "com.example", wamp.SubscribeOptions{Match: wamp.Prefix}, nil); err == nil {
			t.Error("a second Subscribe to the same: no error")
		}
		publish := func(topic wamp.URI, p wamp.Payload) {
			if id, err := pub.Publish(t.Context(), topic, wamp.PublishOptions{}, p); err != nil || id == 0 {
				t.Errorf("Publish(%q) = %v, %v", topic, id, err)
			}
		}
		publish("com.example.a", args("[1]"))
		publish("com.example.b", args("[2]"))
		publish("com.example.a", wamp.Payload{Serializer: wamp.MessagePack, Args: []byte{0x91, 0x03}})
		synctest.Wait()
		if all := strings.Join(got, " "); all != "com.example.a[1] com.example.b[2] com.example.a[3]" {
			t.Errorf("events: %s", all)
		}
		if err := sub.Unsubscribe(t.Context()); err != nil {
			t.Errorf("Unsubscribe: %v", err)
		}
		<-sub.Gone()
		publish("com.example.a", args("[4]"))
		synctest.Wait()
		if len(got) != 3 {
			t.Errorf("after Unsubscribe came %v", got[3:])
		}
		if err := sub.Unsubscribe(t.Context()); !errors.Is(err, &wamp.Error{URI: wamp.URINoSuchSubscription}) {
			t.Errorf("a second Unsubscribe: %v", err)
		}
		_, err = pub.Publish(t.Context(), "forbidden.topic", wamp.PublishOptions{}, args("[]"))
		if !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("Publish to what is forbidden: %v, want %s", err, wamp.URINotAuthorized)
		}
	})
}

// A callee's registration can be given up, and be taken from it.
func TestRegistrationGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		c := join(t, rt, "guest")
		first := register(t, c, "com.example.echo", echo)
		if err := first.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-first.Gone()
		_, err := c.Call(t.Context(), "com.example.echo", wamp.CallOptions{}, args("[]"))
		if !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Errorf("Call after Unregister = %v, want %s", err, wamp.URINoSuchProcedure)
		}

		second := register(t, c, "com.example.echo", echo)
		thief := join(t, rt, "guest")
		if _, err := thief.Register(t.Context(), "com.example.echo", wamp.RegisterOptions{ForceRegister: true}, echo); err != nil {
			t.Fatal(err)
		}
		<-second.Gone()
	})
}

// A subscription can be taken from its subscriber, who learns of it.
func TestSubscriptionGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		c, other := join(t, rt, "guest"), join(t, rt, "trusted")
		sub, err := c.Subscribe(t.Context(), "com.example", wamp.SubscribeOptions{}, func(context.Context, *wamp.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		_, err = other.Call(t.Context(), "wamp.subscription.remove_subscriber", wamp.CallOptions{}, args(fmt.Sprintf("[%d,%d]", sub.ID(), c.ID())))
		if err != nil {
			t.Fatal(err)
		}
		<-sub.Gone()
		if err := c.Err(); err != nil {
			t.Errorf("Err = %v", err)
		}
	})
}

// As many invocations run at a time as the registration says; the others wait.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		callee, caller := join(t, rt, "guest"), join(t, rt, "guest")
		running := make(chan struct{}, 100)
		proceed := make(chan struct{})
		_, err := callee.Register(t.Context(), "com.example.slow", wamp.RegisterOptions{Concurrency: 3}, func(_ context.Context, inv *wamp.Invocation) (wamp.Payload, error) {
			running <- struct{}{}
			<-proceed
			return inv.Payload, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := caller.Call(t.Context(), "com.example.slow", wamp.CallOptions{}, args("[]"))
				answers <- err
			}()
		}
		synctest.Wait()
		if len(running) != 3 {
			t.Errorf("%d invocations run, want 3", len(running))
		}
		close(proceed)
		for range 10 {
			if err := <-answers; err != nil {
				t.Errorf("Call: %v", err)
			}
		}
	})
}
