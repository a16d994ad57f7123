package lease

import (
	"context"
	"sync"
	"time"
)

// A Lease is one task of a [Keeper].
type Lease struct {
	// Fixed at construction.
	keeper *Keeper
	task   string
	strict bool
	came   chan struct{} // of capacity 1: there is a tenure; never closed

	mu     sync.Mutex // guards the following
	tenure *Tenure    // nil: the task is not this gateway's
	given  bool       // it was given back, for good
}

// Wait waits until the task is this gateway's, and returns its tenure; nil if ctx is
// done before. One goroutine at a time may wait.
func (l *Lease) Wait(ctx context.Context) *Tenure {
	for ctx.Err() == nil {
		l.mu.Lock()
		t := l.tenure
		l.mu.Unlock()
		if t != nil {
			return t
		}
		select {
		case <-l.came:
		case <-ctx.Done():
		}
	}
	return nil
}

// LetGo gives the task back for good, so that another gateway can have it at once. A
// tenure that there is goes on, as far as the caller is concerned, but others do not
// wait for it. If the holder does not take it back before ctx is done, others get it
// when this gateway is gone.
func (l *Lease) LetGo(ctx context.Context) error {
	if l.keeper.holder == nil {
		return nil
	}
	l.keeper.asking.Lock() // or what is being asked would take it again
	defer l.keeper.asking.Unlock()
	l.mu.Lock()
	before := l.given
	l.given = true
	l.mu.Unlock()
	if before {
		return nil
	}
	return l.keeper.holder.LetGo(ctx, l.task)
}

// wanted reports whether the task is to be asked for.
func (l *Lease) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.given
}

// told takes what the holder says: whether the task is this gateway's, and until when
// nobody else gets it.
func (l *Lease) told(mine bool, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !mine:
		l.endLocked()
	case l.tenure != nil:
		l.tenure.renew(until)
	case !l.strict || time.Now().Before(until):
		l.tenure = newTenure(l, until)
		rouse(l.came)
	}
}

// lapse ends a tenure if it is the present one and its time is over.
func (l *Lease) lapse(t *Tenure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tenure == t && !t.Held() {
		l.endLocked()
	}
}

func (l *Lease) endLocked() {
	if l.tenure != nil {
		l.tenure.end()
		l.tenure = nil
	}
}

// A Tenure is the time for which this gateway has a task.
type Tenure struct {
	ctx   context.Context // its life
	over  context.CancelFunc
	timer *time.Timer // nil: it has no end of its own

	mu    sync.Mutex // guards the following
	until time.Time
	ended bool
}

// newTenure returns a tenure, which, if it is of a strict task, ends by itself.
func newTenure(l *Lease, until time.Time) *Tenure {
	t := &Tenure{until: until}
	t.ctx, t.over = context.WithCancel(context.Background())
	if l.strict {
		t.timer = time.AfterFunc(time.Until(until), func() { l.lapse(t) })
	}
	return t
}

// Context is done when the task is not this gateway's any more.
func (t *Tenure) Context() context.Context { return t.ctx }

// Held reports whether the task is still this gateway's. It looks at the clock, and so
// may know it earlier than Context.
func (t *Tenure) Held() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heldLocked()
}

func (t *Tenure) heldLocked() bool {
	return !t.ended && (t.timer == nil || time.Now().Before(t.until))
}

// renew has the tenure last until then, unless its time was over before: then nobody
// knows who had the task meanwhile.
func (t *Tenure) renew(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil && t.heldLocked() {
		t.until = until
		t.timer.Reset(time.Until(until))
	}
}

func (t *Tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.over()
}
