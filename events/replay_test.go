package events_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A listener is a subscriber that notes everything it is told.
type listener struct {
	send func(e *events.Event) error // may be nil

	mu    sync.Mutex
	notes []string
}

func (l *listener) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

func (l *listener) Recover(r events.Recovery) {
	switch {
	case r.Complete:
		l.note("complete")
	default:
		l.note("lost %d-%d", r.LostFrom, r.LostThrough)
	}
}

func (l *listener) Send(_ context.Context, e *events.Event) error {
	if !e.Replayed || e.Origin != nil || e.Epoch == "" || e.ID == "" || e.Time.IsZero() {
		l.note("odd %+v", e)
	}
	l.note("%d", e.Offset)
	if l.send != nil {
		return l.send(e)
	}
	return nil
}

func (l *listener) Live() { l.note("live") }

func (l *listener) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(l.notes, " "); got != want {
		t.Errorf("the subscriber saw: %s\nwant: %s", got, want)
	}
}

// span returns the numbers of a range as a listener notes them.
func span(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "%d ", n)
	}
	return b.String()
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		h := newHub(t, s, new(recorder), events.DefaultConfig())
		start := time.Now()
		for n := 1; n <= 100; n++ { // one each second, from 1s on
			time.Sleep(time.Second)
			e := event("log", n)
			e.Data = fmt.Appendf(nil, `{"n":%d,"room":"%s"}`, n, []string{"a", "b", "c"}[n%3])
			mustPublish(t, h, e)
		}
		epoch := mustPublish(t, h, event("other", 1)).Epoch
		b, err := s.Bounds(t.Context(), "log")
		if err != nil {
			t.Fatal(err)
		}
		replay := func(start events.Start, channel, want string) {
			t.Helper()
			var l listener
			if err := h.Replay(t.Context(), "log", start, events.Selection{Channel: channel}, &l); err != nil {
				t.Errorf("Replay(%+v): %v", start, err)
			}
			l.want(t, want)
		}
		at := func(seconds int) events.Start {
			return events.SinceTime(start.Add(time.Duration(seconds) * time.Second))
		}
		replay(events.Start{}, "", "complete live")
		replay(events.Last(0), "", "complete live")
		replay(events.Last(3), "", "complete 98 99 100 live")
		replay(events.Last(200), "", "complete "+span(1, 100)+"live")
		replay(events.Last(3), "a", "complete 93 96 99 live")
		replay(events.Last(3), "none", "complete live")
		replay(events.Since(0), "", "complete "+span(1, 100)+"live")
		replay(events.Since(97), "", "complete 98 99 100 live")
		replay(events.Since(97), "b", "complete 100 live")
		replay(events.Since(100), "", "complete live")
		replay(events.Since(101), "", "lost 0-0 "+span(1, 100)+"live")
		replay(events.SincePosition(b.Epoch, 98), "", "complete 99 100 live")
		replay(events.SincePosition(epoch, 98), "", "lost 0-0 "+span(1, 100)+"live")
		replay(at(-5), "", "complete "+span(1, 100)+"live")
		replay(at(99), "", "complete 99 100 live")
		replay(at(99), "c", "complete live")
		replay(at(101), "", "complete live")

		// Asked for when 97 was the last, started when 100 is.
		mark := events.Mark{Epoch: b.Epoch, Offset: 97}
		replay(events.Last(0).At(mark), "", "complete 98 99 100 live")
		replay(events.Last(2).At(mark), "", "complete 96 97 98 99 100 live")
		replay(at(101).At(mark), "", "complete 98 99 100 live")
		replay(events.Since(99).At(mark), "", "complete 100 live")
		replay(events.Last(0).At(events.Mark{Epoch: "another", Offset: 97}), "", "complete live")
		if now := h.Mark("log"); now != (events.Mark{Epoch: b.Epoch, Offset: 100}) {
			t.Errorf("Mark = %+v, want offset 100 of the epoch %s", now, b.Epoch)
		}

		if _, err := s.Trim(t.Context(), "log", events.Retain{Events: 4}, time.Now()); err != nil {
			t.Fatal(err)
		}
		replay(events.Last(2), "", "complete 99 100 live")
		replay(events.Last(200), "", "complete 97 98 99 100 live")
		replay(events.Last(200), "c", "complete 98 live")
		replay(events.Since(0), "", "lost 1-96 97 98 99 100 live")
		replay(events.Since(90), "c", "lost 91-96 98 live")
		replay(events.Since(96), "", "complete 97 98 99 100 live")
		replay(events.SincePosition(epoch, 0), "", "lost 0-0 97 98 99 100 live")
		replay(at(96), "", "lost 1-96 97 98 99 100 live")
		replay(at(97), "", "lost 1-96 97 98 99 100 live") // one more of that very time may be gone
		replay(at(98), "", "complete 98 99 100 live")

		if got := h.Stats(); got.Gaps != 7 || got.Replays != 0 || got.Replayed == 0 {
			t.Errorf("Stats: %+v, want 7 gaps", got)
		}
	})
}

// Of a log that is trimmed by age alone, everything younger is there.
func TestReplayAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := classes()
		cs[0].Retain = events.Retain{For: time.Hour}
		h, err := events.NewHub(t.Context(), catalogue(t, cs), openStore(t), new(recorder), events.DefaultConfig(), discard)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		mustPublish(t, h, event("log", 1))
		time.Sleep(2 * time.Hour)
		for _, test := range []struct {
			ago  time.Duration
			want string
		}{
			{time.Minute, "complete live"},
			{time.Hour, "complete live"},
			{time.Hour + 1, "lost 1-1 live"},
		} {
			var l listener
			if err := h.Replay(t.Context(), "log", events.SinceTime(time.Now().Add(-test.ago)), events.Selection{}, &l); err != nil {
				t.Fatal(err)
			}
			l.want(t, test.want)
		}
	})
}

// What is trimmed while a slow subscriber replays is announced, and delivery
// to others goes on meanwhile.
func TestReplaySlow(t *testing.T) {
	s, r := openStore(t), new(recorder)
	h := newHub(t, s, r, events.DefaultConfig())
	for n := range 200 {
		mustPublish(t, h, event("log", n))
	}
	l := &listener{}
	l.send = func(e *events.Event) error {
		if e.Offset != 50 {
			return nil
		}
		for n := range 5 { // routed although the subscriber is busy
			mustPublish(t, h, event("log", n))
		}
		_, err := s.Trim(t.Context(), "log", events.Retain{Events: 10}, time.Now())
		return err
	}
	if err := h.Replay(t.Context(), "log", events.Since(40), events.Selection{}, l); err != nil {
		t.Fatal(err)
	}
	l.want(t, "complete "+span(41, 64)+"lost 65-195 "+span(196, 205)+"live")
	if got := len(r.seen()); got != 205 {
		t.Errorf("%d events were routed, want 205", got)
	}
}

func TestReplayFails(t *testing.T) {
	g := &brokenReader{Store: openStore(t)}
	h := newHub(t, g, new(recorder), events.DefaultConfig())
	mustPublish(t, h, event("log", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	for _, test := range []struct {
		name, class string
		ctx         context.Context
		send        error
		read        error
		want        error
	}{
		{name: "not retained", class: "free", ctx: t.Context(), want: events.ErrNotRetained},
		{name: "subscriber", class: "log", ctx: t.Context(), send: broken, want: broken},
		{name: "store", class: "log", ctx: t.Context(), read: events.ErrUnavailable, want: events.ErrUnavailable},
		{name: "canceled", class: "log", ctx: ctx, want: context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.err = test.read
			l := &listener{send: func(*events.Event) error { return test.send }}
			if err := h.Replay(test.ctx, test.class, events.Since(0), events.Selection{}, l); !errors.Is(err, test.want) {
				t.Errorf("Replay: %v, want %v", err, test.want)
			}
			if slices.Contains(l.notes, "live") {
				t.Error("the subscriber is live all the same")
			}
		})
	}
	err := h.Replay(t.Context(), "none", events.Since(0), events.Selection{}, &listener{})
	if _, ok := errors.AsType[*events.UnknownClassError](err); !ok {
		t.Errorf("Replay of no class: %v, want an UnknownClassError", err)
	}
}

type brokenReader struct {
	events.Store
	err error
}

func (b *brokenReader) Read(ctx context.Context, r events.Range) (events.Page, error) {
	if b.err != nil {
		return events.Page{}, b.err
	}
	return b.Store.Read(ctx, r)
}

// A log that was replaced behind the hub's back is not mixed with the old one.
func TestReplayOtherEpoch(t *testing.T) {
	g := &renamedEpoch{Store: openStore(t)}
	h := newHub(t, g, new(recorder), events.DefaultConfig())
	mustPublish(t, h, event("log", 1))
	g.renamed = true
	var l listener
	if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, &l); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("Replay: %v, want ErrUnavailable", err)
	}
	l.want(t, "")
}

type renamedEpoch struct {
	events.Store
	renamed bool
}

func (s *renamedEpoch) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	b, err := s.Store.Bounds(ctx, class)
	if s.renamed {
		b.Epoch = "other"
	}
	return b, err
}

// A store that lost the end of a log and kept the rest under a new epoch: what
// it kept is not routed again, and can be replayed before the next event comes.
func TestKeptInNewEpoch(t *testing.T) {
	r := new(recorder)
	g := &keptEpoch{Store: openStore(t)}
	h := newHub(t, g, r, events.DefaultConfig())
	for n := range 3 {
		mustPublish(t, h, withID(event("log", n), fmt.Sprint("id", n)))
	}
	g.epoch, g.base = "second", 3
	if got := mustPublish(t, h, withID(event("log", 1), "id1")); !got.Duplicate || got.Epoch != "second" || got.Offset != 2 {
		t.Errorf("an event that was kept, again: %+v", got)
	}
	if got := mustPublish(t, h, event("log", 3)); got.Duplicate || got.Epoch != "second" || got.Offset != 4 {
		t.Errorf("the first event of the epoch: %+v", got)
	}
	g.epoch, g.base = "third", 4
	var first, again listener
	if err := h.Replay(t.Context(), "log", events.Since(2), events.Selection{}, &first); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("Replay: %v, want ErrUnavailable", err)
	}
	if err := h.Replay(t.Context(), "log", events.Since(2), events.Selection{}, &again); err != nil {
		t.Errorf("Replay again: %v", err)
	}
	if last := again.notes[len(again.notes)-1]; last != "live" {
		t.Errorf("the subscriber saw %v", again.notes)
	}
	past, err := h.Past("log", nil)
	if err != nil {
		t.Fatal(err)
	}
	g.epoch = "fourth"
	if _, err := past.Read(t.Context(), "", 0, 4, false, 9, 1<<20); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("the past of another epoch: %v, want ErrUnavailable", err)
	}
	if past, err = h.Past("log", nil); err != nil {
		t.Fatal(err)
	}
	if es, err := past.Read(t.Context(), "", 0, 4, false, 9, 1<<20); err != nil || len(es) != 4 {
		t.Errorf("the past: %d events, %v; want 4", len(es), err)
	}
	mustPublish(t, h, event("log", 4))
	r.want(t, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`, `log {"n":3}`, `log {"n":4}`)
	if got := strings.Join(r.lost, ", "); got != "log 0-0, log 0-0" {
		t.Errorf("live subscribers are told of %q, want the two epochs in which an event came", got)
	}
}

// A keptEpoch gives its logs another epoch if it is told one.
type keptEpoch struct {
	events.Store
	epoch string
	base  uint64
	line  events.Lineage
}

func (s *keptEpoch) Append(records []events.Record, done func([]events.Appended, error)) {
	s.Store.Append(records, func(results []events.Appended, err error) {
		for i := range results {
			if s.epoch != "" {
				results[i].Epoch, results[i].Base = s.epoch, s.base
			}
		}
		done(results, err)
	})
}

func (s *keptEpoch) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	b, err := s.Store.Bounds(ctx, class)
	s.rename(&b)
	return b, err
}

func (s *keptEpoch) Read(ctx context.Context, r events.Range) (events.Page, error) {
	page, err := s.Store.Read(ctx, r)
	s.rename(&page.Bounds)
	return page, err
}

func (s *keptEpoch) rename(b *events.Bounds) {
	if s.epoch != "" {
		b.Epoch, b.Base, b.Line = s.epoch, s.base, s.line
	}
}

// crowd is a router with live subscribers that come and go.
type crowd struct {
	mu   sync.Mutex
	live map[*member]bool
}

func (c *crowd) Route(e *events.Event, _ *events.Class, channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for m := range c.live {
		if m.channel == "" || m.channel == channel {
			m.got(e)
		}
	}
}

// A member checks that it gets every event once, in order.
type member struct {
	crowd   *crowd
	channel string
	first   uint64 // the first offset that it must get; 0: whichever comes
	wrong   error
	last    uint64
	count   int
}

func (m *member) got(e *events.Event) {
	m.count++
	switch {
	case m.channel != "":
		if e.Offset <= m.last {
			m.wrong = fmt.Errorf("%d after %d", e.Offset, m.last)
		}
	case m.last == 0 && m.first != 0 && e.Offset != m.first:
		m.wrong = fmt.Errorf("begins with %d, want %d", e.Offset, m.first)
	case m.last != 0 && e.Offset != m.last+1:
		m.wrong = fmt.Errorf("%d after %d", e.Offset, m.last)
	}
	m.last = e.Offset
}

func (m *member) Recover(r events.Recovery) {
	if !r.Complete {
		m.wrong = fmt.Errorf("lost %+v", r)
	}
}

func (m *member) Send(_ context.Context, e *events.Event) error {
	m.got(e)
	return m.wrong
}

func (m *member) Live() {
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	m.crowd.live[m] = true
}

// TestReplayRace: publishers hammer while subscribers join from all kinds of
// starts. Each sees every event from its start on once, in order, whether it
// came from the log or live.
func TestReplayRace(t *testing.T) {
	const publishers, each, joiners = 4, 600, 60
	c := &crowd{live: make(map[*member]bool)}
	h := newHub(t, openStore(t), c, events.DefaultConfig())
	publish := func(n int) *events.Event {
		return &events.Event{Class: "log", Data: fmt.Appendf(nil, `{"n":%d,"room":"%d"}`, n, n%5)}
	}
	mustPublish(t, h, publish(1))

	var all, done sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for n := range each {
				if p%2 == 0 {
					done.Add(1)
					h.PublishAsync(publish(n), func(_ events.Receipt, err error) {
						if err != nil {
							t.Error(err)
						}
						done.Done()
					})
				} else {
					mustPublish(t, h, publish(n))
				}
			}
		})
	}
	members := make([]*member, joiners)
	for i := range members {
		m := &member{crowd: c}
		members[i] = m
		all.Go(func() {
			start := events.Since(0)
			switch i % 4 {
			case 0:
				m.first = 1
			case 1:
				mustPublish(t, h, publish(i))
				n := mustPublish(t, h, publish(i)).Offset
				n = rand.Uint64N(n)
				start, m.first = events.Since(n), n+1
			case 2:
				mustPublish(t, h, publish(i))
				start = events.Last(rand.IntN(100))
			case 3:
				m.channel = fmt.Sprint(i % 5)
			}
			if err := h.Replay(t.Context(), "log", start, events.Selection{Channel: m.channel}, m); err != nil {
				t.Errorf("subscriber %d: %v", i, err)
			}
		})
	}
	all.Wait()
	done.Wait()

	last := mustPublish(t, h, publish(0)).Offset
	perRoom := make(map[string]int)
	var l listener
	l.send = func(e *events.Event) error {
		perRoom[strings.Split(string(e.Data), `"`)[5]]++
		return nil
	}
	if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, &l); err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		if m.wrong != nil {
			t.Errorf("subscriber %d: %v", i, m.wrong)
		}
		if m.channel == "" && m.last != last {
			t.Errorf("subscriber %d ends at %d, want %d", i, m.last, last)
		}
		if m.channel != "" && m.count != perRoom[m.channel] {
			t.Errorf("subscriber %d saw %d events of its channel, want %d", i, m.count, perRoom[m.channel])
		}
	}
}
