package embedded

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
)

// A request is something to be written. Its methods are called by the
// committer.
type request interface {
	// size is how many records and bytes it counts as; at least one record.
	size() (records, bytes int)

	// patient reports whether it is in no hurry, and may wait some time for
	// others to share their commit.
	patient() bool

	// apply writes it. It is called once. An error is the file's fault, not
	// that of the request, and ends the whole transaction.
	apply(tx *txn) error

	// finish is called once, when the commit succeeded or failed.
	finish(err error)
}

// A queue holds what waits for the committer.
type queue struct {
	maxRecords, maxBytes int
	patience             time.Duration // how long a patient request waits for others

	waits atomic.Uint64 // how many calls of put had to wait

	// mu guards the following.
	mu       sync.Mutex
	changed  *sync.Cond // anything below changed
	requests []request
	records  int
	bytes    int
	hurried  int  // requests that are not patient
	waiting  int  // calls of put that wait for room
	timed    bool // a timer runs that will set due
	due      bool // patient requests have waited long enough
	closed   bool
}

func newQueue(c Config) *queue {
	q := &queue{maxRecords: c.QueueRecords, maxBytes: c.QueueBytes, patience: c.Patience}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// put adds a request, waiting for room, and reports whether it did: not if the
// queue is closed. What is larger than the whole queue gets in when the queue
// is empty.
func (q *queue) put(r request) bool {
	records, bytes := r.size()
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
	case !r.patient():
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
func (q *queue) ring() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed = false
	q.due = len(q.requests) > 0
	q.changed.Broadcast()
}

// take waits for requests and appends as many to batch as fit in one commit:
// patient ones too, once there is one that is not, or they have waited long
// enough, or somebody waits for room. It returns none if the queue is closed
// and empty.
func (q *queue) take(batch []request, maxRecords, maxBytes int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (len(q.requests) == 0 || q.hurried == 0 && !q.due && q.waiting == 0) {
		q.changed.Wait()
	}
	n, allRecords, allBytes := 0, 0, 0
	for _, r := range q.requests {
		records, bytes := r.size()
		if n > 0 && (allRecords+records > maxRecords || allBytes+bytes > maxBytes) {
			break
		}
		n++
		allRecords += records
		allBytes += bytes
		if !r.patient() {
			q.hurried--
		}
	}
	batch = append(batch, q.requests[:n]...)
	clear(q.requests[:n])
	q.requests = q.requests[n:]
	q.records -= allRecords
	q.bytes -= allBytes
	q.due = q.due && len(q.requests) > 0
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

// commit is the committer. It ends when the queue is closed and empty.
func (s *Store) commit() {
	var batch []request
	var arena []byte
	failing := false
	for {
		clear(batch)
		batch = s.queue.take(batch[:0], s.config.BatchRecords, s.config.BatchBytes)
		if len(batch) == 0 {
			return
		}
		if !slices.ContainsFunc(batch, writes) {
			finish(batch, nil) // an empty transaction would cost two syncs as well
			continue
		}
		tx := &txn{arena: arena[:0]}
		err := s.write(tx, batch)
		arena = tx.arena
		switch {
		case err != nil:
			s.failures.Add(1)
			if !failing { // once, not for every publisher that tries
				s.log.Error("cannot write the store file", "err", err)
			}
		case failing:
			s.log.Info("the store file can be written again", "path", s.path)
		}
		failing = err != nil
		if err == nil {
			s.commits.Add(1)
			s.records.Add(tx.appended)
		}
		finish(batch, err)
	}
}

// writes reports whether a request has anything to write.
func writes(r request) bool {
	a, ok := r.(*appendRequest)
	return !ok || len(a.records) > 0
}

func finish(batch []request, err error) {
	for _, r := range batch {
		r.finish(err)
	}
}

// write writes a batch in one transaction. It does not survive a panic of
// bbolt's before the transaction began, as bbolt then holds its locks and
// everybody would wait for ever: better to end, and to say why.
func (s *Store) write(tx *txn, batch []request) (err error) {
	if s.broken.Load() {
		return s.explain("write", errDamaged)
	}
	begun := false
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case !begun:
			panic(fmt.Sprintf("store file %s %v: %v", s.path, errDamaged, p))
		default:
			s.broken.Store(true)
			err = s.explain("write", fmt.Errorf("%w: %v", errDamaged, p))
		}
	}()
	return s.explain("write", s.db.Update(func(btx *bolt.Tx) error {
		begun = true
		tx.Tx = btx
		for _, r := range batch {
			if err := r.apply(tx); err != nil {
				return err
			}
		}
		return tx.flush()
	}))
}

// submit queues a request. If the store is closed it finishes it at once.
func (s *Store) submit(r request) {
	if !s.queue.put(r) {
		r.finish(fmt.Errorf("%w: store file %s", events.ErrClosed, s.path))
	}
}

// A change is a request that somebody waits for.
type change struct {
	fn      func(tx *txn) error
	done    chan error // one value; never closed
	records int        // what it counts as
	bytes   int
	calm    bool // it is patient
}

func (c *change) size() (records, bytes int) { return c.records, c.bytes }
func (c *change) patient() bool              { return c.calm }
func (c *change) apply(tx *txn) error        { return c.fn(tx) }
func (c *change) finish(err error)           { c.done <- err }

// update runs fn in a write transaction that it may share with others, and
// returns when that is durable. fn fails only if the file does.
func (s *Store) update(ctx context.Context, fn func(tx *txn) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c := &change{fn: fn, done: make(chan error, 1), records: 1, bytes: 256}
	s.submit(c)
	return c.wait(ctx)
}

// wait returns when a change is durable, or has failed.
func (c *change) wait(ctx context.Context) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
