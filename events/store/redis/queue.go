package redis

import (
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/events"
)

// A request is one call of Append.
type request struct {
	records []events.Record
	bytes   int
	done    func(results []events.Appended, err error)
}

// size is how many records and bytes a request counts as.
func (r *request) size() (records, bytes int) { return max(1, len(r.records)), r.bytes }

// A queue holds what waits for the committer.
type queue struct {
	maxRecords, maxBytes int

	waits atomic.Uint64 // how many calls of put had to wait

	// mu guards the following.
	mu       sync.Mutex
	changed  *sync.Cond // anything below changed
	requests []*request
	records  int
	bytes    int
	closed   bool
}

func newQueue(c Config) *queue {
	q := &queue{maxRecords: c.QueueRecords, maxBytes: c.QueueBytes}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// put adds a request, waiting for room, and reports whether it did: not if the
// queue is closed. What is larger than the whole queue gets in when the queue
// is empty.
func (q *queue) put(r *request) bool {
	records, bytes := r.size()
	q.mu.Lock()
	defer q.mu.Unlock()
	full := func() bool {
		return !q.closed && q.records > 0 && (q.records+records > q.maxRecords || q.bytes+bytes > q.maxBytes)
	}
	if full() {
		q.waits.Add(1)
	}
	for full() {
		q.changed.Wait()
	}
	if q.closed {
		return false
	}
	q.requests = append(q.requests, r)
	q.records += records
	q.bytes += bytes
	q.changed.Broadcast()
	return true
}

// take waits for requests and appends to batch as many as are within the
// bounds, at least one. It returns none if the queue is closed and empty.
func (q *queue) take(batch []*request, maxRecords, maxBytes int) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.requests) == 0 && !q.closed {
		q.changed.Wait()
	}
	return q.takeLocked(batch, maxRecords, maxBytes)
}

// rest takes everything that waits.
func (q *queue) rest() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.takeLocked(nil, q.records, q.bytes)
}

func (q *queue) takeLocked(batch []*request, maxRecords, maxBytes int) []*request {
	n, allRecords, allBytes := 0, 0, 0
	for _, r := range q.requests {
		records, bytes := r.size()
		if n > 0 && (allRecords+records > maxRecords || allBytes+bytes > maxBytes) {
			break
		}
		n++
		allRecords += records
		allBytes += bytes
	}
	batch = append(batch, q.requests[:n]...)
	clear(q.requests[:n])
	q.requests = q.requests[n:]
	q.records -= allRecords
	q.bytes -= allBytes
	q.changed.Broadcast()
	return batch
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// length returns how many records wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.records
}
