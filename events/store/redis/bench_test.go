package redis_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// BenchmarkAppend is n publishers that each wait for their receipt.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprintf("publishers=%d", n), func(b *testing.B) {
			sv := start(b, "--appendonly", "yes", "--appendfsync", "everysec")
			s := open(b, sv.url())
			defer s.Close()
			share(b, n, func(i int) {
				r := record(i)
				r.Data, r.IDGiven, r.Keep = bytes.Repeat([]byte("x"), 304), false, events.Retain{Events: 100_000}
				if _, err := post(s, r); err != nil {
					b.Error(err)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(s.Stats().Records)/float64(s.Stats().Rounds), "events/round")
		})
	}
}

// BenchmarkXADD is what Redis does with as many bare commands in one round trip,
// over the same client.
func BenchmarkXADD(b *testing.B) {
	for _, n := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprintf("pipeline=%d", n), func(b *testing.B) {
			sv := start(b, "--appendonly", "yes", "--appendfsync", "everysec")
			data := bytes.Repeat([]byte("x"), 304)
			for done := 0; done < b.N; done += n {
				pipe := sv.raw.Pipeline()
				for range n {
					pipe.XAdd(b.Context(), &goredis.XAddArgs{Stream: "log", Values: []any{"i", "mgiven-1", "c", "", "d", data}})
				}
				if _, err := pipe.Exec(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// share calls fn b.N times, from n goroutines.
func share(b *testing.B, n int, fn func(i int)) {
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			for i := g; i < b.N; i += n {
				fn(i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
