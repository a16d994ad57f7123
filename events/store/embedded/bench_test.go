package embedded_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// BenchmarkAppend appends events of 300 bytes, each publisher waiting for its
// own before the next. It needs a real disk: TMPDIR must not be in memory.
func BenchmarkAppend(b *testing.B) {
	for _, publishers := range []int{1, 8, 64, 512} {
		for _, ids := range []string{"made", "given"} {
			b.Run(fmt.Sprintf("publishers=%d/ids=%s", publishers, ids), func(b *testing.B) {
				s := open(b, b.TempDir())
				defer s.Close()
				data := []byte(`{"text":"` + strings.Repeat("x", 289) + `"}`)
				var next atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				before := s.Stats().Commits
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
				commits := float64(s.Stats().Commits - before)
				b.ReportMetric(float64(b.N)/seconds, "events/s")
				b.ReportMetric(2*commits/seconds, "fsyncs/s")
				b.ReportMetric(float64(b.N)/commits, "events/commit")
			})
		}
	}
}
