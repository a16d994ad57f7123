//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lookEvery is how often the server's side of the stalled connections is
// looked at.
const lookEvery = 20 * time.Millisecond

// A feeder is the session that publishes to the stalled subscriber, or
// calls the stalled callee. It does not care what becomes of that.
type feeder struct {
	peer    *peer
	message *template
	number  uint64
	nextID  uint64
	buf     []byte
}

// openFeeder makes s the feeder.
func (st *stall) openFeeder(s *session) error {
	f := &feeder{nextID: s.nextID}
	if st.kind == stallSubscriber {
		f.message = newTemplate(s.ser, st.feed, codePublish, dict{}, st.feedTopic())
	} else {
		f.message = newTemplate(s.ser, st.feed, codeCall, dict{}, st.feedTopic())
	}
	var err error
	f.peer, err = st.swarm.attach(s, 0, sink{})
	st.feeder = f
	return err
}

// interrupted reports whether the server has ended the call for progressive
// results. The session of who made it is over then, though its connection may
// stay for a while.
func (st *stall) interrupted() bool {
	p := st.calleePeer
	p.loop.mu.Lock()
	defer p.loop.mu.Unlock()
	return st.callee.interrupted
}

// forgetFeed makes the callee wait for another call for progressive results.
func (st *stall) forgetFeed() {
	p := st.calleePeer
	p.loop.mu.Lock()
	defer p.loop.mu.Unlock()
	st.callee.feeding, st.callee.interrupted = 0, false
}

// feedOnce sends what was due at that time to the peer that is fed, by
// whoever does that, and reports whether it could.
func (st *stall) feedOnce(v *victim, phase byte, due int64) bool {
	switch st.kind {
	case stallResults:
		return v.ask(phaseLarge)
	case stallProgress:
		p := st.calleePeer
		p.loop.mu.Lock()
		defer p.loop.mu.Unlock()
		return st.callee.next(p)
	}
	f := st.feeder
	f.peer.loop.mu.Lock()
	defer f.peer.loop.mu.Unlock()
	f.nextID++
	f.number++
	stampPayload(st.feed, phase, f.number, due)
	f.buf = f.message.append(f.buf[:0], f.nextID, st.feed)
	return f.peer.send(f.buf)
}

// keepFeeding feeds one peer after the other until ctx is done. The last one,
// and those whose connections the server has not ended, are in r.open then.
func (st *stall) keepFeeding(ctx context.Context, r *stallRun, phase byte, reads bool) error {
	for {
		v, err := st.openVictim(ctx, reads)
		if err != nil {
			if ctx.Err() != nil {
				return nil // the run is over
			}
			return fmt.Errorf("the peer to be fed: %w", err)
		}
		r.open = append(r.open, v)
		if !st.feedUntil(ctx, v, r, phase) {
			r.longest = time.Since(r.open[0].began)
			return nil
		}
		if reads {
			return errors.New("the server ended the session of a peer that reads")
		}
	}
}

// feedUntil feeds a peer until ctx is done, or its session has ended: then it
// reports true.
func (st *stall) feedUntil(ctx context.Context, v *victim, r *stallRun, phase byte) bool {
	gap := every(st.load.feedRate)
	next, look := clock(), clock()
	for {
		next += int64(gap)
		if d := time.Duration(next - clock()); d > 0 && pause(ctx, d) != nil || ctx.Err() != nil {
			return false
		}
		r.due++
		if st.feedOnce(v, phase, next) {
			r.fed++
		}
		if now := clock(); now-look > int64(lookEvery) {
			look = now
			r.look()
			if !slices.Contains(r.open, v) || st.kind == stallProgress && st.interrupted() {
				return true
			}
		}
	}
}

// look notes whose connections the server has ended.
func (r *stallRun) look() {
	r.open = slices.DeleteFunc(r.open, func(v *victim) bool {
		if !v.ended() {
			return false
		}
		r.ended = append(r.ended, time.Since(v.began))
		v.close()
		return true
	})
}

// closeAll closes the connections that are left.
func (r *stallRun) closeAll() {
	for _, v := range r.open {
		v.close()
	}
}
