package events_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Whatever part of a log is read page by page, forwards or backwards, of one
// channel or all: it is what a walk over all events finds.
func TestPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
		rng := rand.New(rand.NewPCG(3, 4))
		const all = 150
		rooms := make([]string, all+1)
		times := make([]time.Time, all+1)
		for n := 1; n <= all; n++ {
			time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
			e := event("log", n)
			rooms[n] = []string{"a", "b", "c"}[rng.IntN(3)]
			e.Data = fmt.Appendf(nil, `{"n":%d,"room":%q,"x":%q}`, n, rooms[n], strings.Repeat("x", rng.IntN(300)))
			mustPublish(t, h, e)
			times[n] = e.Time
		}
		past, err := h.Past("log", nil)
		if err != nil {
			t.Fatal(err)
		}
		mustPublish(t, h, event("log", all+1)) // which is not of that past
		if epoch, last := past.Last(); epoch == "" || last != all || past.Class().Name() != "log" {
			t.Errorf("Last = %q, %d; want %d", epoch, last, all)
		}
		for range 300 {
			after, through := uint64(rng.IntN(all)), uint64(rng.IntN(all+20))
			channel := []string{"", "a", "b", "none"}[rng.IntN(4)]
			backwards := rng.IntN(2) == 0
			limit, bytes := 1+rng.IntN(20), 1+rng.IntN(2000)
			var want, got []uint64
			for n := after + 1; n <= min(through, all); n++ {
				if channel == "" || rooms[n] == channel {
					want = append(want, n)
				}
			}
			from, to := after, through
			for pages := 0; ; pages++ {
				page, err := past.Read(t.Context(), channel, from, to, backwards, limit, bytes)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				if len(page) > limit || pages > all {
					t.Fatalf("page %d has %d events, want at most %d", pages, len(page), limit)
				}
				var offsets []uint64
				for _, e := range page {
					offsets = append(offsets, e.Offset)
					if e.Replayed || e.Epoch == "" || e.Class != "log" || e.Channel != rooms[e.Offset] {
						t.Errorf("odd event %+v", e)
					}
				}
				if backwards {
					got = append(offsets, got...)
					to = offsets[0] - 1
				} else {
					got = append(got, offsets...)
					from = offsets[len(offsets)-1]
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("after %d through %d of %q, backwards %v, %d at a time: %v, want %v", after, through, channel, backwards, limit, got, want)
			}
			n := 1 + rng.IntN(all)
			since, err := past.Seek(t.Context(), times[n], all)
			if err != nil || !times[since+1].Equal(times[n]) || since > 0 && !times[since].Before(times[n]) {
				t.Fatalf("Seek(%v) = %d, %v", times[n], since, err)
			}
		}
	})
}

func TestPastRefuses(t *testing.T) {
	h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
	_, err := h.Past("nothing", nil)
	if _, ok := errors.AsType[*events.UnknownClassError](err); !ok {
		t.Errorf("Past of a class that is not there: %v", err)
	}
	if _, err := h.Past("free", nil); !errors.Is(err, events.ErrNotRetained) {
		t.Errorf("Past of a class that is not retained: %v", err)
	}
}

// What is trimmed is not there any more, and is not missed.
func TestPastTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := events.DefaultConfig()
		h := newHub(t, openStore(t), new(recorder), config)
		short := classes()
		short[1].Retain.Events = 5
		if err := h.SetCatalogue(t.Context(), catalogue(t, short)); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 40; n++ {
			mustPublish(t, h, event("other", n))
		}
		past, err := h.Past("other", nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * config.SweepEvery)
		synctest.Wait()
		for _, backwards := range []bool{false, true} {
			page, err := past.Read(t.Context(), "", 0, 40, backwards, 40, 1<<20)
			if err != nil || len(page) == 0 || len(page) == 40 || page[len(page)-1].Offset != 40 {
				t.Errorf("backwards %v: %d events of a trimmed log, %v", backwards, len(page), err)
			}
			page, err = past.Read(t.Context(), "", 0, 2, backwards, 40, 1<<20)
			if err != nil || len(page) != 0 {
				t.Errorf("backwards %v: %d events of what was trimmed, %v", backwards, len(page), err)
			}
		}
	})
}
