package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest/webhook"
)

// An endpoint is one in memory: it notes what it takes, and answers as answer
// says.
type endpoint struct {
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu    sync.Mutex
	n     int
	taken []string // bodies that were answered with success
	at    []time.Duration
	begun time.Time
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	n := e.n
	e.n++
	e.at = append(e.at, time.Since(e.begun))
	e.mu.Unlock()
	w := httptest.NewRecorder()
	if e.answer != nil {
		e.answer(n, w, r)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.Code < 300 {
		e.mu.Lock()
		e.taken = append(e.taken, string(body))
		e.mu.Unlock()
	}
	return w.Result(), nil
}

func (e *endpoint) bodies() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.taken, "\n")
}

// A feed hands out what is put into it, and has a log of everything.
type feed struct {
	log    bool // it can begin again
	events chan *webhook.Event
	over   chan struct{} // closed: it has ended for good

	mu        sync.Mutex
	all       []*webhook.Event
	positions []string // with which it was run
	fail      error
}

func newFeed(log bool) *feed {
	return &feed{log: log, events: make(chan *webhook.Event, 1000), over: make(chan struct{})}
}

func (f *feed) put(events ...*webhook.Event) {
	for _, e := range events {
		f.mu.Lock()
		f.all = append(f.all, e)
		f.mu.Unlock()
		f.events <- e
	}
}

func (f *feed) Run(ctx context.Context, position string, take func(*webhook.Event) bool) error {
	f.mu.Lock()
	f.positions = append(f.positions, position)
	err := f.fail
	f.fail = nil
	if f.log && len(f.positions) > 1 {
		for len(f.events) > 0 {
			<-f.events
		}
		after := 0
		for i, e := range f.all {
			if e.Position == position {
				after = i + 1
			}
		}
		for _, e := range f.all[after:] {
			f.events <- e
		}
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	for {
		select {
		case e := <-f.events:
			if !take(e) {
				return nil
			}
		case <-ctx.Done():
			return nil
		case <-f.over:
			return webhook.ErrOver
		}
	}
}

// runs returns the positions with which it was run.
func (f *feed) runs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.positions)
}

func event(n int) *webhook.Event {
	return &webhook.Event{ID: fmt.Sprintf("id-%d", n), Topic: "t", Args: fmt.Appendf(nil, "[%d]", n), Position: fmt.Sprintf("e:%d", n)}
}

func events(from, to int) (all []*webhook.Event) {
	for n := from; n <= to; n++ {
		all = append(all, event(n))
	}
	return all
}

func bodies(from, to int) string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf(`{"topic":"t","args":[%d],"kwargs":{},"details":{}}`, n))
	}
	return strings.Join(all, "\n")
}

func config() webhook.Config {
	return webhook.Config{
		Name:     "test",
		Endpoint: webhook.Endpoint{URL: "https://example.com/hook", Secret: "a-secret-for-the-tests", Timeout: 5 * time.Second},
		Source:   "/realm1", QueueBytes: 4 << 10, GiveUp: time.Hour,
	}
}

// run starts a hook in a bubble; close ends it.
func run(t *testing.T, cfg webhook.Config, f *feed, e *endpoint) (h *webhook.Hook, closeIt func(patience time.Duration)) {
	t.Helper()
	e.begun = time.Now()
	h = webhook.StartBy(cfg, f, slog.New(slog.DiscardHandler), e, nil)
	var once sync.Once
	closeIt = func(patience time.Duration) {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			h.Close(ctx)
		})
	}
	t.Cleanup(func() { closeIt(0) })
	return h, closeIt
}

func TestInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFeed(false), &endpoint{answer: func(n int, w http.ResponseWriter, r *http.Request) {
			if r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("webhook-id") != fmt.Sprintf("id-%d", n+1) || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
				w.WriteHeader(400)
			}
			time.Sleep(time.Duration(10-n) * time.Millisecond)
		}}
		h, _ := run(t, config(), f, e)
		f.put(events(1, 10)...)
		time.Sleep(time.Second)
		if got := e.bodies(); got != bodies(1, 10) {
			t.Errorf("the endpoint took\n%s", got)
		}
		if s := h.Stats(); s != (webhook.Stats{Delivered: 10}) {
			t.Errorf("Stats = %+v", s)
		}
	})
}

// What is answered, and what follows from it: when the next attempts come, and
// whether the event is taken in the end.
func TestAttempts(t *testing.T) {
	status := func(codes ...int) func(int, http.ResponseWriter, *http.Request) {
		return func(n int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(codes[min(n, len(codes)-1)])
		}
	}
	tests := []struct {
		name        string
		answer      func(int, http.ResponseWriter, *http.Request)
		taken       bool
		least, most []time.Duration // between the attempts
	}{
		{"created", status(201), true, nil, nil},
		{"no content", status(204), true, nil, nil},
		{"refused", status(400), false, nil, nil},
		{"gone", status(410), false, nil, nil},
		{"a redirect to a GET", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://example.com/other")
			w.WriteHeader(302)
		}, false, nil, nil},
		{
			"flapping", status(500, 503, 429, 408, 425, 200), true,
			[]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second},
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second},
		},
		{"retry after", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				w.Header().Set("Retry-After", "77")
				w.WriteHeader(503)
			}
		}, true, []time.Duration{77 * time.Second}, []time.Duration{77 * time.Second}},
		{"retry at", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				w.Header().Set("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
				w.WriteHeader(429)
			}
		}, true, []time.Duration{119 * time.Second}, []time.Duration{120 * time.Second}},
		{"slow", func(n int, _ http.ResponseWriter, r *http.Request) {
			if n == 0 {
				<-r.Context().Done()
			}
		}, true, []time.Duration{5500 * time.Millisecond}, []time.Duration{6 * time.Second}},
		{"a long answer", func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}, true, nil, nil},
		{"retry after more than there is time", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				w.Header().Set("Retry-After", "3000")
				w.WriteHeader(503)
			}
		}, true, []time.Duration{20 * time.Minute}, []time.Duration{20 * time.Minute}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, e := newFeed(false), &endpoint{answer: tt.answer}
				cfg := config()
				cfg.GiveUp = 20 * time.Minute
				h, closeIt := run(t, cfg, f, e)
				f.put(event(1))
				time.Sleep(30 * time.Minute)
				closeIt(0)
				if s := h.Stats(); (s.Delivered == 1) != tt.taken || s.Delivered+s.GivenUp != 1 || int(s.Retried) != len(tt.least) {
					t.Errorf("Stats = %+v; want taken: %t, after %d attempts more", s, tt.taken, len(tt.least))
				}
				for i := range tt.least {
					if gap := e.at[i+1] - e.at[i]; gap < tt.least[i] || gap > tt.most[i] {
						t.Errorf("attempt %d came after %v, want %v to %v", i+2, gap, tt.least[i], tt.most[i])
					}
				}
			})
		})
	}
}

// An event is tried for so long, and then the next one has its turn.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		f, e := newFeed(false), &endpoint{answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			if down.Load() {
				w.WriteHeader(500)
			}
		}}
		h, _ := run(t, config(), f, e)
		f.put(event(1))
		time.Sleep(50 * time.Minute)
		f.put(event(2))
		time.Sleep(15 * time.Minute)
		down.Store(false)
		time.Sleep(10 * time.Minute)
		if s := h.Stats(); s.Delivered != 1 || s.GivenUp != 1 || e.bodies() != bodies(2, 2) {
			t.Errorf("Stats = %+v, and the endpoint took %s; want the first given up and the second taken", s, e.bodies())
		}
	})
}

// Without a log the oldest make room, and the next that is sent says so.
func TestFullQueueDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		f, e := newFeed(false), &endpoint{answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			if down.Load() {
				w.WriteHeader(500)
			}
		}}
		h, _ := run(t, config(), f, e)
		f.put(event(1))
		synctest.Wait() // it is being tried
		f.put(events(2, 100)...)
		synctest.Wait()
		down.Store(false)
		time.Sleep(10 * time.Minute)
		s := h.Stats()
		if s.Dropped == 0 || s.Delivered+s.Dropped != 100 {
			t.Fatalf("Stats = %+v, want 100 taken or dropped", s)
		}
		lines := strings.Split(e.bodies(), "\n")
		first := int(s.Dropped) + 2
		want := fmt.Sprintf(`{"topic":"t","args":[%d],"kwargs":{},"details":{},"missed":%d}`, first, s.Dropped)
		if lines[0] != bodies(1, 1) || lines[1] != want || strings.Join(lines[2:], "\n") != bodies(first+1, 100) {
			t.Errorf("the endpoint took\n%s\nwant the first, then %s, then the rest in order", e.bodies(), want)
		}
	})
}

// With a log nothing is dropped: the feed stops, and goes on where it was.
func TestFullQueueReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		f, e := newFeed(true), &endpoint{answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			if down.Load() {
				w.WriteHeader(500)
			}
		}}
		cfg := config()
		cfg.Again = true
		h, _ := run(t, cfg, f, e)
		f.put(events(1, 100)...)
		time.Sleep(time.Minute)
		f.put(events(101, 200)...)
		if n := len(f.runs()); n != 1 {
			t.Errorf("the feed was run %d times while the endpoint is down, want once", n)
		}
		down.Store(false)
		time.Sleep(time.Hour)
		if got := e.bodies(); got != bodies(1, 200) {
			t.Errorf("the endpoint took\n%s\nwant all, once and in order", got)
		}
		if s := h.Stats(); s.Dropped != 0 || s.GivenUp != 0 || s.Delivered != 200 {
			t.Errorf("Stats = %+v", s)
		}
		runs := f.runs()
		if _, err := time.Parse(time.RFC3339Nano, runs[0]); err != nil || len(runs) < 3 {
			t.Errorf("the feed was run at %q, want from the time of the start, and then again", runs)
		}
	})
}

// A feed that ends is run again, less and less often.
func TestFeedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFeed(false), &endpoint{}
		f.fail = errors.New("killed")
		run(t, config(), f, e)
		f.put(event(1))
		time.Sleep(2 * time.Second)
		if n := len(f.runs()); e.bodies() != bodies(1, 1) || n != 2 {
			t.Errorf("the endpoint took %s, and the feed was run %d times", e.bodies(), n)
		}
	})
}

// At the end what waits is sent as long as there is time, and then no longer.
func TestCloseWithEventsInFlight(t *testing.T) {
	tests := []struct {
		name     string
		patience time.Duration
		want     string
	}{
		{"with time", time.Minute, bodies(1, 5)},
		{"with little time", 2500 * time.Millisecond, bodies(1, 2)},
		{"with none", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, e := newFeed(false), &endpoint{answer: func(_ int, _ http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(time.Second):
					case <-r.Context().Done():
					}
				}}
				_, closeIt := run(t, config(), f, e)
				f.put(events(1, 5)...)
				synctest.Wait()
				close(f.over)
				begin := time.Now()
				closeIt(tt.patience)
				if e.bodies() != tt.want || time.Since(begin) > 5*time.Second {
					t.Errorf("after %v the endpoint has taken\n%s\nwant\n%s", time.Since(begin), e.bodies(), tt.want)
				}
			})
		})
	}
}

func TestFormats(t *testing.T) {
	plain := &webhook.Event{ID: "7", Topic: "com.example.news", Args: []byte(`[1]`), Details: []byte(`{"publisher":3}`)}
	class := &webhook.Event{
		ID: "01J", Topic: "order.created", KwArgs: []byte(`{"id":1}`), Details: []byte(`{"_offset":5}`),
		Class: "order.created", Time: "2026-01-31T14:05:06Z", Position: "e:5",
	}
	tests := []struct {
		name   string
		format webhook.Format
		event  *webhook.Event
		media  string
		want   string
	}{
		{"JSON", webhook.JSON, plain, "application/json", `{"topic":"com.example.news","args":[1],"kwargs":{},"details":{"publisher":3}}`},
		{"JSON of a class", webhook.JSON, class, "application/json", `{"topic":"order.created","args":[],"kwargs":{"id":1},"details":{"_offset":5}}`},
		{
			"CloudEvents", webhook.CloudEvents, plain, "application/cloudevents+json; charset=utf-8",
			`{"specversion":"1.0","id":"7","source":"/realm1","type":"com.example.news","datacontenttype":"application/json","data":{"args":[1],"kwargs":{}}}`,
		},
		{
			"CloudEvents behind a gap", webhook.CloudEvents,
			&webhook.Event{ID: "01J", Topic: "order.created", KwArgs: []byte(`{"id":1}`), Class: "order.created", Time: "2026-01-31T14:05:06Z", Lost: true},
			"application/cloudevents+json; charset=utf-8",
			`{"specversion":"1.0","id":"01J","source":"/realm1","type":"order.created","time":"2026-01-31T14:05:06Z","recovered":false,"datacontenttype":"application/json","data":{"id":1}}`,
		},
		{
			"CloudEvents of a gap", webhook.CloudEvents, &webhook.Event{ID: "7", Topic: "order.created", Lost: true}, "application/cloudevents+json; charset=utf-8",
			`{"specversion":"1.0","id":"7","source":"/realm1","type":"wireroom.lost","subject":"order.created","recovered":false}`,
		},
		{
			"CloudEvents of a class", webhook.CloudEvents, class, "application/cloudevents+json; charset=utf-8",
			`{"specversion":"1.0","id":"01J","source":"/realm1","type":"order.created","time":"2026-01-31T14:05:06Z","position":"e:5","datacontenttype":"application/json","data":{"id":1}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				media := ""
				f, e := newFeed(false), &endpoint{answer: func(_ int, _ http.ResponseWriter, r *http.Request) { media = r.Header.Get("Content-Type") }}
				cfg := config()
				cfg.Format = tt.format
				run(t, cfg, f, e)
				f.put(tt.event)
				synctest.Wait()
				if e.bodies() != tt.want || media != tt.media {
					t.Errorf("%s %s, want %s %s", media, e.bodies(), tt.media, tt.want)
				}
			})
		})
	}
}
