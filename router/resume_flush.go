package router

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"time"
)

// A Pinger is a [Link] that can ask its peer for a sign that all before it has
// arrived. Who learns of the answer calls [Session.Pong].
type Pinger interface {
	// PingFrame returns a framed ping with the data, of at most 16 bytes, or
	// nil if this peer must not be sent any. wanted says that the peer has
	// asked for what cannot be had without pings: of a kind of which not every
	// peer knows them, this one does. It may be called by any goroutine, also
	// while the session's queue is locked.
	PingFrame(data []byte, wanted bool) []byte
}

// askAfter is behind how many messages an answer is asked for, if they are not
// a quarter of what may be kept before.
const askAfter = 256

// pingMark begins the data of the pings that ask what has arrived, so that they
// are not taken for others. The number of a message follows.
const pingMark = "wireroom"

func markPing(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(pingMark), number)
}

func markedNumber(data []byte) (uint64, bool) {
	if len(data) != len(pingMark)+8 || string(data[:len(pingMark)]) != pingMark {
		return 0, false
	}
	return binary.BigEndian.Uint64(data[len(pingMark):]), true
}

// A flight is what a session that can be resumed has to be written next.
type flight struct {
	seat   *seat // for which it is
	bufs   [][]byte
	own    []int // of bufs, which are no messages but the link's own
	gaps   []gap
	size   int  // of bufs
	charge int  // bytes that count in the outbox until this is written
	last   bool // nothing will ever follow, and there is nothing
}

// flush is [Session.flush].
func (l *lasting) flush(bufs [][]byte) [][]byte {
	s := l.session
	for charge, round := 0, 0; ; round++ {
		if round == flushRounds {
			s.out.wrote(charge)
			s.router.flushers.add(s)
			return bufs
		}
		b := l.take(bufs[:0], charge)
		if bufs = b.bufs; len(bufs) == 0 {
			l.flushed(&b)
			return bufs
		}
		charge = b.charge
		n, err := b.seat.link.TryWrite(bufs)
		switch {
		case err != nil:
			l.broke(b.seat, err) // and see who sits now
		case n < b.size:
			rest := append([][]byte(nil), skip(bufs, n)...)
			s.router.wg.Go(func() { l.drain(rest, b.seat, b.charge) })
			clear(bufs)
			return bufs
		}
		clear(bufs)
	}
}

// drain is [Session.drain].
func (l *lasting) drain(bufs [][]byte, st *seat, charge int) {
	s := l.session
	for {
		if err := st.link.Write(bufs, time.Now().Add(s.router.cfg.WriteTimeout)); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.router.stats.writeTimeouts.Add(1)
			}
			l.broke(st, err)
		}
		b := l.take(bufs[:0], charge)
		if bufs, st, charge = b.bufs, b.seat, b.charge; len(bufs) == 0 {
			l.flushed(&b)
			return
		}
	}
}

// flushed is called when the duty to flush has ended or is parked.
func (l *lasting) flushed(b *flight) {
	if b.last {
		b.seat.link.Finish(l.session.router.cfg.GoodbyeTimeout)
	}
}

// take takes what is next to be written, ready for the link of who sits.
// written is what of the last flight counted in the outbox.
func (l *lasting) take(dst [][]byte, written int) flight {
	b := l.takeFrames(dst, written)
	if b.seat == nil {
		return b
	}
	s, from, to := l.session, l.session.peer.Framing, b.seat.peer.Framing
	for _, g := range b.gaps {
		b.bufs[g.at] = s.marked(b.bufs[g.at], g.missed)
	}
	if from != to {
		for i, frame := range b.bufs {
			if !slices.Contains(b.own, i) {
				msg := from.Open(frame)
				buf := make([]byte, to.Headroom, to.Headroom+len(msg))
				b.bufs[i] = to.Seal(append(buf, msg...), s.peer.Serializer)
			}
		}
	}
	for i, frame := range b.bufs {
		b.size += len(frame)
		if s.traffic != nil && !slices.Contains(b.own, i) {
			s.traffic.sent(b.bufs[i : i+1])
		}
	}
	return b
}

func (l *lasting) takeFrames(dst [][]byte, written int) (b flight) {
	b.bufs = dst
	o := &l.session.out
	o.mu.Lock()
	st := l.seat
	o.wroteLocked(written)
	switch {
	case st == nil:
		l.parked = true
		o.mu.Unlock()
		return b
	case st.parted:
		l.parked = true
		o.mu.Unlock()
		l.farewell(st)
		return b
	}
	defer o.mu.Unlock()
	b.seat = st
	if st.parting != nil {
		st.parted = true
		b.addOwn(st.parting)
		return b
	}
	if st.first != nil {
		b.addOwn(st.first)
		st.first = nil
	}
	size := l.takeAgain(&b)
	if l.kept.next == len(l.kept.messages) {
		l.takeNew(&b, size)
	}
	if len(b.bufs) > 0 {
		l.ask(&b)
		return b
	}
	if b.last = o.closed; !b.last {
		o.duty = nobody
	}
	return b
}

func (b *flight) addOwn(frame []byte) {
	b.own = append(b.own, len(b.bufs))
	b.bufs = append(b.bufs, frame)
}

func (b *flight) add(m keptMessage) {
	if m.missed > 0 {
		b.gaps = append(b.gaps, gap{at: len(b.bufs), missed: m.missed})
	}
	b.bufs = append(b.bufs, m.frame)
	b.charge += len(m.frame)
}

// takeAgain takes what was taken for a seat before.
func (l *lasting) takeAgain(b *flight) (size int) {
	o, k := &l.session.out, &l.kept
	for ; k.next < len(k.messages); k.next++ {
		m := k.messages[k.next]
		if size > 0 && size+len(m.frame) > takeBytes {
			break
		}
		b.add(m)
		o.bytes += len(m.frame)
		size += len(m.frame)
	}
	return size
}

// takeNew takes what waits in the outbox, and keeps it.
func (l *lasting) takeNew(b *flight, size int) {
	o := &l.session.out
	n := 0
	for i := range o.entries {
		e := &o.entries[i]
		if size > 0 && size+len(e.frame) > takeBytes {
			break
		}
		n++
		switch m := e.member; {
		case e.frame == nil:
			if m != nil {
				m.missed += e.key
			}
		case m == nil && e.key != 0:
			if e.key == b.seat.number {
				b.addOwn(e.frame)
				b.charge += len(e.frame)
				size += len(e.frame)
			} else {
				o.bytes -= len(e.frame) // its connection is gone
			}
		default:
			message := keptMessage{frame: e.frame}
			if m != nil && m.missed > 0 {
				message.missed, m.missed = m.missed, 0
			}
			if e.mayDrop() {
				o.loose -= len(e.frame)
			}
			size += len(e.frame)
			b.add(message)
			if n := l.kept.add(message, l.cfg.Bytes); n > 0 {
				l.session.router.stats.resumeGivenUp.Add(uint64(n))
			}
		}
	}
	o.tookLocked(n)
}

// ask adds a ping to the flight, if much is not known to have arrived, or if
// there is another ping anyway.
func (l *lasting) ask(b *flight) {
	k, st := &l.kept, b.seat
	if l.session.out.closed {
		return // nobody can resume it, and nothing may follow the connection's end
	}
	if st.asked != 0 || k.next == 0 || len(b.own) == 0 && k.bytes < l.cfg.Bytes/4 && len(k.messages) < askAfter {
		return
	}
	p, ok := st.link.(Pinger)
	if !ok {
		return
	}
	if ping := p.PingFrame(markPing(k.taken()), false); ping != nil {
		st.asked = k.taken()
		b.addOwn(ping)
	}
}

// farewell leaves the connection to its peer to close, which has begun to, and
// the session without one.
func (l *lasting) farewell(st *seat) {
	st.link.Finish(l.session.router.cfg.GoodbyeTimeout)
	then := nothing
	l.mu.Lock()
	if l.seat == st {
		l.vacateLocked()
		then = l.goAwayLocked()
	}
	l.mu.Unlock()
	then()
}
