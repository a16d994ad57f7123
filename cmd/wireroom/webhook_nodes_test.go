package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A told is an event as an endpoint was told of it.
type told struct {
	id     string // webhook-id
	Topic  string
	Args   []any
	KwArgs struct{ N int }

	Details struct {
		Offset    uint64 `json:"_offset"`
		Replayed  bool   `json:"_replayed"`
		Recovered *bool  `json:"_recovered"`
	}
}

// A hookLedger is an endpoint that writes down what it is told. It does not answer
// about one event until whoever tells of it is gone, or it may.
type hookLedger struct {
	*httptest.Server
	stuck  chan struct{} // closed when the event is there that is not answered
	answer chan struct{} // closed when it is to be answered all the same

	mu    sync.Mutex
	all   []told // also what was not answered
	stick int    // N of the event that is not answered the first time; 0: none
}

func newHookLedger(t *testing.T) *hookLedger {
	l := &hookLedger{stuck: make(chan struct{}), answer: make(chan struct{})}
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e := told{id: r.Header.Get("webhook-id")}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Errorf("an endpoint is told something else than an event: %v", err)
		}
		l.mu.Lock()
		l.all = append(l.all, e)
		sticks := l.stick != 0 && l.stick == e.KwArgs.N
		if sticks {
			l.stick = 0
		}
		l.mu.Unlock()
		if sticks {
			close(l.stuck)
			select {
			case <-r.Context().Done():
			case <-l.answer:
			}
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// of returns what it was told of a topic.
func (l *hookLedger) of(topic string) (all []told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all {
		if e.Topic == topic {
			all = append(all, e)
		}
	}
	return all
}

// stickAt has the event with this number not be answered.
func (l *hookLedger) stickAt(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stick = n
}

// sticks waits until a request is under way that is not answered.
func (l *hookLedger) sticks(t *testing.T) {
	t.Helper()
	select {
	case <-l.stuck:
	case <-time.After(patience):
		t.Fatal("no request is under way")
	}
}

// whole waits until it was told of n events of demo.message, and checks that none is
// missing, and that what came again is marked. It returns how often each one came.
func (l *hookLedger) whole(t *testing.T, n int) map[int]int {
	t.Helper()
	var all []told
	times := map[int]int{}
	until(t, fmt.Sprintf("the endpoint to be told of %d events", n), func() bool {
		all = l.of("demo.message")
		clear(times)
		for _, e := range all {
			times[e.KwArgs.N]++
		}
		return len(times) >= n
	})
	last, unmarked := uint64(0), map[string]bool{}
	for i, e := range all {
		if e.Details.Recovered != nil {
			t.Errorf("what came as number %d tells of a loss: %+v", i, e)
		}
		if e.Details.Offset > last {
			if e.Details.Offset != last+1 {
				t.Errorf("the endpoint was told of offset %d after %d", e.Details.Offset, last)
			}
			last = e.Details.Offset
		} else if !e.Details.Replayed {
			t.Errorf("the endpoint was told of offset %d after %d, and not that it comes again", e.Details.Offset, last)
		}
		if !e.Details.Replayed {
			if unmarked[e.id] {
				t.Errorf("the endpoint was told of %s twice, as if it were new", e.id)
			}
			unmarked[e.id] = true
		}
	}
	if int(last) != n {
		t.Errorf("the last offset is %d, want %d", last, n)
	}
	return times
}

// config returns the configuration of a gateway with a webhook for a class with a log,
// and another one for a topic without a class.
func (l *hookLedger) config(t *testing.T, store string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(strings.Replace(testConfig, "store: file:wireroom.db", "store: "+store, 1))
	b.WriteString("webhooks:\n")
	for _, h := range []string{"name: kept, topic: demo.message", "name: plain, topic: plain.news"} {
		fmt.Fprintf(&b, "  - {%s, timeout: 60s, allow: [127.0.0.1, \"::1\"], url: %q}\n", h, l.URL)
	}
	return writeConfig(t, b.String())
}

// posts posts events of demo.message, numbered from the first to the last.
func posts(t *testing.T, base string, first, last int) {
	t.Helper()
	pub, err := newHTTPPublisher(base, testKey, patience)
	if err != nil {
		t.Error(err)
		return
	}
	defer pub.close()
	for n := first; n <= last; n++ {
		if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": "r", "text": "x", "n": n}}); err != nil {
			t.Errorf("post event %d: %v", n, err)
			return
		}
	}
}

// news publishes on a topic without a log until the endpoint is told of some, and
// checks that one gateway told of them, but for what came while another one took over.
func (l *hookLedger) news(t *testing.T, c *wampClient, text string) {
	t.Helper()
	const some, most = 10, 5
	ids, all := map[string]bool{}, 0
	until(t, fmt.Sprintf("the endpoint to be told of %q", text), func() bool {
		if err := c.publish("plain.news", []any{text}, nil); err != nil {
			t.Fatal(err)
		}
		clear(ids)
		all = 0
		for _, e := range l.of("plain.news") {
			if e.Args[0] == text {
				ids[e.id] = true
				all++
			}
		}
		return len(ids) >= some
	})
	if all > len(ids)+most {
		t.Errorf("the endpoint was told %d times of %d publications", all, len(ids))
	}
}

// killGateway kills the process of a gateway.
func killGateway(t *testing.T, p *exec.Cmd) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // an error, as it was killed
}

// With several gateways an endpoint is told by one at a time. When that is killed, or
// stopped, another one goes on where it was.
func TestWebhookOfTwo(t *testing.T) {
	url, _, _ := startRedis(t)
	l := newHookLedger(t)
	file := l.config(t, url+"\nredis: {prefix: shop, timeout: 10s}")
	process, a := startProcess(t, file)
	posts(t, a, 1, 10)
	l.whole(t, 10) // so that it is the first one that tells
	b := startProgram(t, file)
	atB := join(t, b, "")
	l.news(t, atB, "of two")
	var posting sync.WaitGroup
	posting.Go(func() { posts(t, a, 11, 30) })
	posting.Go(func() { posts(t, b.base, 31, 50) })
	posting.Wait()
	l.whole(t, 50)

	l.stickAt(51)
	posts(t, b.base, 51, 60)
	l.sticks(t)
	by := b.tells("kept")
	killGateway(t, process)
	close(l.answer)
	if times := l.whole(t, 60); times[51] < 2 && !by {
		t.Errorf("the event that was under way came %d times, want twice", times[51])
	}
	l.news(t, atB, "of one")

	c := startProgram(t, file)
	atC := join(t, c, "")
	posts(t, c.base, 61, 65)
	l.whole(t, 65)
	b.stop()
	posts(t, c.base, 66, 70)
	l.whole(t, 70)
	l.news(t, atC, "of the last")
}

// A gateway that cannot reach Redis stops telling of events of a class with a log, and
// another one goes on; of other topics it tells what reaches it, as nobody else does.
func TestWebhookCut(t *testing.T) {
	url, _, _ := startRedis(t)
	h, holed := startHole(t, url)
	l := newHookLedger(t)
	a := startProgram(t, l.config(t, holed+"\nredis: {prefix: shop, timeout: 10s}"))
	posts(t, a.base, 1, 10)
	l.whole(t, 10) // so that it is the first one that tells
	b := startProgram(t, l.config(t, url+"\nredis: {prefix: shop, timeout: 10s}"))
	atA, atB := join(t, a, ""), join(t, b, "")
	l.news(t, atB, "before")

	h.set(true)
	posts(t, b.base, 11, 20)
	l.whole(t, 20)
	l.news(t, atB, "at the one that has Redis")
	l.news(t, atA, "at the one that has not")

	h.set(false)
	posts(t, b.base, 21, 30)
	l.whole(t, 30)
	l.news(t, atB, "after")
	l.news(t, atA, "after, at the other one")
}

// tells reports whether the gateway says that it tells the endpoint of a webhook.
func (p *program) tells(hook string) bool {
	for line := range strings.Lines(p.stderr.String()) {
		var entry struct{ Msg, Webhook string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Webhook == hook && entry.Msg == "this gateway tells the endpoint of events" {
			return true
		}
	}
	return false
}

// A gateway that is killed goes on where its endpoint was when it is started again:
// also with what was published while nobody was told, and if it was killed before
// anybody was told of anything.
func TestWebhookKilled(t *testing.T) {
	l := newHookLedger(t)
	file := l.config(t, "file:wireroom.db")
	l.stickAt(11)
	for _, first := range []int{1, 11, 21} {
		process, base := startProcess(t, file)
		posts(t, base, first, first+9)
		switch first {
		case 11:
			l.sticks(t)
		case 21:
			l.whole(t, 30)
		}
		killGateway(t, process)
	}
	if times := l.whole(t, 30); times[11] < 2 {
		t.Errorf("the event that was under way came %d times, want twice", times[11])
	}
}
