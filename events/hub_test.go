package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// classes of the tests: "log" and "other" are retained, "free" is not.
func classes() []events.ClassConfig {
	fields := []events.FieldConfig{
		{Name: "n", Type: events.Int, Required: true},
		{Name: "room", Type: events.String},
	}
	return []events.ClassConfig{
		{Name: "log", Fields: fields, Channel: "room", Retain: events.Retain{Events: 1 << 20}},
		{Name: "other", Fields: fields, Retain: events.Retain{Events: 1 << 20}},
		{Name: "free", Fields: fields, Channel: "room"},
	}
}

func catalogue(t testing.TB, classes []events.ClassConfig) *events.Catalogue {
	t.Helper()
	cat, err := events.NewCatalogue(classes)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// A recorder is a router that remembers what it routed.
type recorder struct {
	mu     sync.Mutex
	routed []routed
	lost   []string
	hook   func(e *events.Event) // may be nil

	passed func(c *events.Class, got events.Recovery) // may be nil
}

func (r *recorder) Lost(c *events.Class, got events.Recovery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, fmt.Sprintf("%s %d-%d", c.Name(), got.LostFrom, got.LostThrough))
}

func (r *recorder) Passed(c *events.Class, got events.Recovery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, fmt.Sprintf("%s %d-%d, or late", c.Name(), got.LostFrom, got.LostThrough))
	if r.passed != nil {
		r.passed(c, got)
	}
}

type routed struct {
	event   *events.Event
	class   string
	channel string
}

func (r *recorder) Route(e *events.Event, c *events.Class, channel string) {
	r.mu.Lock()
	r.routed = append(r.routed, routed{e, c.Name(), channel})
	r.mu.Unlock()
	if r.hook != nil {
		r.hook(e)
	}
}

// seen returns the data of what was routed, in order.
func (r *recorder) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, x := range r.routed {
		all = append(all, fmt.Sprintf("%s %s", x.class, x.event.Data))
	}
	return all
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.seen(); !slices.Equal(got, want) {
		t.Errorf("routed:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

var discard = slog.New(slog.DiscardHandler)

func openStore(t testing.TB) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(filepath.Join(t.TempDir(), "wireroom.db"), embedded.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newHub(t testing.TB, store events.Store, router events.Router, config events.Config) *events.Hub {
	t.Helper()
	h, err := events.NewHub(t.Context(), catalogue(t, classes()), store, router, config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func event(class string, n int) *events.Event {
	return &events.Event{Class: class, Data: fmt.Appendf(nil, `{"n":%d}`, n)}
}

func withID(e *events.Event, id string) *events.Event {
	e.ID = id
	return e
}

func mustPublish(t testing.TB, h *events.Hub, e *events.Event) events.Receipt {
	t.Helper()
	r, err := h.Publish(t.Context(), e)
	if err != nil {
		t.Fatalf("Publish(%s %s): %v", e.Class, e.Data, err)
	}
	return r
}

func TestPublish(t *testing.T) {
	r := new(recorder)
	h := newHub(t, openStore(t), r, events.DefaultConfig())

	free := &events.Event{Class: "free", Data: []byte(" {\"n\":1,\"room\":\"a.b\"}\n"), Origin: t}
	if got := mustPublish(t, h, free); len(got.ID) != 26 || got.Offset != 0 || got.Epoch != "" || got.Duplicate {
		t.Errorf("receipt of an event that is not retained: %+v", got)
	}
	before := time.Now().Truncate(time.Millisecond)
	for n := range 3 {
		got := mustPublish(t, h, withID(event("log", n), fmt.Sprint("id", n)))
		if got.ID != fmt.Sprint("id", n) || got.Offset != uint64(n+1) || got.Epoch == "" || got.Duplicate {
			t.Errorf("receipt of a retained event: %+v", got)
		}
	}
	r.want(t, `free {"n":1,"room":"a.b"}`, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`)

	if got := r.routed[0]; got.channel != "a%2Eb" || got.event.Origin != t || got.event.Replayed {
		t.Errorf("routed: %+v", got)
	}
	e := r.routed[3].event
	if e.Offset != 3 || e.Epoch == "" || e.ID != "id2" || e.Replayed || e.Time.Before(before) || e.Time.Location() != time.UTC {
		t.Errorf("routed: %+v", e)
	}
	if got := h.Stats(); got.Routed != 4 || got.Pending != 0 || got.PendingBytes != 0 {
		t.Errorf("Stats: %+v", got)
	}
}

func TestPublishRefuses(t *testing.T) {
	r := new(recorder)
	config := events.DefaultConfig()
	config.MaxBytes, config.MaxBatch = 100, 3
	h := newHub(t, openStore(t), r, config)
	mustPublish(t, h, withID(event("free", 1), "x"))
	mustPublish(t, h, withID(event("log", 1), "x"))

	for _, test := range []struct {
		name  string
		batch []*events.Event
		want  string
		index int
	}{
		{"unknown class", []*events.Event{event("log.x", 2)}, `no event class has the name "log.x"`, 0},
		{"invalid", []*events.Event{{Class: "log", Data: []byte(`{"n":1.5}`)}}, "log: field n: expected an integer, found 1.5, which is written with a fraction", 0},
		{"too large", []*events.Event{{Class: "log", Data: []byte(strings.Repeat(" ", 101))}}, "log: data: expected at most 100 bytes, found 101", 0},
		{"id with a line feed", []*events.Event{withID(event("log", 2), "a\nb")}, `log: id: expected 1 to 128 printable ASCII characters, found "a\nb", which has 3 bytes`, 0},
		{"id too long", []*events.Event{withID(event("log", 2), strings.Repeat("x", 129))}, `log: id: expected 1 to 128 printable ASCII characters, found "` + strings.Repeat("x", 64) + `"…, which has 129 bytes`, 0},
		{"other data, retained", []*events.Event{withID(event("log", 2), "x")}, `log: the id "x" belongs to an earlier event with other data`, 0},
		{"other data, free", []*events.Event{withID(event("free", 2), "x")}, `free: the id "x" belongs to an earlier event with other data`, 0},
		{"second of a batch", []*events.Event{event("log", 2), event("none", 3)}, `no event class has the name "none"`, 1},
		{"conflict in the log, in a batch", []*events.Event{event("free", 2), event("log", 2), withID(event("log", 3), "x")}, `log: the id "x" belongs to an earlier event with other data`, 2},
		{"free conflict in a batch", []*events.Event{event("log", 2), withID(event("free", 3), "x")}, `free: the id "x" belongs to an earlier event with other data`, 1},
		{"conflict within a batch", []*events.Event{withID(event("free", 3), "y"), withID(event("free", 4), "y")}, `free: the id "y" belongs to an earlier event with other data`, 1},
		{"too many", []*events.Event{event("log", 2), event("log", 3), event("log", 4), event("log", 5)}, "events: too many events in one batch: 4, and 3 are allowed", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.PublishMany(t.Context(), test.batch)
			if err == nil || err.Error() != test.want {
				t.Errorf("PublishMany: %v, want %s", err, test.want)
			}
			if got := indexOf(err); got != test.index {
				t.Errorf("the error is about event %d, want %d", got, test.index)
			}
			if len(test.batch) > 1 {
				return
			}
			if _, err := h.Publish(t.Context(), test.batch[0]); err == nil || err.Error() != test.want {
				t.Errorf("Publish: %v, want %s", err, test.want)
			}
		})
	}
	r.want(t, `free {"n":1}`, `log {"n":1}`)
}

func indexOf(err error) int {
	if e, ok := errors.AsType[*events.UnknownClassError](err); ok {
		return e.Index
	}
	if e, ok := errors.AsType[*events.InvalidError](err); ok {
		return e.Index
	}
	if e, ok := errors.AsType[*events.ConflictError](err); ok {
		return e.Index
	}
	return -1
}

func TestPublishMany(t *testing.T) {
	r := new(recorder)
	h := newHub(t, openStore(t), r, events.DefaultConfig())
	receipts, err := h.PublishMany(t.Context(), []*events.Event{
		event("free", 1), event("log", 2), event("free", 3), event("other", 4), event("log", 5),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.want(t, `free {"n":1}`, `log {"n":2}`, `free {"n":3}`, `other {"n":4}`, `log {"n":5}`)
	for i, want := range []uint64{0, 1, 0, 1, 2} {
		if receipts[i].Offset != want || receipts[i].ID != r.routed[i].event.ID {
			t.Errorf("receipt %d: %+v, want offset %d", i, receipts[i], want)
		}
	}
	if receipts, err := h.PublishMany(t.Context(), nil); receipts != nil || err != nil {
		t.Errorf("PublishMany of nothing: %v, %v", receipts, err)
	}
}

func TestDuplicates(t *testing.T) {
	for _, class := range []string{"free", "log"} {
		t.Run(class, func(t *testing.T) {
			r := new(recorder)
			h := newHub(t, openStore(t), r, events.DefaultConfig())
			first := mustPublish(t, h, withID(event(class, 1), "x"))
			again := mustPublish(t, h, withID(event(class, 1), "x"))
			first.Duplicate = true
			if again != first {
				t.Errorf("the receipt of a duplicate is %+v, want %+v", again, first)
			}
			batch, err := h.PublishMany(t.Context(), []*events.Event{
				withID(event(class, 2), "y"), withID(event(class, 1), "x"), withID(event(class, 2), "y"), event(class, 3),
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []bool{false, true, true, false} {
				if batch[i].Duplicate != want {
					t.Errorf("receipt %d of the batch: %+v, want Duplicate %v", i, batch[i], want)
				}
			}
			if batch[2].Offset != batch[0].Offset {
				t.Errorf("a duplicate in a batch is at %d, and the first at %d", batch[2].Offset, batch[0].Offset)
			}
			r.want(t, class+` {"n":1}`, class+` {"n":2}`, class+` {"n":3}`)
			if got := h.Stats().Duplicates; got != 3 {
				t.Errorf("%d duplicates counted, want 3", got)
			}
		})
	}
}

func TestPublishWithoutStore(t *testing.T) {
	cat := catalogue(t, classes()[2:])
	h, err := events.NewHub(t.Context(), cat, nil, new(recorder), events.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	mustPublish(t, h, event("free", 1))
	err = h.SetCatalogue(t.Context(), catalogue(t, classes()))
	if want := "the class log is retained, and there is no store to keep it in"; err == nil || err.Error() != want {
		t.Errorf("SetCatalogue: %v, want %s", err, want)
	}
}

func TestSetCatalogue(t *testing.T) {
	r := new(recorder)
	h := newHub(t, openStore(t), r, events.DefaultConfig())
	mustPublish(t, h, event("log", 1))
	mustPublish(t, h, withID(event("free", 1), "x"))

	changed := classes()[1:] // no log, and free becomes retained
	changed[1].Retain.Events = 10
	if err := h.SetCatalogue(t.Context(), catalogue(t, changed)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Publish(t.Context(), event("log", 2)); err == nil {
		t.Error("an event of a class that is gone was accepted")
	}
	if got := mustPublish(t, h, event("free", 2)); got.Offset != 1 {
		t.Errorf("the first event of a class that became retained: %+v", got)
	}
	if err := h.SetCatalogue(t.Context(), catalogue(t, classes())); err != nil {
		t.Fatal(err)
	}
	if got := mustPublish(t, h, event("log", 2)); got.Offset != 2 {
		t.Errorf("the second event of a class that came back: %+v", got)
	}
	if got := mustPublish(t, h, withID(event("free", 1), "x")); !got.Duplicate || got.Offset != 0 {
		t.Errorf("an event sent again after changes of the classes: %+v", got)
	}
	if h.Catalogue().Class("log") == nil {
		t.Error("the catalogue lacks a class")
	}
}

func TestClose(t *testing.T) {
	h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
	mustPublish(t, h, event("log", 1))
	h.Close()
	h.Close()
	for _, class := range []string{"log", "free"} {
		if _, err := h.Publish(t.Context(), event(class, 2)); !errors.Is(err, events.ErrClosed) {
			t.Errorf("Publish of %s after Close: %v, want ErrClosed", class, err)
		}
		h.PublishAsync(event(class, 2), func(_ events.Receipt, err error) {
			if !errors.Is(err, events.ErrClosed) {
				t.Errorf("PublishAsync of %s after Close: %v, want ErrClosed", class, err)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	_, err := events.NewHub(context.Background(), catalogue(t, nil), nil, nil, events.Config{}, nil)
	want := `max_bytes: must be in 2 to 67108864, not 0
max_batch: must be in 1 to 100000, not 0
pending_events: must be in 1 to 1048576, not 0
pending_bytes: must be in 1 to 1073741824, not 0
duplicate_for: must be at least 1s, not 0s
sweep_every: must be at least 1s, not 0s`
	if err == nil || err.Error() != want {
		t.Errorf("NewHub: %v, want %s", err, want)
	}
}
