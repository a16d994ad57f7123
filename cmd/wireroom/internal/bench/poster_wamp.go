//go:build linux

package bench

// A wampPoster keeps publications under way over a session: whenever one is
// acknowledged it makes the next. It belongs to its loop.
type wampPoster struct {
	event   *template
	payload []byte
	buf     []byte
	nextID  uint64
	pending map[uint64]int64 // when publications under way were written
}

// next publishes.
func (w *wampPoster) next(p *peer, now int64) {
	w.nextID++
	w.pending[w.nextID] = now
	w.buf = w.event.append(w.buf[:0], w.nextID, w.payload)
	p.queue(w.buf)
}

func (w *wampPoster) receive(p *peer, code uint64, rest, msg []byte, now int64) {
	l := p.loop
	if code == codeError {
		_, rest, _ = p.ser.readUint(rest) // the type of the request
	}
	id, _, ok := p.ser.readUint(rest)
	began, known := w.pending[id]
	if !ok || !known || code != codePublished && code != codeError {
		l.fail(unexpected(p.ser, msg))
		return
	}
	delete(w.pending, id)
	if code == codeError {
		l.fail(unexpected(p.ser, msg))
	} else {
		l.latency.record(now - began)
		l.measured++
		l.last = now
	}
	w.next(p, now)
}
