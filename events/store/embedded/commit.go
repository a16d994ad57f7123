package embedded

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

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
	for open := true; open; {
		clear(batch)
		batch, open = s.queue.Take(batch[:0], s.config.BatchRecords, s.config.BatchBytes)
		var err error
		if slices.ContainsFunc(batch, writes) { // an empty transaction would cost syncs as well
			err = s.write(batch)
		}
		finish(batch, err)
		s.attend(open)
	}
	s.conclude()
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

// write makes a batch durable: in the journal if it can be there, and in the
// store's file if not, with all that is in the journal.
func (s *Store) write(batch []request) error {
	appended := 0
	err := s.guard(func() error {
		if err := s.begin(); err != nil {
			return err
		}
		tx := s.tail.tx
		tx.appended, tx.made, tx.batch = 0, false, tx.batch[:0]
		for _, r := range batch {
			if err := r.apply(tx); err != nil {
				return s.rollback(err)
			}
		}
		if err := tx.flush(); err != nil {
			return s.rollback(err)
		}
		appended = tx.appended
		switch {
		case slices.ContainsFunc(batch, changes) || tx.made:
			return s.settle()
		case appended == 0 && s.tail.records == 0:
			return s.rollback(nil) // all of it was there
		case appended == 0:
			return nil
		case !s.tail.fits(tx):
			return s.settle()
		}
		return s.note()
	})
	err = s.report(s.explain("write", err))
	if err == nil {
		s.records.Add(uint64(appended))
	}
	return err
}

// changes reports whether a request needs more than the journal.
func changes(r request) bool { return !r.Overtakes() }

// guard runs fn, which writes. It does not survive a panic of bbolt's before
// the transaction began, as bbolt then holds its locks and everybody would wait
// for ever: better to end, and to say why.
func (s *Store) guard(fn func() error) (err error) {
	if s.broken.Load() {
		return errDamaged
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case s.tail.tx == nil:
			panic(fmt.Sprintf("store file %s %v: %v", s.path, errDamaged, p))
		default:
			s.broken.Store(true)
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return fn()
}

// report counts an error, says in the log when writing begins to fail, and when
// it works again, and returns the error.
func (s *Store) report(err error) error {
	switch {
	case err != nil:
		s.failures.Add(1)
		if !s.failing { // once, not for every publisher that tries
			s.log.Error("cannot write the store file", "err", err)
		}
	case s.failing:
		s.log.Info("the store file can be written again", "path", s.path)
	}
	s.failing = err != nil
	return err
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
func (c *change) Overtakes() bool            { return false }
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
