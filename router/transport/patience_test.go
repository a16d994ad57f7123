package transport_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// While short requests come, and while there are none, nobody looks whether the
// client is there; who leaves while a long one is served is noticed in time, and
// not before.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		var left atomic.Bool
		p, ctx := transport.NewPatience(t.Context(), func() bool {
			looks.Add(1)
			return left.Load()
		})
		for range 1000 {
			p.Begin()
			time.Sleep(time.Millisecond)
			p.End()
			time.Sleep(10 * time.Millisecond)
		}
		p.Begin()
		p.End()
		time.Sleep(time.Hour)
		if n := looks.Load(); n > 0 {
			t.Errorf("%d looks during short requests and none, want 0", n)
		}

		p.Begin()
		time.Sleep(5 * transport.LookEvery)
		if looks.Load() == 0 || ctx.Err() != nil {
			t.Fatalf("%d looks during a long request, context %v; want some and nil", looks.Load(), ctx.Err())
		}
		left.Store(true)
		begin := time.Now()
		<-ctx.Done()
		if took := time.Since(begin); took > transport.LookEvery {
			t.Errorf("during a long request it took %v to notice that the client left, want %v at most", took, transport.LookEvery)
		}
		p.End()
	})
}

// Whoever leaves right after its request is noticed within two looks, whenever
// it comes.
func TestPatienceAtOnce(t *testing.T) {
	for offset := time.Duration(0); offset < transport.LookEvery; offset += transport.LookEvery / 7 {
		synctest.Test(t, func(t *testing.T) {
			p, ctx := transport.NewPatience(t.Context(), func() bool { return true })
			p.Begin()
			p.End()
			time.Sleep(offset)
			begin := time.Now()
			p.Begin()
			<-ctx.Done()
			p.End()
			if took := time.Since(begin); took > 2*transport.LookEvery {
				t.Errorf("%v after another request it took %v to notice that the client left, want %v at most",
					offset, took, 2*transport.LookEvery)
			}
		})
	}
}

// The server is spared reading on once for each request, and never between them.
func TestPatienceSpares(t *testing.T) {
	p, _ := transport.NewPatience(context.Background(), func() bool { return false })
	var got []bool
	note := func() { got = append(got, p.Spare()) }
	note()
	for range 2 {
		p.Begin()
		note()
		note()
		p.End()
		note()
	}
	p.Begin()
	p.End()
	note()
	want := []bool{false, true, false, false, true, false, false, false}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("spared %v, want %v", got, want)
		}
	}
}
