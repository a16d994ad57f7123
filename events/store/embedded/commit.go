package embedded

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// A request is something to be written. Its methods are called by the
// committer.
type request interface {
	storekit.Request

	// apply writes it. It is called once. An error is the file's fault, not
	// that of the request, and ends the whole transaction.
	apply(tx *txn) error

	// finish is called once, when the commit succeeded or failed.
	finish(err error)
}

// commit is the committer. It ends when the queue is closed and empty.
func (s *Store) commit() {
	var batch []request
	var arena []byte
	failing := false
	for {
		clear(batch)
		batch = s.queue.Take(batch[:0], s.config.BatchRecords, s.config.BatchBytes)
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
	if !s.queue.Put(r) {
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

func (c *change) Size() (records, bytes int) { return c.records, c.bytes }
func (c *change) Patient() bool              { return c.calm }
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
