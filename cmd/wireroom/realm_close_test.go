package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/ingest/bridge"
)

// startGateway runs a gateway in this process, and returns it with what the
// helpers of the tests need.
func startGateway(t *testing.T, text string) (*gateway, *program) {
	t.Helper()
	cfg, problems := config.Load(writeConfig(t, text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g, err := newGateway(ctx, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	var owned sync.WaitGroup
	owned.Go(func() {
		if err := g.run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		owned.Wait()
	})
	return g, &program{base: "http://" + g.listener.Addr().String()}
}

// A realm is closed and opened again while a call with a timeout is pending,
// clients listen and others post. Its log goes on where it was, and the other
// realm notices nothing.
func TestRealmClosesAndOpens(t *testing.T) {
	g, p := startGateway(t, realmsConfig)
	ticket := ticketFor(t, "ada", "member")
	callee, caller := joinRealm(t, p, "shop.example", ticket), joinRealm(t, p, "shop.example", ticket)
	listener := joinRealm(t, p, "shop.example", "")
	heard := listener.listen(t, "demo.message", nil)
	school := joinRealm(t, p, "school.example", "")
	inSchool := school.listen(t, "demo.message", nil)

	for round := range 3 {
		invoked := make(chan struct{}, 1)
		err := callee.Register("app.slow", func(ctx context.Context, _ *wamp.Invocation) (r client.InvokeResult) {
			invoked <- struct{}{}
			<-ctx.Done()
			return r
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() {
			_, err := caller.Call(t.Context(), "app.slow", wamp.Dict{"timeout": 600_000}, nil, nil, nil)
			answer <- err
		}()
		<-invoked
		if err := post(t, p, testKey, "demo.message", map[string]any{"text": "before"}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			next(t, heard)
		}

		if err := g.closeRealm(t.Context(), "shop.example"); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err == nil {
			t.Error("the pending call has a result")
		}
		for name, c := range map[string]*wampClient{"callee": callee, "caller": caller, "listener": listener} {
			select {
			case <-c.Done():
			case <-time.After(patience):
				t.Fatalf("the %s is connected still", name)
			}
			if r := c.gate.refused.Load(); r == nil || !strings.Contains(r.URI, "close_realm") {
				t.Errorf("the %s was told %v, want wamp.close.close_realm", name, r)
			}
		}
		f := wampFlags{url: p.ws(), realm: "shop.example", serializer: "json", timeout: patience}
		if _, err := f.connect(t.Context()); err == nil || !strings.Contains(err.Error(), "no_such_realm") {
			t.Errorf("a client joins a closed realm: %v", err)
		}
		if err := post(t, p, testKey, "demo.message", map[string]any{"text": "closed"}); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("an event for a closed realm is taken: %v", err)
		}
		if err := g.closeRealm(t.Context(), "shop.example"); err == nil {
			t.Error("a realm that is not open is closed")
		}
		if err := post(t, p, schoolKey, "demo.message", map[string]any{"n": round}); err != nil {
			t.Errorf("the other realm: %v", err)
		}
		for range 2 {
			next(t, inSchool)
		}

		if err := g.openRealm(t.Context(), g.cfg.Realm("shop.example")); err != nil {
			t.Fatal(err)
		}
		if err := g.openRealm(t.Context(), g.cfg.Realm("shop.example")); err == nil {
			t.Error("an open realm is opened")
		}
		callee, caller = joinRealm(t, p, "shop.example", ticket), joinRealm(t, p, "shop.example", ticket)
		listener = joinRealm(t, p, "shop.example", "")
		heard = listener.listen(t, "demo.message", wamp.Dict{"_last": 1})
		if e := next(t, heard); offset(e) != int64(2*round+2) || e.ArgumentsKw["text"] != "before" {
			t.Errorf("the log of the realm ends with %v at %v", e.ArgumentsKw, e.Details)
		}
	}
}

// Who asks for a place in a realm while that closes and opens has one in the
// realm that is open in the end, and those before it are gone.
func TestSeatsWhileARealmClosesAndOpens(t *testing.T) {
	g, _ := startGateway(t, bridgeConfig)
	who := bridge.Principal{Realm: "realm1", Key: "shop", Role: "member"}
	before, err := g.bridge.client(who)
	if err != nil {
		t.Fatal(err)
	}
	g.bridge.mu.Lock() // has whoever asks wait in the middle
	var owned sync.WaitGroup
	for range 10 {
		owned.Go(func() { _, _ = g.bridge.client(who) })
	}
	time.Sleep(10 * time.Millisecond) // an error is found only if they wait by then
	if err := g.closeRealm(t.Context(), "realm1"); err != nil {
		t.Fatal(err)
	}
	if err := g.openRealm(t.Context(), g.cfg.Realm("realm1")); err != nil {
		t.Fatal(err)
	}
	g.bridge.mu.Unlock()
	owned.Wait()
	g.bridge.mu.Lock()
	if seat := g.bridge.seats[who]; seat.realm != g.realms.get("realm1") {
		t.Errorf("the seat is in the realm %p, want the one that is open", seat.realm)
	}
	g.bridge.mu.Unlock()
	if _, err := g.bridge.client(who); err != nil || before.Err() == nil {
		t.Errorf("a new client: %v; the one before ended with %v", err, before.Err())
	}
}

// Web applications that post while their realm closes and opens are told for
// each event whether it was taken, and the log has exactly those that were.
func TestPostsWhileARealmCloses(t *testing.T) {
	g, p := startGateway(t, strings.Replace(realmsConfig, "retain: {events: 100}", "retain: {events: 1000000}", 1))
	const posters = 4
	var posting sync.WaitGroup
	stop := make(chan struct{})
	taken := make([]int, posters)
	for i := range posters {
		posting.Go(func() {
			pub, err := newHTTPPublisher(p.base, testKey, patience)
			if err != nil {
				t.Error(err)
				return
			}
			defer pub.close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"text": "x"}})
				if err == nil {
					taken[i]++
				} else if !strings.Contains(err.Error(), "clos") {
					t.Errorf("a post is refused: %v", err)
				}
			}
		})
	}
	for range 10 {
		if err := g.closeRealm(t.Context(), "shop.example"); err != nil {
			t.Error(err)
		}
		if err := g.openRealm(t.Context(), g.cfg.Realm("shop.example")); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	posting.Wait()
	sum := 0
	for _, n := range taken {
		sum += n
	}
	b, err := g.store.Bounds(t.Context(), "demo.message")
	if err != nil {
		t.Fatal(err)
	}
	if int(b.Next-1) != sum {
		t.Errorf("the log has %d events, and %d were taken", b.Next-1, sum)
	}
}

// A gateway that shuts down opens no realm any more.
func TestNoRealmAfterShutdown(t *testing.T) {
	cfg, problems := config.Load(writeConfig(t, realmsConfig))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var out bytes.Buffer
	g, err := newGateway(t.Context(), cfg, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.run(done); err != nil {
		t.Fatal(err)
	}
	if err := g.openRealm(t.Context(), &config.Realm{Name: "late.example"}); !errors.Is(err, errRealms) {
		t.Errorf("a realm is opened after the end: %v", err)
	}
}
