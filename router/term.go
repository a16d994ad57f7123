package router

import (
	"context"
	"sync"
	"time"
)

// A term is a context with a deadline that costs next to nothing unless somebody
// waits for it: only then is there a timer. Most of those who join are known at
// once.
type term struct {
	deadline time.Time // fixed at construction

	mu    sync.Mutex // guards the following
	whole context.Context
	end   context.CancelFunc // of whole
	over  bool               // it was finished while nobody waited
}

var _ context.Context = (*term)(nil)

// newTerm returns a term that ends after d, or when finish is called.
func newTerm(d time.Duration) *term { return &term{deadline: time.Now().Add(d)} }

// finish ends the term.
func (t *term) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.end != nil:
		t.end()
	case time.Now().Before(t.deadline): // or it has ended before
		t.over = true
	}
}

// Deadline implements [context.Context].
func (t *term) Deadline() (time.Time, bool) { return t.deadline, true }

// Done implements [context.Context].
func (t *term) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.whole != nil:
	case t.over:
		t.whole, t.end = context.WithCancel(context.Background())
		t.end()
	default:
		t.whole, t.end = context.WithDeadline(context.Background(), t.deadline)
	}
	return t.whole.Done()
}

// Err implements [context.Context].
func (t *term) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.whole != nil:
		return t.whole.Err()
	case t.over:
		return context.Canceled
	case !time.Now().Before(t.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements [context.Context]. Contexts that are derived from the term
// find the one with the timer by it, after Done, and need no goroutine then.
func (t *term) Value(key any) any {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.whole == nil {
		return nil
	}
	return t.whole.Value(key)
}
