//go:build linux

package torture_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A gateway that says that its store is away, and goes on without it, has done
// what it must; one that does not say so, or stops, is among the violations.
func TestAwaitRed(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		name        string
		red         time.Duration // from when on it is not ready; 0: at once; -1: never
		begin, stop time.Duration // between which an event comes every 100 ms
		took        time.Duration // until it was seen to be red; -1: it was not
		until       time.Duration // it is waited, or a moment longer
		wrong       string
	}{
		{"soon, and goes on", 900 * time.Millisecond, 0, time.Minute, 900 * time.Millisecond, 1100 * time.Millisecond, ""},
		{"at once", 0, 0, time.Minute, 0, 200 * time.Millisecond, ""},
		{"goes on after a while", second, 10 * second, time.Minute, second, 10200 * time.Millisecond, ""},
		{"late, but not too late", 29 * second, 0, time.Minute, 29 * second, 29200 * time.Millisecond, ""},
		{"never", -1, 0, time.Minute, -1, 30 * second, "its store has been away for 30s, and /readyz says: ready"},
		{"too late", 31 * second, 0, time.Minute, -1, 30 * second, "its store has been away for 30s, and /readyz says: ready"},
		{"stops when it knows", second, 0, second, second, 30 * second, "its store has been away for 30s, and events without a class have stopped"},
		{"nothing comes", second, time.Hour, time.Hour, second, 30 * second, "its store has been away for 30s, and events without a class have stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &nemesis{rec: newRecorder(1, durable)}
				began := time.Now()
				var ticks atomic.Int64
				done := make(chan struct{})
				var events sync.WaitGroup
				events.Go(func() {
					for wait := test.begin + time.Millisecond; time.Since(began)+wait < test.stop; wait = 100 * time.Millisecond {
						select {
						case <-time.After(wait):
							ticks.Add(1)
						case <-done:
							return
						}
					}
				})
				n.awaitRed("a", began, &ticks, func() (bool, string) {
					if test.red >= 0 && time.Since(began) >= test.red {
						return false, "the store does not answer"
					}
					return true, "ready"
				})
				close(done)
				events.Wait()

				if took := time.Since(began); took < test.until || took > test.until+150*time.Millisecond {
					t.Errorf("it waited %v, want %v", took, test.until)
				}
				red, wrong := 0, ""
				for _, e := range n.rec.history().entries {
					switch {
					case e.Kind == kindReady && e.Note == "red: the store does not answer" && e.Who == "a":
						red++
					case e.Kind == kindWrong && e.Rule == 8 && e.Who == "a":
						wrong += e.Note
					default:
						t.Errorf("the history has %+v", e)
					}
				}
				if wrong != test.wrong {
					t.Errorf("what is wrong: %q, want %q", wrong, test.wrong)
				}
				if test.took < 0 && (red != 0 || len(n.away) != 0) || test.took >= 0 && (red != 1 || len(n.away) != 1) {
					t.Errorf("it was red %d times, %v", red, n.away)
				}
				if test.took >= 0 && len(n.away) == 1 && (n.away[0] < test.took || n.away[0] > test.took+20*time.Millisecond) {
					t.Errorf("it was red after %v, want %v", n.away[0], test.took)
				}
			})
		})
	}
}

// What /readyz of a gateway says is taken as it is said, and none is not ready.
func TestReadyAsks(t *testing.T) {
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status.Store(http.StatusTeapot)
		}
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "so it is\n")
	}))
	g := &gateway{address: server.Listener.Addr().String()}
	for code, want := range map[int]bool{http.StatusOK: true, http.StatusServiceUnavailable: false, http.StatusNotFound: false} {
		status.Store(int64(code))
		if ready, text := g.ready(t.Context(), server.Client()); ready != want || text != "so it is" {
			t.Errorf("with the status %d it is ready %t, %q; want %t", code, ready, text, want)
		}
	}
	server.Close()
	if ready, text := g.ready(t.Context(), server.Client()); ready || !strings.Contains(text, "refused") {
		t.Errorf("when nobody listens it is ready %t, %q", ready, text)
	}
	g.forget()
	if ready, text := g.ready(t.Context(), server.Client()); ready || text != "there is no process" {
		t.Errorf("without a process it is ready %t, %q", ready, text)
	}
}

// Only gateways that run, and that are meant, are waited for.
func TestNoticedBy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer server.Close()
	rec := newRecorder(1, durable)
	ended := make(chan struct{})
	close(ended)
	n := &nemesis{rec: rec, cluster: &cluster{gateways: []*gateway{
		{rec: rec, name: "a", address: server.Listener.Addr().String()},
		{rec: rec, name: "b", exited: ended, wanted: true},
		{rec: rec, name: "c", address: server.Listener.Addr().String()},
	}}}
	stop := make(chan struct{})
	defer close(stop)
	for range n.cluster.gateways {
		ticks := new(atomic.Int64)
		n.ticks = append(n.ticks, ticks)
		go func() {
			for tick := time.NewTicker(time.Millisecond); ; ticks.Add(1) {
				select {
				case <-tick.C:
				case <-stop:
					tick.Stop()
					return
				}
			}
		}()
	}
	n.noticed()
	n.noticed(1, 2)
	var who []string
	for _, e := range rec.history().entries {
		who = append(who, string(e.Kind)+" "+e.Who)
	}
	if want := []string{"ready a", "ready c", "ready c"}; !slices.Equal(who, want) {
		t.Errorf("the history has %q, want %q", who, want)
	}
}
