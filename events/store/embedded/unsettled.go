package embedded

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// unsettled says of which logs there is something in the journal that is not in
// the store's file yet, and has those who want to read these logs. Its methods
// may be called concurrently.
type unsettled struct {
	mu       sync.Mutex
	classes  map[string]struct{}
	readings []*reading
	closed   bool // nobody serves readings any more
}

// A reading is somebody who waits to read a log.
type reading struct {
	fn    func(tx *bolt.Tx) error
	begun atomic.Bool // fn is called, or never will be
	done  chan error  // what fn returned, or errSettled; has room for it
}

// errSettled says that a reading was not carried out, as a read transaction has
// everything now.
var errSettled = errors.New("settled")

// mark notes that the logs of a transaction are not in the store's file.
func (u *unsettled) mark(logs map[string]*logTxn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for class, l := range logs {
		if l.dirty {
			if u.classes == nil {
				u.classes = make(map[string]struct{})
			}
			u.classes[class] = struct{}{}
		}
	}
}

// clear notes that everything is in the store's file.
func (u *unsettled) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.classes)
}

// wait adds a reading of a class. It returns nil if the store's file has
// everything of it.
func (u *unsettled) wait(class string, fn func(tx *bolt.Tx) error) *reading {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.classes[class]; !ok || u.closed {
		return nil
	}
	r := &reading{fn: fn, done: make(chan error, 1)}
	u.readings = append(u.readings, r)
	return r
}

// take takes the readings.
func (u *unsettled) take() []*reading {
	u.mu.Lock()
	defer u.mu.Unlock()
	readings := u.readings
	u.readings = nil
	return readings
}

// close takes the last readings.
func (u *unsettled) close() []*reading {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	return u.take()
}

// viewClass runs fn in a transaction that has all of a log that was
// acknowledged.
func (s *Store) viewClass(ctx context.Context, class string, fn func(tx *bolt.Tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	r := s.unsettled.wait(class, fn)
	if r == nil {
		return s.view(fn)
	}
	s.queue.Wake()
	var err error
	select {
	case err = <-r.done:
	case <-ctx.Done():
		if r.begun.CompareAndSwap(false, true) {
			return context.Cause(ctx)
		}
		err = <-r.done
	}
	if errors.Is(err, errSettled) {
		return s.view(fn)
	}
	return s.explain("read", err)
}
