package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// A troubledStore takes events while it says that it did not, or cannot be read.
type troubledStore struct {
	*embedded.Store
	lies, mute atomic.Bool
}

func (s *troubledStore) Append(records []events.Record, done func([]events.Appended, error)) {
	if !s.lies.Load() {
		s.Store.Append(records, done)
		return
	}
	s.Store.Append(records, func([]events.Appended, error) { done(nil, events.ErrUnavailable) })
}

func (s *troubledStore) Read(ctx context.Context, r events.Range) (events.Page, error) {
	if s.mute.Load() {
		return events.Page{}, fmt.Errorf("%w: slow", events.ErrUnavailable)
	}
	return s.Store.Read(ctx, r)
}

// freely lets everybody do everything.
type freely struct{}

func (freely) Authorize(*router.Session, router.Action, wamp.URI, wamp.Match, wamp.Message) router.Decision {
	return router.Decision{Allow: true}
}

// A stage is a realm with one class, "log", over a troubled store.
type stage struct {
	t      *testing.T
	store  *troubledStore
	hub    *events.Hub
	keeper *events.Keeper
	rt     *router.Router
}

func newStage(t *testing.T) *stage {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st := &stage{t: t, store: &troubledStore{Store: openTestStore(t, t.TempDir())}}
	catalogue := must(events.NewCatalogue([]events.ClassConfig{{
		Name: "log", Fields: []events.FieldConfig{{Name: "n", Type: events.Int, Required: true}},
		Retain: events.Retain{Events: 1000}, Persistent: time.Hour,
	}}))(t)
	queries := events.NewQueries(catalogue, events.DefaultQueryConfig(), log)
	deliver := &delivery{anonymous: "anonymous", queries: queries}
	st.hub = must(events.NewHub(t.Context(), catalogue, st.store, deliver, events.DefaultConfig(), log))(t)
	st.keeper = events.NewKeeper(realmKeeps(st.store, "r", "r"), st.hub, events.KeeperConfig{Most: 10}, log)
	st.rt = router.New(router.DefaultConfig(), nil, log)
	govern := &governor{hub: st.hub, queries: queries, kept: &holdings{keeper: st.keeper}, anonymous: "anonymous", log: log}
	deliver.realm = st.rt.AddRealm("r", freely{}, govern)
	providePersistent(deliver.realm, govern)
	t.Cleanup(func() {
		_ = st.rt.Shutdown(context.Background()) // nobody is there
		st.hub.Close()
		st.keeper.Close(context.Background())
		_ = st.store.Close()
	})
	return st
}

// publish publishes an event with each of the numbers.
func (st *stage) publish(wrong error, numbers ...int) {
	st.t.Helper()
	for _, n := range numbers {
		if _, err := st.hub.Publish(context.Background(), &events.Event{Class: "log", Data: fmt.Appendf(nil, `{"n":%d}`, n)}); (err != nil) != (wrong != nil) {
			st.t.Fatalf("Publish %d: %v, want %v", n, err, wrong)
		}
	}
}

// A guest is a client of a stage, and what it got.
type guest struct {
	*local.Client
	t   *testing.T
	id  wamp.ID
	mu  sync.Mutex
	got []string
}

func (st *stage) guest(authid string, options map[string]any) *guest {
	st.t.Helper()
	g := &guest{t: st.t, Client: must(local.Join(st.rt, "r", router.Grant{AuthID: authid, AuthRole: "member", AuthMethod: "ticket"}))(st.t)}
	st.t.Cleanup(g.Close)
	sub := must(g.Subscribe(context.Background(), "log", wamp.SubscribeOptions{Extra: options}, func(_ context.Context, e *wamp.Event) {
		x := e.Details.Extra
		note := fmt.Sprint(x["_offset"])
		switch {
		case x["_recovered"] == false:
			note = fmt.Sprintf("lost %v-%v", x["_lost_from"], x["_lost_through"])
		case x["_replayed"] == true:
			note += "r"
		}
		g.mu.Lock()
		g.got = append(g.got, note)
		g.mu.Unlock()
	}))(st.t)
	g.id = sub.ID()
	synctest.Wait() // until it is live
	return g
}

func (g *guest) want(want ...string) {
	g.t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if fmt.Sprint(g.got) != fmt.Sprint(want) {
		g.t.Errorf("got %v, want %v", g.got, want)
	}
	g.got = nil
}

// acknowledge acknowledges events up to an offset, and reports whether it may.
func (g *guest) acknowledge(offset int) bool {
	g.t.Helper()
	_, err := g.Call(context.Background(), "wireroom.ack", wamp.CallOptions{},
		wamp.Payload{Serializer: wamp.JSON, Args: noArgs, KwArgs: fmt.Appendf(nil, `{"subscription":%d,"_offset":%d}`, g.id, offset)})
	return err == nil
}

var explicitly = map[string]any{"_persistent": true, "_ack": "explicit"}

// What the hub could not read in time, a persistent subscription gets from the log
// as soon as that can be read, before what is published later; it counts as not
// sent until then. Others are told.
func TestMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		ada, bob := st.guest("ada", explicitly), st.guest("bob", nil)
		st.publish(nil, 1)
		ada.want("1")
		bob.want("1")
		st.store.lies.Store(true)
		st.publish(events.ErrUnavailable, 2, 3)
		st.store.lies.Store(false)
		st.store.mute.Store(true)
		st.publish(nil, 4, 5)
		bob.want("lost 2-3", "4", "5")
		ada.want()
		if !ada.acknowledge(1) || ada.acknowledge(4) {
			t.Error("what was sent cannot be acknowledged, or what was not can")
		}
		time.Sleep(30 * time.Second)
		st.publish(nil, 6)
		ada.want()
		st.store.mute.Store(false)
		time.Sleep(2 * time.Second)
		ada.want("2r", "3r", "4r", "5r", "6r")
		bob.want("6")
		if !ada.acknowledge(6) {
			t.Error("what was sent cannot be acknowledged")
		}
		st.publish(nil, 7)
		ada.want("7")
		bob.want("7")
	})
}

// What is gone from the log meanwhile is told, also to a persistent subscription.
func TestMendOfTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		ada := st.guest("ada", explicitly)
		st.publish(nil, 1)
		st.store.lies.Store(true)
		st.publish(events.ErrUnavailable, 2, 3)
		st.store.lies.Store(false)
		st.store.mute.Store(true)
		st.publish(nil, 4)
		ada.want("1")
		must(st.store.Trim(t.Context(), "log", events.Retain{Events: 1}, time.Now()))(t)
		st.store.mute.Store(false)
		time.Sleep(2 * time.Second)
		ada.want("lost 2-3")
		st.publish(nil, 5)
		ada.want("5")
	})
}

// A session that gets nothing for long, as its log cannot be read, ends; what it
// missed it finds when it is back. One that leaves meanwhile just leaves.
func TestMendInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		ada, bob := st.guest("ada", explicitly), st.guest("bob", explicitly)
		st.publish(nil, 1)
		st.store.lies.Store(true)
		st.publish(events.ErrUnavailable, 2)
		st.store.lies.Store(false)
		st.store.mute.Store(true)
		st.publish(nil, 3)
		ada.want("1")
		ada.acknowledge(1)
		bob.Close()
		time.Sleep(mendFor + 5*time.Second)
		select {
		case <-ada.Done():
		default:
			t.Error("a session whose log cannot be read goes on without its events")
		}
		st.store.mute.Store(false)
		st.guest("ada", explicitly).want("2r", "3r")
	})
}
