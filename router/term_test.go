package router_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
)

// A term ends as a context with a deadline does, whether somebody waits for it
// or only looks, and those that are derived from it end with it.
func TestTerm(t *testing.T) {
	tests := []struct {
		name    string
		look    func(ctx context.Context) // before it ends
		expires bool                      // or it is finished before
		want    error
	}{
		{"nobody waits, expires", func(context.Context) {}, true, context.DeadlineExceeded},
		{"nobody waits, finished", func(context.Context) {}, false, context.Canceled},
		{"somebody waits, expires", func(ctx context.Context) { ctx.Done() }, true, context.DeadlineExceeded},
		{"somebody waits, finished", func(ctx context.Context) { ctx.Done() }, false, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, finish := router.NewTerm(time.Second)
				tt.look(ctx)
				if at, ok := ctx.Deadline(); !ok || time.Until(at) != time.Second {
					t.Errorf("Deadline() = %v, %v; want a second from now", at, ok)
				}
				if err := ctx.Err(); err != nil {
					t.Errorf("Err() = %v before the end", err)
				}
				if tt.expires {
					time.Sleep(time.Second)
				} else {
					finish()
				}
				synctest.Wait()
				if err := ctx.Err(); err != tt.want {
					t.Errorf("Err() = %v, want %v", err, tt.want)
				}
				select {
				case <-ctx.Done():
				default:
					t.Error("Done() is not closed after the end")
				}
				finish()
				if err := ctx.Err(); err != tt.want {
					t.Errorf("Err() = %v after it was finished again, want %v", err, tt.want)
				}
			})
		})
	}
	t.Run("derived", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, finish := router.NewTerm(time.Second)
			defer finish()
			inner, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			<-inner.Done()
			if err := inner.Err(); err != context.DeadlineExceeded {
				t.Errorf("Err() = %v, want %v", err, context.DeadlineExceeded)
			}
		})
	})
}
