package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// everything is allowed.
type everything struct{}

func (everything) Authenticate(context.Context, router.Joining) (*router.Grant, *router.Challenge, error) {
	return nil, nil, wamp.ErrNotAuthorized
}

func (everything) Authorize(*router.Session, router.Action, wamp.URI, wamp.Match, wamp.Message) router.Decision {
	return router.Decision{Allow: true}
}

// A queryRealm is a hub and a router with the adapters between them, and no store.
type queryRealm struct {
	hub    *events.Hub
	router *router.Router
	realm  *router.Realm
}

func newQueryRealm(t *testing.T) *queryRealm {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	fields := []events.FieldConfig{{Name: "who", Type: events.String}, {Name: "n", Type: events.Int}, {Name: "at", Type: events.Time}, {Name: "tags", Type: events.Array, Items: &events.FieldConfig{Type: events.String}}}
	var classes []events.ClassConfig
	for _, name := range []string{"order.created", "order.paid", "chat"} {
		classes = append(classes, events.ClassConfig{Name: name, Access: events.Access{Public: true}, Fields: fields, Channel: "who"})
	}
	cat, err := events.NewCatalogue(classes)
	if err != nil {
		t.Fatal(err)
	}
	q := &queryRealm{}
	bounds := events.DefaultQueryConfig()
	bounds.Session, bounds.Waste = bounds.Role, 0
	bounds.Session.Unanchored, bounds.Role.Unanchored = 1000, 1000
	queries := events.NewQueries(cat, bounds, log)
	deliver := &delivery{queries: queries}
	if q.hub, err = events.NewHub(t.Context(), cat, nil, deliver, events.DefaultConfig(), log); err != nil {
		t.Fatal(err)
	}
	q.router = router.New(router.DefaultConfig(), everything{}, log)
	q.realm = q.router.AddRealm("realm1", everything{}, &governor{hub: q.hub, queries: queries, log: log})
	deliver.realm = q.realm
	return q
}

func (q *queryRealm) close(t *testing.T) {
	t.Helper()
	if err := q.router.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	q.hub.Close()
}

// A standingQuery is a subscription of the test, and what it got.
type standingQuery struct {
	client int
	topic  string
	match  wamp.Match
	where  *query.Query // nil: none
	sub    *local.Subscription

	mu  sync.Mutex // guards the following
	got []string   // IDs of events
}

// wants reports whether the subscription is to get an event, by the plain reading
// of its query.
func (s *standingQuery) wants(class, channel string, sample *query.Sample) bool {
	fits := wamp.URI(class).Fits(wamp.URI(s.topic), s.match) ||
		channel != "" && wamp.URI(class+"."+channel).Fits(wamp.URI(s.topic), s.match)
	return fits && (s.where == nil || s.where.Match(sample))
}

// Sessions subscribe and unsubscribe at random, with queries and without, to
// topics, channels and patterns, and come and go. Each event reaches exactly those
// subscriptions whose queries are true of it.
func TestQueriesOracle(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { queriesOracle(t, rand.New(rand.NewPCG(seed, 23))) })
		})
	}
}

func queriesOracle(t *testing.T, r *rand.Rand) {
	q := newQueryRealm(t)
	defer q.close(t)
	join := func() *local.Client {
		c, err := local.Join(q.router, "realm1", router.Grant{AuthID: "x", AuthRole: "member"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	clients := make([]*local.Client, 8)
	for i := range clients {
		clients[i] = join()
	}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	leaf := func() string {
		return pick(
			fmt.Sprintf("n > %d", r.IntN(8)), fmt.Sprintf("n == %d", r.IntN(8)), fmt.Sprintf("n in [%d, %d]", r.IntN(8), r.IntN(8)),
			`who == "ada"`, `who != "bob"`, `who.startsWith("a")`, `"x" in tags`, `tags.exists(e, e > "x")`, `has(n)`, `!has(who)`,
			`at > timestamp("2026-01-31T12:00:00Z")`, `class == "order.created"`, `topic == "chat"`, `id.endsWith("7")`,
		)
	}
	options := func(where string, match wamp.Match) wamp.SubscribeOptions {
		o := wamp.SubscribeOptions{Match: match}
		if where != "" {
			o.Extra = map[string]any{"_where": where}
		}
		return o
	}
	standing := map[string]*standingQuery{}
	matches := 0
	for step := range 400 {
		switch n := r.IntN(10); {
		case n < 4: // subscribe
			s := &standingQuery{client: r.IntN(len(clients)), match: wamp.Match(r.IntN(3))}
			s.topic = map[wamp.Match]func() string{
				wamp.Exact:    func() string { return pick("order.created", "order.paid", "chat", "order.created.ada", "chat.bob") },
				wamp.Prefix:   func() string { return pick("order.", "o", "order.created.", "chat.a") },
				wamp.Wildcard: func() string { return pick("order.", "order..ada", ".ada", "order.created.") },
			}[s.match]()
			where := ""
			if r.IntN(6) > 0 {
				where = "(" + leaf() + pick(" && ", " || ") + leaf() + pick(") && ", ") || ") + leaf()
				var err error
				if s.where, err = query.Parse(where, query.DefaultOptions()); err != nil {
					t.Fatal(err)
				}
			}
			key := fmt.Sprint(s.client, s.topic, s.match)
			if s.where != nil {
				key += s.where.Normal()
			}
			if standing[key] != nil {
				continue
			}
			sub, err := clients[s.client].Subscribe(context.Background(), wamp.URI(s.topic), options(where, s.match), func(_ context.Context, e *wamp.Event) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.got = append(s.got, fmt.Sprint(e.Details.Extra["_event_id"]))
			})
			if err != nil {
				if strings.Contains(err.Error(), "needs a condition to be found by") {
					continue
				}
				t.Fatalf("%s %v %s: %v", s.topic, s.match, where, err)
			}
			s.sub = sub
			standing[key] = s
		case n < 6 && len(standing) > 0: // unsubscribe
			keys := slices.Sorted(maps.Keys(standing))
			key := keys[r.IntN(len(keys))]
			if err := standing[key].sub.Unsubscribe(context.Background()); err != nil {
				t.Fatal(err)
			}
			delete(standing, key)
		case n == 6 && r.IntN(4) == 0: // a session goes, another one comes
			i := r.IntN(len(clients))
			clients[i].Close()
			clients[i] = join()
			maps.DeleteFunc(standing, func(_ string, s *standingQuery) bool { return s.client == i })
		default:
			class, who := pick("order.created", "order.paid", "chat"), pick("", "ada", "bob", "a.b")
			fields := []string{fmt.Sprintf(`"n":%d`, r.IntN(8)), fmt.Sprintf(`"at":"2026-0%d-01T00:00:00Z"`, 1+r.IntN(3)), `"tags":["x"]`, `"tags":["y","z"]`}
			data := "{" + fields[r.IntN(4)] + "," + `"other":1`
			if who != "" {
				data += fmt.Sprintf(`,"who":%q`, who)
			}
			data += "}"
			e := &events.Event{ID: fmt.Sprint("e", step), Class: class, Data: []byte(data)}
			if _, err := q.hub.Publish(context.Background(), e); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c := q.hub.Catalogue().Class(class)
			sample, err := c.Schema().NewSample(query.Meta{Class: class, ID: e.ID, Topic: class, Time: e.Time}, []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			for key, s := range standing {
				s.mu.Lock()
				want := []string(nil)
				if s.wants(class, events.EncodeChannel(who), sample) {
					want = []string{e.ID}
					matches++
				}
				if !slices.Equal(s.got, want) {
					t.Errorf("step %d: %s %s: subscription %q got %v, want %v", step, class, data, key, s.got, want)
				}
				s.got = nil
				s.mu.Unlock()
			}
		}
	}
	if matches < 100 {
		t.Errorf("%d events reached subscriptions", matches)
	}
	for _, c := range clients {
		c.Close()
	}
}

// An event that queries match costs no more allocations than one that nobody
// has a query for.
func TestRouteAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without the race detector")
	}
	q := newQueryRealm(t)
	defer q.close(t)
	c, err := local.Join(q.router, "realm1", router.Grant{AuthID: "x", AuthRole: "member"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cat := q.hub.Catalogue()
	d := &delivery{realm: q.realm, queries: events.NewQueries(cat, events.DefaultQueryConfig(), slog.New(slog.DiscardHandler))}
	e := &events.Event{ID: "x", Class: "chat", Data: []byte(`{"n": 5}`)}
	without := testing.AllocsPerRun(100, func() { d.Route(e, cat.Class("chat"), "") })
	for i := range 50 {
		where, err := query.Parse(fmt.Sprintf("n > %d", i), query.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.queries.Add(events.Asker{}, where, cat.Class("chat").Scope(), cat.Class("chat")); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(100, func() { d.Route(e, cat.Class("chat"), "") }); got > without {
		t.Errorf("%v allocations with queries, %v without", got, without)
	}
}
