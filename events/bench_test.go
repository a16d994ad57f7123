package events_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wireroom/wireroom/events"
)

func BenchmarkCheck(b *testing.B) {
	big := `{"id":1,"customer":"a","note":"` + strings.Repeat("lorem ipsum ", 1000) + `"}`
	for _, test := range []struct{ name, data string }{{"300B", sample[:len(sample)-1] + "}"}, {"12kB", big}} {
		b.Run("size="+test.name, func(b *testing.B) {
			c := class(b, freeOrder())
			data := []byte(test.data)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Check(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	h, err := events.NewHub(b.Context(), catalogue(b, []events.ClassConfig{freeOrder()}), nil, nowhere{}, events.DefaultConfig(), discard)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	data := []byte(sample)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Publish(b.Context(), &events.Event{Class: "order.created", Data: data}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	cat := catalogue(b, []events.ClassConfig{order()})
	for _, topic := range []string{"order.created", "order.created.ada", "chat.lobby"} {
		b.Run("topic="+topic, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cat.Lookup(topic)
			}
		})
	}
}

// BenchmarkPublishRetained publishes to a log on the disk, from so many
// publishers that each wait for their receipt. It needs a real disk: TMPDIR
// must not be in memory.
func BenchmarkPublishRetained(b *testing.B) {
	for _, publishers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("publishers=%d", publishers), func(b *testing.B) {
			retained := freeOrder()
			retained.Retain = events.Retain{Events: 100_000}
			s := openStore(b)
			h, err := events.NewHub(context.Background(), catalogue(b, []events.ClassConfig{retained}), s, nowhere{}, events.DefaultConfig(), discard)
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			tickets := make(chan struct{}, publishers)
			var wg sync.WaitGroup
			before := s.Stats().Commits
			for range publishers {
				wg.Go(func() {
					for range tickets {
						if _, err := h.Publish(context.Background(), &events.Event{Class: "order.created", Data: []byte(sample)}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				tickets <- struct{}{}
				n++
			}
			close(tickets)
			wg.Wait()
			seconds, commits := b.Elapsed().Seconds(), float64(s.Stats().Commits-before)
			b.ReportMetric(float64(n)/seconds, "events/s")
			b.ReportMetric(2*commits/seconds, "fsyncs/s")
			b.ReportMetric(float64(n)/commits, "events/commit")
		})
	}
}

// BenchmarkReplay sends a log of 10,000 events of 300 bytes to a subscriber
// who does nothing.
func BenchmarkReplay(b *testing.B) {
	retained := freeOrder()
	retained.Retain = events.Retain{Events: 100_000}
	h, err := events.NewHub(b.Context(), catalogue(b, []events.ClassConfig{retained}), openStore(b), nowhere{}, events.DefaultConfig(), discard)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	const n = 10_000
	batch := make([]*events.Event, n)
	for i := range batch {
		batch[i] = &events.Event{Class: "order.created", Data: []byte(sample)}
	}
	if _, err := h.PublishMany(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Replay(b.Context(), "order.created", events.Since(0), events.Selection{}, idle{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
}

// idle is a subscriber that does nothing.
type idle struct{}

func (idle) Recover(events.Recovery)                   {}
func (idle) Send(context.Context, *events.Event) error { return nil }
func (idle) Live()                                     {}
