package webhook

import (
	"context"
	"sync"
	"time"
)

// A queue holds the events that wait for an endpoint.
type queue struct {
	limit int           // of bytes
	some  chan struct{} // of capacity 1: an event has come, or the last will have
	room  chan struct{} // of capacity 1: the queue is half empty again

	mu      sync.Mutex // guards the following
	waiting []waiting
	bytes   int
	missed  uint64 // dropped since the last that was taken
	ended   bool   // nothing more will come
}

// A waiting event.
type waiting struct {
	*Event
	since  time.Time // when it came
	missed uint64    // events that were dropped before it
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, some: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds an event. If there is no room, it adds nothing and reports false,
// unless drop is set: then the oldest events make room, and it returns how many.
// An event that is larger than the queue may wait alone.
func (q *queue) put(e *Event, drop bool) (dropped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes > 0 && q.bytes+e.size() > q.limit {
		if !drop {
			return 0, false
		}
		oldest := q.waiting[0]
		q.shiftLocked()
		dropped++
		lost := oldest.missed + 1
		if len(q.waiting) > 0 {
			q.waiting[0].missed += lost
		} else {
			q.missed += lost
		}
	}
	q.waiting = append(q.waiting, waiting{e, time.Now(), q.missed})
	q.missed = 0
	q.bytes += e.size()
	wake(q.some)
	return dropped, true
}

func (q *queue) shiftLocked() {
	q.bytes -= q.waiting[0].size()
	q.waiting[0] = waiting{}
	q.waiting = q.waiting[1:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
}

// take removes the oldest event, and waits for one if there is none. It reports
// false when none will come, or ctx is done.
func (q *queue) take(ctx context.Context) (waiting, bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			w := q.waiting[0]
			q.shiftLocked()
			if q.bytes <= q.limit/2 {
				wake(q.room)
			}
			q.mu.Unlock()
			return w, true
		}
		ended := q.ended
		q.mu.Unlock()
		if ended {
			return waiting{}, false
		}
		select {
		case <-q.some:
		case <-ctx.Done():
		}
	}
	return waiting{}, false
}

// end says that nothing more will come.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	wake(q.some)
}

// len returns how many events wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// wake leaves a sign in c, unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
