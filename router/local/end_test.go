package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

func TestJoinRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		if c, err := local.Join(rt, "elsewhere", router.Grant{}); c != nil || !errors.Is(err, &wamp.Error{URI: wamp.URINoSuchRealm}) {
			t.Errorf("Join of a realm that is not there = %v, %v; want %s", c, err, wamp.URINoSuchRealm)
		}
		shutdown(t, rt)
		if c, err := local.Join(rt, realm, router.Grant{}); c != nil || err == nil {
			t.Errorf("Join after Shutdown = %v, %v; want an error", c, err)
		}
	})
}

// Nobody waits for ever who joins while the session is ended: by goroutines that
// really run at the same time.
func TestJoinAfterShutdown(t *testing.T) {
	rt := newRouter(t)
	shutdown(t, rt)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				if c, err := local.Join(rt, realm, router.Grant{}); c != nil || err == nil {
					t.Errorf("Join after Shutdown = %v, %v; want an error", c, err)
				}
			}
		})
	}
	all.Wait()
}

// A client is in the meta API as what its grant says.
func TestVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		c := join(t, rt, "guest")
		if s := rt.Realm(realm).Session(c.ID()); s == nil || s.Trusted() || s.AuthID() != "id-of-guest" || s.AuthRole() != "guest" {
			t.Errorf("session = %+v, want that of the guest", s)
		}
		got, err := c.Call(t.Context(), "wamp.session.get", wamp.CallOptions{}, args(fmt.Sprintf("[%d]", c.ID())))
		if err != nil || !strings.Contains(text(got), `"authrole":"guest"`) || !strings.Contains(text(got), `"type":"local"`) {
			t.Errorf("wamp.session.get = %s, %v", text(got), err)
		}
	})
}

// However a client ends, whoever waits for it is told why, its handlers are
// stopped, and another one can join.
func TestEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, rt *router.Router, c *local.Client)
		want wamp.URI
	}{
		{"closed", func(_ *testing.T, _ *router.Router, c *local.Client) { c.Close() }, wamp.URICloseNormal},
		{"shutdown", func(t *testing.T, rt *router.Router, _ *local.Client) { shutdown(t, rt) }, wamp.URISystemShutdown},
		{"ended by the router", func(_ *testing.T, rt *router.Router, c *local.Client) {
			rt.Realm(realm).Session(c.ID()).End(&wamp.Error{URI: wamp.URICloseRealm})
		}, wamp.URICloseRealm},
		{"its realm removed", func(t *testing.T, rt *router.Router, _ *local.Client) {
			if err := rt.RemoveRealm(t.Context(), realm); err != nil {
				t.Error(err)
			}
			if _, err := local.Join(rt, realm, router.Grant{AuthRole: "guest"}); !errors.Is(err, &wamp.Error{URI: wamp.URINoSuchRealm}) {
				t.Errorf("Join: %v, want that there is no such realm", err)
			}
		}, wamp.URICloseRealm},
		{"its realm removed", func(t *testing.T, rt *router.Router, _ *local.Client) {
			if err := rt.RemoveRealm(t.Context(), realm); err != nil {
				t.Error(err)
			}
		}, wamp.URICloseRealm},
		{"killed by another", func(t *testing.T, rt *router.Router, c *local.Client) {
			killer := join(t, rt, "trusted")
			_, err := killer.Call(t.Context(), "wamp.session.kill", wamp.CallOptions{}, args(fmt.Sprintf("[%d]", c.ID())))
			if err != nil {
				t.Error(err)
			}
		}, wamp.URICloseKilled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := newRouter(t)
				c := join(t, rt, "guest")
				var stopped error
				register(t, c, "com.example.slow", func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
					<-ctx.Done()
					stopped = context.Cause(ctx)
					return wamp.Payload{}, stopped
				})
				failed := make(chan error, 1)
				go func() {
					_, err := c.Call(t.Context(), "com.example.slow", wamp.CallOptions{}, args("[]"))
					failed <- err
				}()
				synctest.Wait()
				tt.end(t, rt, c)
				<-c.Done()
				want := &wamp.Error{URI: tt.want}
				if err := c.Err(); !errors.Is(err, local.ErrEnded) || !errors.Is(err, want) {
					t.Errorf("Err = %v, want an end with %s", err, want.URI)
				}
				if err := <-failed; err == nil {
					t.Error("the call that was under way: no error")
				}
				if !errors.Is(stopped, local.ErrEnded) {
					t.Errorf("the handler was stopped because of %v, want the client's end", stopped)
				}
				_, err := c.Publish(t.Context(), "com.example", wamp.PublishOptions{}, args("[]"))
				if !errors.Is(err, local.ErrEnded) || !errors.Is(err, want) {
					t.Errorf("Publish after the end: %v", err)
				}
				c.Close() // again
			})
		})
	}
}

// A client that does not take its events is treated as its limits say, and
// holds nobody up.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t, func(c *router.Config) { c.QueueBytes = 128 << 10 })
		pub, c := join(t, rt, "guest"), join(t, rt, "guest")
		events := 0
		_, err := c.Subscribe(t.Context(), "com.example", wamp.SubscribeOptions{}, func(ctx context.Context, _ *wamp.Event) {
			events++
			<-ctx.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
		big := args(`["` + strings.Repeat("x", 30<<10) + `"]`)
		for i := range 100 {
			if _, err := pub.Publish(t.Context(), "com.example", wamp.PublishOptions{}, big); err != nil {
				t.Fatalf("Publish %d: %v", i, err)
			}
		}
		<-c.Done()
		if events != 1 {
			t.Errorf("%d events were handled, want the one that blocks", events)
		}
		if n, err := rt.Stats().SlowConsumers, c.Err(); n != 1 || !errors.Is(err, &wamp.Error{URI: wamp.URISlowConsumer}) {
			t.Errorf("SlowConsumers = %d, Err = %v; want 1, and %s", n, err, wamp.URISlowConsumer)
		}
	})
}

// What is longer than all queues passes as well, one at a time.
func TestBigMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		callee, caller := join(t, rt, "guest"), join(t, rt, "guest")
		register(t, callee, "com.example.echo", echo)
		big := args(`["` + strings.Repeat("x", 3<<20) + `"]`)
		for range 3 {
			got, err := caller.Call(t.Context(), "com.example.echo", wamp.CallOptions{}, big)
			if err != nil || !bytes.Equal(got.Args, big.Args) {
				t.Fatalf("Call with %d bytes = %d bytes, %v", big.Len(), got.Len(), err)
			}
		}
	})
}

// Many goroutines use one client, while it ends.
func TestConcurrentUse(t *testing.T) {
	rt := newRouter(t)
	for range 20 {
		c := join(t, rt, "guest")
		var events atomic.Int64
		register(t, c, "com.example.echo", echo)
		if _, err := c.Subscribe(t.Context(), "com.example", wamp.SubscribeOptions{}, func(context.Context, *wamp.Event) { events.Add(1) }); err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		for i := range 8 {
			users.Go(func() {
				for n := 0; c.Err() == nil; n++ {
					want := fmt.Sprintf("[%d,%d]", i, n)
					got, err := c.Call(t.Context(), "com.example.echo", wamp.CallOptions{}, args(want))
					if err == nil && text(got) != want {
						t.Errorf("Call(%s) = %s", want, text(got))
					}
					if err == nil {
						_, err = c.Publish(t.Context(), "com.example", wamp.PublishOptions{KeepMe: true}, args(want))
					}
					if _, refused := errors.AsType[*local.Error](err); err != nil && !refused && !errors.Is(err, local.ErrEnded) {
						t.Errorf("Call or Publish: %v", err)
					}
				}
			})
		}
		for events.Load() < 20 {
			runtime.Gosched()
		}
		c.Close()
		users.Wait()
	}
}

// Canceling contexts right and left leaves nothing behind.
func TestCancelRaces(t *testing.T) {
	rt := newRouter(t)
	c := join(t, rt, "guest")
	register(t, c, "com.example.echo", echo)
	var users sync.WaitGroup
	for i := range 4 {
		users.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*n)*time.Microsecond)
				_, err := c.Call(ctx, "com.example.echo", wamp.CallOptions{}, args("[1]"))
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Call: %v", err)
				}
			}
		})
	}
	users.Wait()
	if got, err := c.Call(t.Context(), "com.example.echo", wamp.CallOptions{}, args("[2]")); err != nil || text(got) != "[2]" {
		t.Errorf("Call after all that = %s, %v", text(got), err)
	}
}

// A seat has a client whenever somebody asks, until it is closed.
func TestSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t)
		seat := local.NewSeat(rt, realm, router.Grant{AuthRole: "guest"})
		if n := rt.Realm(realm).SessionCount(); n != 0 {
			t.Errorf("%d sessions before anybody needs one", n)
		}
		first, err := seat.Client()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := seat.Client(); again != first || err != nil {
			t.Errorf("Client once more = %p, %v; want %p", again, err, first)
		}
		rt.Realm(realm).Session(first.ID()).End(&wamp.Error{URI: wamp.URICloseKilled})
		<-first.Done()
		second, err := seat.Client()
		if err != nil || second == first || second.Err() != nil {
			t.Errorf("Client after the first was killed = %p, %v", second, err)
		}
		seat.Close()
		<-second.Done()
		if c, err := seat.Client(); c != nil || err == nil {
			t.Errorf("Client after Close = %v, %v; want an error", c, err)
		}
	})
}
