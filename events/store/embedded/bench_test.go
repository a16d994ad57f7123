package embedded_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// BenchmarkAppend appends events of 300 bytes, each publisher waiting for its
// own before the next. It needs a real disk: TMPDIR must not be in memory.
func BenchmarkAppend(b *testing.B) {
	for _, publishers := range []int{1, 8, 64, 512} {
		for _, bench := range []struct {
			ids     string
			journal int // bytes
		}{{"made", 0}, {"made", 1 << 20}, {"given", 0}, {"given", 1 << 20}} {
			ids := bench.ids
			b.Run(fmt.Sprintf("publishers=%d/ids=%s/journal=%d", publishers, ids, bench.journal), func(b *testing.B) {
				config := embedded.DefaultConfig()
				config.JournalBytes = bench.journal
				s, err := embedded.Open(filepath.Join(b.TempDir(), "wireroom.db"), config, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				data := []byte(`{"text":"` + strings.Repeat("x", 289) + `"}`)
				var next atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				before := s.Stats()
				var wg sync.WaitGroup
				for range publishers {
					wg.Go(func() {
						done := make(chan error, 1)
						for {
							n := next.Add(1)
							if n > int64(b.N) {
								return
							}
							r := events.Record{
								Class: "c", ID: events.NewID(time.Now()), IDGiven: ids == "given", Time: time.Now(), Data: data,
								Keep: events.Retain{Events: 100_000},
							}
							s.Append([]events.Record{r}, func(_ []events.Appended, err error) { done <- err })
							if err := <-done; err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				seconds := b.Elapsed().Seconds()
				after := s.Stats()
				commits, batches := float64(after.Commits-before.Commits), float64(after.Batches-before.Batches)
				b.ReportMetric(float64(b.N)/seconds, "events/s")
				b.ReportMetric((2*commits+batches)/seconds, "fsyncs/s")
				b.ReportMetric(float64(b.N)/(commits+batches), "events/batch")
			})
		}
	}
}
