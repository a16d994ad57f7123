package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

func parseQuery(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text, query.DefaultOptions())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func classNamed(t testing.TB, names ...string) *events.Catalogue {
	t.Helper()
	var list []events.ClassConfig
	for _, name := range names {
		list = append(list, events.ClassConfig{Name: name, Channel: "who", Fields: []events.FieldConfig{{Name: "who", Type: events.String}, {Name: "at", Type: events.Time}}})
	}
	cat, err := events.NewCatalogue(list)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// An event is matched by the queries about its class, and only if there are any.
func TestQueries(t *testing.T) {
	cat := classNamed(t, "order.created", "order.paid", "chat")
	qs := events.NewQueries(cat, events.DefaultQueryConfig(), slog.New(slog.DiscardHandler))
	created, paid, chat := cat.Class("order.created"), cat.Class("order.paid"), cat.Class("chat")
	add := func(text string, scope *query.Query, classes ...*events.Class) *events.Standing {
		t.Helper()
		s, err := qs.Add(events.Asker{}, parseQuery(t, text), scope, classes...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return s
	}
	match := func(c *events.Class, data string) (ids []uint64, any bool) {
		m := qs.Match(&events.Event{ID: "e1", Class: c.Name(), Data: []byte(data)}, c)
		defer m.Release()
		return slices.Sorted(slices.Values(m.IDs())), m != nil
	}
	check := func(c *events.Class, data string, want ...*events.Standing) {
		t.Helper()
		var ids []uint64
		for _, s := range want {
			ids = append(ids, s.ID())
		}
		slices.Sort(ids)
		if got, _ := match(c, data); !slices.Equal(got, ids) {
			t.Errorf("%s %s: %d queries, want %d", c.Name(), data, len(got), len(ids))
		}
	}
	a := add(`n > 5`, created.Scope(), created)
	same := add(`5 < n`, created.Scope(), created)
	b := add(`n > 5`, paid.Scope(), paid)
	under := add(`n > 5`, events.PatternScope("order."), created, paid)
	time := add(`at > timestamp("2026-01-31T12:00:00Z")`, created.Scope(), created)
	if a.ID() != same.ID() || a.ID() == b.ID() || a.ID() == under.ID() || a.ID() == 0 {
		t.Errorf("IDs %d, %d, %d, %d: want the first two alike", a.ID(), same.ID(), b.ID(), under.ID())
	}
	check(created, `{"n": 6}`, a, under)
	check(paid, `{"n": 6}`, b, under)
	check(created, `{"n": 5}`)
	check(created, `{"at": "2026-01-31T14:00:00+01:00"}`, time)
	check(created, `{"who": 1`) // which never comes
	if _, any := match(chat, `{"n": 6}`); any {
		t.Error("an event of a class that no query is about is matched")
	}
	stranger := classNamed(t, "order.late").Class("order.late")
	check(stranger, `{"n": 6}`, under)
	a.Release()
	check(created, `{"n": 6}`, same, under)
	for _, s := range []*events.Standing{same, b, under, time} {
		s.Release()
	}
	for _, c := range []*events.Class{created, paid, chat, stranger} {
		if ids, any := match(c, `{"n": 6}`); any {
			t.Errorf("%s: %d queries are left", c.Name(), len(ids))
		}
	}
}

// What a pattern's scope is true of has every topic that fits the pattern.
func TestPatternScope(t *testing.T) {
	for _, tt := range []struct {
		begin string
		class string
		want  bool
	}{
		{"", "order", true},
		{"ord", "order", true},
		{"ord", "other", false},
		{"order.", "order.created", true},
		{"order.", "order", true}, // by its channels
		{"order.", "orders", false},
		{"order.created.a", "order.created", true},
		{"order.created.a", "order", false},
		{`order."x`, "order", true},
	} {
		s, err := query.NewSample(query.Meta{Class: tt.class}, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := events.PatternScope(tt.begin).Match(s); got != tt.want {
			t.Errorf("topics that begin with %q may be of %s: %v", tt.begin, tt.class, got)
		}
	}
}

// To match an event allocates nothing.
func TestQueriesAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := classNamed(t, "order.created").Class("order.created")
	qs := events.NewQueries(classNamed(t, "order.created"), events.DefaultQueryConfig(), slog.New(slog.DiscardHandler))
	for i := range 100 {
		if _, err := qs.Add(events.Asker{}, parseQuery(t, fmt.Sprintf("n > %d", i)), c.Scope(), c); err != nil {
			t.Fatal(err)
		}
	}
	e := &events.Event{ID: "e1", Data: []byte(`{"n": 50}`)}
	found := 0
	got := testing.AllocsPerRun(100, func() {
		m := qs.Match(e, c)
		found = len(m.IDs())
		m.Release()
	})
	if got != 0 || found != 50 {
		t.Errorf("%v allocations for %d matches, want none for 50", got, found)
	}
}

// Queries come and go while events are matched: an event is matched by those
// that stand all the while, and by none that is gone.
func TestQueriesChurn(t *testing.T) {
	cat := classNamed(t, "order.created")
	c := cat.Class("order.created")
	qs := events.NewQueries(cat, events.DefaultQueryConfig(), slog.New(slog.DiscardHandler))
	stays, err := qs.Add(events.Asker{}, parseQuery(t, "n >= 0"), c.Scope(), c)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := qs.Add(events.Asker{}, parseQuery(t, "n >= 1"), c.Scope(), c)
	if err != nil {
		t.Fatal(err)
	}
	gone.Release()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 9))
			for range 200 {
				s, err := qs.Add(events.Asker{}, parseQuery(t, fmt.Sprintf("n > %d", r.IntN(20))), c.Scope(), c)
				if err != nil {
					t.Error(err)
					return
				}
				s.Release()
			}
		})
		wg.Go(func() {
			for i := range 200 {
				m := qs.Match(&events.Event{ID: "e", Data: fmt.Appendf(nil, `{"n":%d}`, i%30)}, c)
				if !slices.Contains(m.IDs(), stays.ID()) || slices.Contains(m.IDs(), gone.ID()) {
					t.Errorf("the event matches %v", m.IDs())
				}
				m.Release()
			}
		})
	}
	wg.Wait()
}

// A replay of a query has the events that satisfy it, in order, from wherever it
// begins; the last n are the last n of these.
func TestReplayWhere(t *testing.T) {
	h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
	for i := 0; i < 500; i += 50 {
		var batch []*events.Event
		for n := range 50 {
			batch = append(batch, &events.Event{Class: "log", Data: fmt.Appendf(nil, `{"n":%d}`, i+n)})
		}
		if _, err := h.PublishMany(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		where string
		start events.Start
		want  func(n int) bool
	}{
		{`n >= 490`, events.Since(0), func(n int) bool { return n >= 490 }},
		{`n >= 490`, events.Since(495), func(n int) bool { return n >= 495 }}, // the first offset is 1
		{`n < 0`, events.Since(0), func(int) bool { return false }},
		{`n < 10`, events.Last(3), func(n int) bool { return n >= 7 && n < 10 }},
		{`n == 3 || n == 200 || n == 400`, events.Last(2), func(n int) bool { return n == 200 || n == 400 }},
		{`n == 3`, events.Last(2), func(n int) bool { return n == 3 }},
		{`n >= 0`, events.Last(64), func(n int) bool { return n >= 500-64 }},
		{`n >= 0`, events.Last(0), func(int) bool { return false }},
	} {
		t.Run(tt.where+" "+fmt.Sprint(tt.start), func(t *testing.T) {
			var want []string
			for i := range 500 {
				if tt.want(i) {
					want = append(want, fmt.Sprintf(`{"n":%d}`, i))
				}
			}
			to := &lister{}
			if err := h.Replay(t.Context(), "log", tt.start, events.Selection{Where: parseQuery(t, tt.where)}, to); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(to.data, " "); got != strings.Join(want, " ") || to.live != 1 {
				t.Errorf("got %s, live %d times; want %s", got, to.live, strings.Join(want, " "))
			}
		})
	}
	past, err := h.Past("log", parseQuery(t, "n == 3 || n == 200 || n == 201 || n == 400"))
	if err != nil {
		t.Fatal(err)
	}
	for _, backwards := range []bool{false, true} {
		var got []uint64
		for after, through := uint64(0), uint64(500); ; {
			page, err := past.Read(t.Context(), "", after, through, backwards, 10, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if backwards {
				through = page[0].Offset - 1
				slices.Reverse(page)
			} else {
				after = page[len(page)-1].Offset
			}
			for i := range page {
				got = append(got, page[i].Offset)
			}
		}
		want := []uint64{4, 201, 202, 401}
		if backwards {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("backwards %v: offsets %v, want %v", backwards, got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := past.Read(ctx, "", 0, 500, false, 10, 1<<20); err == nil {
		t.Error("who has gone reads on")
	}
}

// A lister keeps what it gets of a replay.
type lister struct {
	data []string
	live int
}

func (l *lister) Recover(events.Recovery) {}

func (l *lister) Send(_ context.Context, e *events.Event) error {
	l.data = append(l.data, string(e.Data))
	return nil
}

func (l *lister) Live() { l.live++ }
