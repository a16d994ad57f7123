package transport_test

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// What a client did to end its session.
const (
	endGoodbye = "GOODBYE"
	endClose   = "close frame"
	endAbort   = "ABORT"
	endCut     = "cut"
	endGarbage = "garbage"
)

// patientlyWaited is how long a client waits for what must come, without a word.
const patientlyWaited = time.Minute

// life is one session, from the connection to its end.
func (sk *soak) life(rnd *rand.Rand, seat int) {
	prof := profiles[rnd.IntN(len(profiles))]
	p, err := sk.connect(rnd, sk.places[rnd.IntN(len(sk.places))], prof)
	if err != nil {
		sk.failed("connect: " + err.Error())
		return
	}
	defer p.release()
	sk.tally.lives.Add(1)
	switch n := rnd.IntN(100); {
	case n < 4: // never joins
		p.cut(cut(rnd.IntN(2)))
		return
	case n < 6: // says nothing
		p.outlast(helloTimeout, "", wamp.URITimeout)
		return
	case n < 9: // says nonsense at once
		p.garbage()
		return
	}
	if !p.hello() {
		p.judge()
		return
	}
	sk.ledger.present[seat].Store(uint64(p.id))
	defer sk.ledger.present[seat].Store(0)
	if p.rnd.IntN(4) == 0 {
		p.lag.Store(int64(time.Duration(rnd.IntN(5)) * time.Millisecond))
	}
	if p.live(time.Duration(10+rnd.ExpFloat64()*1500) * time.Millisecond) {
		p.part()
	}
	p.judge()
}

// live acts for as long, or until a checkpoint is due. It reports whether the
// session still lives.
func (p *soaker) live(length time.Duration) bool {
	if p.roam != nil {
		p.roam.calm = false
	}
	over := time.After(length)
	for {
		p.maybeArm()
		for range 1 + p.rnd.IntN(12) {
			p.act()
		}
		if p.rnd.IntN(150) == 0 {
			p.nap()
		}
		pause := time.Duration(p.rnd.IntN(80)) * time.Millisecond
		began := time.Now()
		select {
		case <-p.sk.hurried():
			return p.steady()
		case <-over:
			return p.steady()
		case <-p.gone:
			if !p.back() {
				return false
			}
		case <-p.wake:
			p.mu.Lock()
			p.answer(false)
			p.mu.Unlock()
		case <-time.After(pause):
			p.wait(relief(pause, time.Since(began)))
		}
	}
}

// relief returns how long to do nothing after a pause that took longer than it
// should, so that on a busy machine not everybody ends as slow.
func relief(pause, took time.Duration) time.Duration {
	return min(4*max(0, took-pause-2*time.Millisecond), time.Second)
}

// nap reads nothing for a while.
func (p *soaker) nap() {
	p.mu.Lock()
	p.end.stalled = true
	p.trace.remark("stops reading")
	p.mu.Unlock()
	stall := make(chan struct{})
	p.stall.Store(&stall)
	for range 1 + p.rnd.IntN(10) {
		select {
		case <-p.sk.hurried():
		case <-p.gone:
		case <-time.After(time.Duration(p.rnd.IntN(150)) * time.Millisecond):
			p.act()
			continue
		}
		break
	}
	p.stall.Store(nil)
	close(stall)
}

// part ends the session in one of many ways.
func (p *soaker) part() {
	p.lag.Store(0)
	n := p.rnd.IntN(100)
	if p.sk.isHurried() {
		n = p.rnd.IntN(70)
	}
	switch {
	case n < 30:
		if p.settle() {
			p.goodbye()
		}
	case n < 40:
		p.goodbye()
	case n < 50:
		p.close()
	case n < 55:
		p.cut(cutFIN)
	case n < 60:
		p.cut(cutRST)
	case n < 63:
		p.cut(cutHalf)
		p.awaitEnd("the client closed its direction")
	case n < 66: // in the middle of a frame
		p.wire.queueRaw(p.framed(strings.Repeat("x", 3000))[:1+p.rnd.IntN(2000)])
		p.wait(time.Duration(p.rnd.IntN(20)) * time.Millisecond)
		p.cut(cut(p.rnd.IntN(2)))
	case n < 70:
		p.abort()
	case n < 76:
		p.halfOpen()
	case n < 80:
		p.deaf()
	default:
		p.garbage()
	}
}

func (p *soaker) ends(how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.ours == "" {
		p.end.ours = how
	}
	p.trace.remark("%s", how)
}

func (p *soaker) cut(how cut) {
	p.ends(endCut)
	p.wire.cut(how)
}

// goodbye leaves as WAMP has it, and wants its GOODBYE and close frame.
func (p *soaker) goodbye() {
	p.ends(endGoodbye)
	p.mu.Lock()
	p.send(&wamp.Goodbye{Reason: wamp.URICloseRealm})
	p.mu.Unlock()
	if !p.awaitEnd("GOODBYE was said") {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.end.goodbye == wamp.URIGoodbyeAndOut && (p.wire.bare || p.end.code == 1000):
	case p.excused(): // it was ended by the router at the same time
	default:
		p.fail("GOODBYE was not answered")
	}
}

// close leaves as WebSocket has it.
func (p *soaker) close() {
	if p.wire.bare {
		p.cut(cutFIN)
		return
	}
	p.ends(endClose)
	p.wire.queue(fin|clos, []byte(status(1001, "page left")))
	if !p.awaitEnd("a close frame was sent") {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.code != 1001 && !p.excused() {
		p.fail("the close frame was not answered")
	}
}

func (p *soaker) abort() {
	p.ends(endAbort)
	p.mu.Lock()
	p.send(&wamp.Abort{Reason: "soak.error.abort"})
	p.mu.Unlock()
	p.awaitEnd("ABORT was said")
}

// awaitEnd waits for the connection's end, which must come.
func (p *soaker) awaitEnd(why string) bool {
	for w := (waiting{p: p, began: time.Now()}); ; {
		select {
		case <-p.gone:
			w.done()
			return true
		case <-time.After(time.Second):
		}
		p.mu.Lock()
		lost := w.overdue(func() string { return why + ": " + p.stateLocked(0) })
		if lost {
			p.fail("the connection is still open %v after %s; after %v: %s", patientlyWaited+longLost, why, patientlyWaited, w.late)
		}
		p.mu.Unlock()
		if lost {
			return false
		}
	}
}

// halfOpen reads and writes nothing any more, as when a cable is pulled. The
// router must end the session meanwhile.
func (p *soaker) halfOpen() {
	p.mu.Lock()
	p.end.stalled = true
	p.trace.remark("half-open from now on")
	p.mu.Unlock()
	p.wire.stop()
	stall := make(chan struct{})
	p.stall.Store(&stall)
	select {
	case <-p.sk.hurried():
		p.cut(cutRST)
		return
	case <-time.After(pingInterval + pingTimeout + writeTimeout + goodbyeTimeout + time.Second):
	}
	p.stall.Store(nil)
	close(stall)
	p.awaitEnd("it read and wrote nothing for a long time")
	p.sk.tally.halfOpen.Add(1)
}

// deaf answers no pings any more, and sends nothing else.
func (p *soaker) deaf() {
	p.mu.Lock()
	p.mute = true
	p.trace.remark("answers no pings from now on")
	p.mu.Unlock()
	p.outlast(pingInterval+pingTimeout, wamp.URINetworkFailure, "")
}

// outlast waits until the router ends the session by itself, and wants
// GOODBYE or ABORT to say so.
func (p *soaker) outlast(due time.Duration, goodbye, abort wamp.URI) {
	began := time.Now()
	select {
	case <-p.sk.hurried():
		p.cut(cutFIN)
		return
	case <-p.gone:
	case <-time.After(due + patientlyWaited + longLost):
		p.complain("the session should have been ended within %v", due)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.goodbye != goodbye || p.end.abort != abort {
		if !p.excused() {
			p.fail("after %v: want GOODBYE %q, ABORT %q", time.Since(began), goodbye, abort)
		}
	}
}

// judge looks at how a session ended that the client did not end.
func (p *soaker) judge() {
	select {
	case <-p.gone:
	default:
		return // it is open, and will be cut
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.ours == "" && !p.end.violated && !p.excused() {
		p.fail("the session ended, and nobody says why")
	}
}

// excused reports whether the router ended the session for a reason that it
// counts: the peer was slow, or seemed dead; or because its HELLO was late,
// which on a busy machine it can be.
func (p *soaker) excused() bool {
	t := &p.sk.tally
	var count *atomic.Int64
	switch {
	case p.end.goodbye == wamp.URISlowConsumer:
		count = &t.slow
	case p.end.goodbye == wamp.URINetworkFailure, !p.joined && p.end.abort == wamp.URINetworkFailure:
		count = &t.silent
	case !p.joined && p.end.abort == wamp.URITimeout:
		count = &t.late
	case p.end.goodbye == "" && p.end.abort == "" && p.end.code < 0:
		count = &t.abrupt
	default:
		return false
	}
	if !p.end.counted {
		p.end.counted = true
		count.Add(1)
	}
	return true
}
