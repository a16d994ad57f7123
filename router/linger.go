package router

import (
	"sync"
	"time"
)

// Lanes hold the sessions whose events may wait for company, by how long they
// may. Those of a lane are due in the order in which they came.
type lanes struct {
	flushers *flushers

	mu     sync.Mutex // guards the following
	byTime map[time.Duration]*lane
	closed bool
}

// A lane is bounded: a session stands in it once for each time that its events
// began to wait, which is at most once in the lane's time, and once more for
// each shorter lane in that.
type lane struct {
	lanes  *lanes
	linger time.Duration

	mu       sync.Mutex // guards the following
	sessions []*Session
	batches  []batch // the same sessions, by when they are due
	timer    *time.Timer
	armed    bool       // the timer will fire, or lapse runs
	closed   bool       // the timer is not started any more
	spare    []*Session // memory for those that are due
}

type batch struct {
	due time.Time
	n   int
}

func (l *lanes) init(f *flushers) {
	l.flushers = f
	l.byTime = make(map[time.Duration]*lane)
}

// add has the sessions flushed after the time, unless somebody does so before.
func (l *lanes) add(linger time.Duration, sessions []*Session) {
	l.mu.Lock()
	ln := l.byTime[linger]
	if ln == nil {
		ln = &lane{lanes: l, linger: linger}
		l.byTime[linger] = ln
	}
	ln.mu.Lock() // before lanes.mu is given up, or close could pass in between
	closed := l.closed
	l.mu.Unlock()
	if !closed {
		ln.addLocked(sessions)
	}
	ln.mu.Unlock()
}

// close stops the timers. Nobody stands in a lane any more who was not flushed.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, ln := range l.byTime {
		ln.mu.Lock()
		stopTimer(ln.timer)
		ln.closed = true
		ln.mu.Unlock()
	}
}

func (ln *lane) addLocked(sessions []*Session) {
	ln.sessions = append(ln.sessions, sessions...)
	ln.batches = append(ln.batches, batch{time.Now().Add(ln.linger), len(sessions)})
	switch {
	case ln.armed:
	case ln.timer == nil:
		ln.timer = time.AfterFunc(ln.linger, ln.lapse)
	default:
		ln.timer.Reset(ln.linger)
	}
	ln.armed = true
}

// lapse flushes the sessions that are due. It is the timer's goroutine; there
// is one at a time.
func (ln *lane) lapse() {
	due := ln.take()
	kept := due[:0]
	for _, s := range due {
		if s.out.lapse(ln.linger) {
			kept = append(kept, s)
		}
	}
	if len(kept) > 0 {
		ln.lanes.flushers.add(kept...)
	}
	clear(due)
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.spare = due[:0]
	if ln.armed = len(ln.batches) > 0 && !ln.closed; ln.armed {
		ln.timer.Reset(time.Until(ln.batches[0].due))
	}
}

// take removes the batches that are due.
func (ln *lane) take() []*Session {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	now := time.Now()
	n, batches := 0, 0
	for _, b := range ln.batches {
		if b.due.After(now) {
			break
		}
		n += b.n
		batches++
	}
	due := append(ln.spare, ln.sessions[:n]...)
	ln.spare = nil
	ln.sessions = shift(ln.sessions, n)
	ln.batches = shift(ln.batches, batches)
	return due
}

// shift removes the first n items.
func shift[T any](list []T, n int) []T {
	kept := copy(list, list[n:])
	clear(list[kept:])
	return list[:kept]
}
