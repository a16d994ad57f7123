package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A sieve gives subscriptions the filter that the option _filter names by
// number, and counts which of them are out.
type sieve struct {
	mu  sync.Mutex     // guards the following
	out map[uint64]int // how often each filter was given and not released
	saw []any          // what the authorizer added, of each subscription and question about the past
}

func (*sieve) Governs(topic wamp.URI) bool { return strings.HasPrefix(string(topic), "log.") }

func (*sieve) Publish(p *router.Publication, done func(wamp.ID, error)) {
	p.From.Realm().Publish(p)
	done(p.ID, nil)
}

func (v *sieve) Resolve(m *wamp.Subscribe) error {
	if rest, ok := strings.CutPrefix(string(m.Topic), "wireroom.query."); ok {
		m.Topic, m.Options.Extra = wamp.URI(rest), map[string]any{"_filter": int64(7)}
	}
	return nil
}

func (v *sieve) Subscribe(_ *router.Session, i router.Interest, o *wamp.SubscribeOptions) (router.Terms, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.saw = append(v.saw, i.Where)
	n, ok := o.Extra["_filter"].(int64)
	if !ok {
		return router.Terms{}, nil
	}
	id := uint64(n)
	if v.out == nil {
		v.out = make(map[uint64]int)
	}
	v.out[id]++
	released := false
	return router.Terms{Filter: &router.Filter{ID: id, Text: fmt.Sprintf("filter %d", id), Of: n, Release: func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if released {
			panic(fmt.Sprintf("filter %d is released again", id))
		}
		released = true
		v.out[id]--
	}}}, nil
}

func (v *sieve) Histories(_ *router.Session, i router.Interest, f *router.Filter) ([]router.History, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.saw = append(v.saw, i.Where, f.Of)
	return nil, nil
}

// given returns how many filters are given and not released.
func (v *sieve) given() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.out {
		n += k
	}
	return n
}

// publishTo publishes to a topic what passes the filters.
func (tr *testRouter) publishTo(topic, channel wamp.URI, what string, filters ...uint64) {
	tr.rt.Realm(testRealm).Publish(&router.Publication{
		Topic: topic, Channel: channel, Filters: filters, Payload: wamp.Payload{Args: fmt.Appendf(nil, "[%q]", what)},
	})
}

// filtered subscribes and returns the subscription's ID.
func (c *client) filtered(t *testing.T, topic, match string, filter int) string {
	t.Helper()
	c.send(fmt.Sprintf(`[32,1,{"match":%q,"_filter":%d},%q]`, match, filter, topic))
	return string(c.mustNext(t, 33)[2])
}

// came returns subscription and argument of each EVENT that has come.
func (c *client) came(t *testing.T) (all []string) {
	t.Helper()
	synctest.Wait()
	for msg, ok := c.next(); ok; msg, ok = c.next() {
		var m []json.RawMessage
		if err := json.Unmarshal(msg, &m); err != nil {
			t.Fatal(err)
		}
		if string(m[0]) != "36" {
			t.Errorf("%s came", msg)
			continue
		}
		all = append(all, string(m[1])+string(m[4]))
	}
	return all
}

// An event reaches a subscription with a filter if it passes the filter and
// fits topic and match; others as ever; each subscription once.
func TestFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &sieve{}
		tr := newRouterGoverned(t, v)
		a := tr.joinAs(t)
		subs := map[string]string{
			"plain":    a.filtered0(t, "log.x"),
			"exact":    a.filtered(t, "log.x", "exact", 1),
			"channel":  a.filtered(t, "log.x.ada", "exact", 1),
			"prefix":   a.filtered(t, "log.", "prefix", 1),
			"wildcard": a.filtered(t, "log..ada", "wildcard", 2),
			"other":    a.filtered(t, "log.y", "exact", 1),
		}
		tests := []struct {
			topic, channel wamp.URI
			filters        []uint64
			want           []string
		}{
			{"log.x", "", nil, []string{"plain"}},
			{"log.x", "", []uint64{1}, []string{"plain", "exact", "prefix"}},
			{"log.x", "log.x.ada", []uint64{1}, []string{"plain", "exact", "channel", "prefix"}},
			{"log.x", "log.x.ada", []uint64{2, 1}, []string{"plain", "wildcard", "exact", "channel", "prefix"}},
			{"log.x", "log.x.bob", []uint64{2}, []string{"plain"}},
			{"log.y", "", []uint64{2, 3}, nil},
			{"log.z", "", []uint64{1, 2}, []string{"prefix"}},
		}
		for i, tt := range tests {
			tr.publishTo(tt.topic, tt.channel, fmt.Sprint(i), tt.filters...)
			var want []string
			for _, name := range tt.want {
				want = append(want, fmt.Sprintf("%s[\"%d\"]", subs[name], i))
			}
			if got := a.came(t); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %s with filters %v: got %v, want %v", tt.topic, tt.channel, tt.filters, got, want)
			}
		}
		for name, id := range subs {
			a.send(fmt.Sprintf(`[34,2,%s]`, id))
			a.mustNext(t, 35)
			tr.publishTo("log.x", "log.x.ada", name, 1, 2)
			for _, e := range a.came(t) {
				if strings.HasPrefix(e, id+"[") {
					t.Errorf("after UNSUBSCRIBED of %s %s came", name, e)
				}
			}
		}
		if n := v.given(); n != 0 {
			t.Errorf("%d filters are not released", n)
		}
	})
}

// filtered0 subscribes without a filter.
func (c *client) filtered0(t *testing.T, topic string) string {
	t.Helper()
	c.send(fmt.Sprintf(`[32,1,{},%q]`, topic))
	return string(c.mustNext(t, 33)[2])
}

// Each filter is released once: when the last subscriber goes, in whatever way,
// or at once if nothing was made with it.
func TestFiltersAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &sieve{}
		tr := newRouterGoverned(t, v, func(c *router.Config) { c.MaxSubscriptions = 2 })
		given := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := v.given(); n != want {
				t.Errorf("%s: %d filters are given, want %d", when, n, want)
			}
		}
		a, b := tr.joinAs(t), tr.joinAs(t)
		id := a.filtered(t, "log.x", "exact", 1)
		if again := a.filtered(t, "log.x", "exact", 1); again != id {
			t.Errorf("subscribed again: %s, want %s", again, id)
		}
		if shared := b.filtered(t, "log.x", "exact", 1); shared != id {
			t.Errorf("another session: %s, want %s", shared, id)
		}
		given("three asked for one", 1)
		if other := b.filtered(t, "log.x", "prefix", 1); other == id {
			t.Error("another match has the same subscription")
		}
		b.send(`[32,9,{"_filter":3},"log.x"]`)
		if m := b.mustNext(t, 8); string(m[4]) != `"wireroom.error.limit"` {
			t.Errorf("beyond the limit: %s", m)
		}
		b.send(`[32,9,{"_filter":3,"get_retained":true,"match":"prefix"},"log."]`)
		if m := b.mustNext(t, 8); string(m[4]) != `"wamp.error.option_not_allowed"` {
			t.Errorf("get_retained with a filter: %s", m)
		}
		given("two subscriptions", 2)
		a.send(fmt.Sprintf(`[34,2,%s]`, id))
		a.mustNext(t, 35)
		given("one of two has left", 2)
		b.hangUp()
		given("the other one has gone", 0)

		c := tr.joinAs(t)
		c.filtered(t, "log.x", "exact", 1)
		n := tr.rt.Realm(testRealm).RevokeSubscriptions("over", func(_ *router.Session, topic wamp.URI, _ wamp.Match) bool { return topic == "log.x" })
		if n != 1 {
			t.Errorf("%d subscriptions are revoked, want 1", n)
		}
		given("it is revoked", 0)
		tr.publishTo("log.x", "", "late", 1)
		if got := c.came(t); len(got) != 0 {
			t.Errorf("after the revocation %v came", got)
		}
		c.filtered(t, "log.x", "exact", 1)
		c.send(`[6,{},"wamp.close.close_realm"]`)
		c.mustNext(t, 6)
		given("its session said goodbye", 0)
	})
}

// A topic that stands for another one is resolved before anybody is asked.
func TestFilterByTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouterGoverned(t, &sieve{})
		a := tr.joinAs(t)
		id := a.filtered(t, "log.x", "exact", 7)
		if same := a.filtered0(t, "wireroom.query.log.x"); same != id {
			t.Errorf("by its other name the topic has the subscription %s, want %s", same, id)
		}
		a.send(`[32,3,{},"wireroom.query.forbidden.x"]`)
		if m := a.mustNext(t, 8); string(m[4]) != `"wamp.error.not_authorized"` || !strings.Contains(string(m[5]), `forbidden.x`) {
			t.Errorf("a forbidden topic by its other name: %s", m)
		}
	})
}

// The meta API knows filters; lookup and match, and meta events, are of
// subscriptions without one.
func TestFilterMeta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouterGoverned(t, &sieve{})
		a, b := tr.joinAs(t), tr.joinAs(t)
		b.filtered0(t, "wamp.subscription.on_create")
		id := a.filtered(t, "log.x", "exact", 1)
		if m := b.mustNext(t, 36); !strings.Contains(string(m[4]), `"_where":"filter 1"`) {
			t.Errorf("on_create tells %s", m[4])
		}
		for _, tt := range []struct{ call, want string }{
			{`"wamp.subscription.get",[` + id + `]`, `"_where":"filter 1"`},
			{`"wamp.subscription.list",[]`, id},
			{`"wamp.subscription.count_subscribers",[` + id + `]`, `[1]`},
			{`"wamp.subscription.lookup",["log.x"]`, `[null]`},
			{`"wamp.subscription.match",["log.x"]`, `[[]]`},
		} {
			a.send(`[48,5,{},` + tt.call + `]`)
			if m := a.mustNext(t, 50); !strings.Contains(string(m[3]), tt.want) {
				t.Errorf("%s: %s, want %s", tt.call, m[3], tt.want)
			}
		}
		// What wants everything, of some filter, gets no meta events.
		c := tr.joinAs(t)
		c.filtered(t, "", "prefix", 1)
		synctest.Wait()
		b.rest()
		b.hangUp()
		synctest.Wait()
		before := tr.rt.Stats().Publications
		a.filtered(t, "log.y", "exact", 1)
		synctest.Wait()
		if n := tr.rt.Stats().Publications - before; n != 0 {
			t.Errorf("%d meta events were published for nobody", n)
		}
	})
}

// narrow adds something to what may be subscribed to.
type narrow struct{ open }

func (n narrow) Authorize(s *router.Session, action router.Action, uri wamp.URI, match wamp.Match, m wamp.Message) router.Decision {
	d := n.open.Authorize(s, action, uri, match, m)
	if action == router.ActionSubscribe {
		d.Where = "where " + string(uri)
	}
	return d
}

// What the authorizer adds to a subscription reaches the Governor as it is, and
// so it does, with the filter, when somebody asks for the past.
func TestWhereOfTheAuthorizer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &sieve{}
		tr := newRouterGoverned(t, nil)
		tr.rt.AddRealm(secondRealm, narrow{}, v)
		c := tr.connect()
		c.send(helloTo(secondRealm))
		c.mustNext(t, 2)
		id := c.filtered(t, "log.x", "exact", 1)
		c.send(`[48,5,{},"wamp.subscription.get_events",[` + id + `]]`)
		c.mustNext(t, 8)
		if got := fmt.Sprint(v.saw); got != "[where log.x where log.x 1]" {
			t.Errorf("the Governor was told %s", got)
		}
	})
}

// A session that is resumed has its subscriptions with filters still, and what
// passed them meanwhile; if it never comes back, its filters are released.
func TestFiltersOutliveTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &sieve{}
		tr := newRouterGoverned(t, v)
		a, r := tr.connect(), &resumer{t: t}
		r.join(a)
		id := a.filtered(t, "log.x", "exact", 1)
		a.hangUp()
		synctest.Wait()
		tr.publishTo("log.x", "", "passes", 1)
		tr.publishTo("log.x", "", "does not", 2)
		b := tr.connect()
		r.resume(b, 1)
		if got := b.came(t); fmt.Sprint(got) != fmt.Sprintf(`[%s["passes"]]`, id) {
			t.Errorf("after it is resumed %v came", got)
		}
		if n := v.given(); n != 1 {
			t.Errorf("%d filters are given, want 1", n)
		}
		b.hangUp()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := v.given(); n != 0 {
			t.Errorf("%d filters of a session that never came back are not released", n)
		}
	})
}
