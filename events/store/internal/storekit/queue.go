package storekit

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Request is something that waits for the committer of a store. Both methods
// always give the same.
type Request interface {
	// Size is how many records and bytes it counts as; at least one record.
	Size() (records, bytes int)

	// Patient reports whether it is in no hurry, and may wait some time for
	// others to share their commit.
	Patient() bool

	// Overtakes reports whether it is in a hurry, may be carried out before
	// patient ones that came earlier, and is cheaper without them.
	Overtakes() bool
}

// A Queue holds the requests that wait for a committer, in order. It is bounded
// in records and in bytes; whoever finds it full waits, and is counted. All
// methods may be called concurrently.
type Queue[R Request] struct {
	maxRecords, maxBytes int
	patience             time.Duration

	waits atomic.Uint64 // how many calls of Put had to wait

	// mu guards the following.
	mu       sync.Mutex
	changed  *sync.Cond // anything below changed
	requests []R
	records  int
	bytes    int
	hurried  int  // requests that are not patient
	waiting  int  // calls of Put that wait for room
	timed    bool // a timer runs that will set due
	due      bool // patient requests have waited long enough
	woken    bool // Take is to return
	closed   bool
}

// NewQueue returns a queue that holds at most maxRecords records and maxBytes
// bytes, and in which patient requests wait up to patience for others.
func NewQueue[R Request](maxRecords, maxBytes int, patience time.Duration) *Queue[R] {
	q := &Queue[R]{maxRecords: maxRecords, maxBytes: maxBytes, patience: patience}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// Put adds a request, waiting for room, and reports whether it did: not if the
// queue is closed. What is larger than the whole queue gets in when the queue
// is empty.
func (q *Queue[R]) Put(r R) bool {
	records, bytes := r.Size()
	q.mu.Lock()
	defer q.mu.Unlock()
	full := func() bool {
		return !q.closed && q.records > 0 && (q.records+records > q.maxRecords || q.bytes+bytes > q.maxBytes)
	}
	if full() {
		q.waits.Add(1)
		q.waiting++
		q.changed.Broadcast() // nobody is patient as long as there is no room
		for full() {
			q.changed.Wait()
		}
		q.waiting--
	}
	if q.closed {
		return false
	}
	switch {
	case !r.Patient():
		q.hurried++
	case !q.timed:
		q.timed = true
		time.AfterFunc(q.patience, q.ring)
	}
	q.requests = append(q.requests, r)
	q.records += records
	q.bytes += bytes
	q.changed.Broadcast()
	return true
}

// ring ends the patience of what waits.
func (q *Queue[R]) ring() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed = false
	q.due = len(q.requests) > 0
	q.changed.Broadcast()
}

// mostPatient is how many records of patient requests are enough for a batch.
const mostPatient = 128

// Take waits for requests and appends to batch as many as are within the
// bounds, at least one. Patient ones that have waited long enough are taken until
// they have 128 records, so that what is in a hurry and comes meanwhile waits for
// no more. All are taken, in order, once there is one that is in a hurry and does
// not overtake patient ones, or somebody waits for room. Take returns with none if
// [Queue.Wake] is called and there are none, or if the queue is closed and empty;
// then open is false.
func (q *Queue[R]) Take(batch []R, maxRecords, maxBytes int) (got []R, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && !q.woken && (len(q.requests) == 0 || q.hurried == 0 && !q.due && q.waiting == 0) {
		q.changed.Wait()
	}
	want := func(R) bool { return true }
	if !q.closed && !q.woken && q.waiting == 0 && !slices.ContainsFunc(q.requests, staysBehind) {
		room := 0
		if q.due {
			room = mostPatient
		}
		want = func(r R) bool {
			if !r.Patient() {
				return true
			}
			fits := room > 0
			records, _ := r.Size()
			room -= records
			return fits
		}
	}
	q.woken = false
	batch = q.takeLocked(batch, maxRecords, maxBytes, want)
	return batch, !q.closed || len(q.requests) > 0
}

// staysBehind reports whether a request is in a hurry and yet must not come
// before those that came earlier.
func staysBehind[R Request](r R) bool { return !r.Patient() && !r.Overtakes() }

// Wake has the call of Take that is under way return, or the next one, whatever
// there is.
func (q *Queue[R]) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.woken = true
	q.changed.Broadcast()
}

// Rest takes everything that waits, without waiting.
func (q *Queue[R]) Rest() []R {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.takeLocked(nil, q.records, q.bytes, func(R) bool { return true })
}

// takeLocked takes requests that want says may be taken, up to the bounds, and
// leaves the others in their order.
func (q *Queue[R]) takeLocked(batch []R, maxRecords, maxBytes int, want func(R) bool) []R {
	n, allRecords, allBytes := 0, 0, 0
	left := q.requests[:0]
	for i, r := range q.requests {
		if !want(r) {
			left = append(left, r)
			continue
		}
		records, bytes := r.Size()
		if n > 0 && (allRecords+records > maxRecords || allBytes+bytes > maxBytes) {
			left = append(left, q.requests[i:]...)
			break
		}
		n++
		allRecords += records
		allBytes += bytes
		if !r.Patient() {
			q.hurried--
		}
		batch = append(batch, r)
	}
	clear(q.requests[len(left):])
	q.requests = left
	q.records -= allRecords
	q.bytes -= allBytes
	q.due = q.due && len(q.requests) > q.hurried
	q.changed.Broadcast()
	return batch
}

// Close lets nothing in any more. What waits can still be taken, at once.
func (q *Queue[R]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// Len returns how many records wait.
func (q *Queue[R]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.records
}

// Waits returns how many calls of Put found the queue full.
func (q *Queue[R]) Waits() uint64 { return q.waits.Load() }
