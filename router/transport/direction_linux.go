package transport

import (
	"errors"
	"os"
	"sync"
	"time"
)

// A direction is one of the two directions of a requestSocket. An HTTP server
// sets some nine deadlines for a request, of which hardly one is ever waited
// for. So they are only noted here. The socket gets one when somebody waits in
// it, and only if it has none as early; one that passes although it has been
// put off meanwhile wakes whoever waits, who then goes on waiting.
type direction struct {
	set     func(time.Time) error // sets the deadline of the socket; fixed at construction
	attempt func(fd uintptr) bool // makes the call once, and calls park if it would have to wait; fixed at construction

	op  sync.Mutex // held for a whole Read or Write; guards the following
	b   []byte
	n   int
	err error

	mu    sync.Mutex // after op; guards the following
	limit time.Time  // the deadline that was asked for; zero: none
	armed time.Time  // that of the socket; zero: none
	spent bool       // the socket's has passed, and fails every call until it is set again
	waits bool       // somebody waits in the socket, or is about to
}

// run makes the call, by attempts within f, a method of [syscall.RawConn], until
// it is done, or the deadline passes. op is held.
func (d *direction) run(f func(func(uintptr) bool) error) error {
	if err := d.begin(); err != nil {
		return err
	}
	for {
		err := f(d.attempt)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			d.awake()
			return err
		}
		if err := d.again(); err != nil {
			return err
		}
	}
}

// begin fails if the deadline has passed, as every call does then, whether it
// would have to wait or not.
func (d *direction) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passedLocked() {
		return os.ErrDeadlineExceeded
	}
	if d.spent {
		return d.armLocked()
	}
	return nil
}

// park has the socket's deadline be no later than the one that was asked for,
// from now until awake or again.
func (d *direction) park() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = true
	d.hastenLocked()
}

// awake notes that nobody waits.
func (d *direction) awake() {
	if !d.waits { // as only this goroutine sets it
		return
	}
	d.mu.Lock()
	d.waits = false
	d.mu.Unlock()
}

// again has the call go on after the socket's deadline has passed, unless that
// is what was asked for.
func (d *direction) again() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = false
	if d.passedLocked() {
		d.spent = true
		return os.ErrDeadlineExceeded
	}
	return d.armLocked()
}

// setLimit sets the deadline. It may be called at any time.
func (d *direction) setLimit(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = t
	if d.waits {
		d.hastenLocked()
	}
}

// hastenLocked gives the socket the deadline if it has none that is as early.
func (d *direction) hastenLocked() {
	if d.limit.IsZero() || !d.armed.IsZero() && !d.limit.Before(d.armed) && !d.spent {
		return
	}
	_ = d.armLocked() // fails only if closed, which whoever waits finds out
}

// armLocked gives the socket the deadline.
func (d *direction) armLocked() error {
	d.armed, d.spent = d.limit, false
	return d.set(d.limit)
}

func (d *direction) passedLocked() bool {
	return !d.limit.IsZero() && time.Until(d.limit) <= 0
}
