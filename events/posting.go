package events

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A posting is what is published in one go: one event or a batch. It is owned
// by the publisher until it is appended, then by the store until it is ready,
// then by the deliverer until done is called.
type posting struct {
	entries []admitted
	records []Record // of those entries whose class is retained, in order
	bytes   int      // of all data
	line    *Line    // that it keeps its order in; may be nil
	single  bool     // one event, which can still be refused when it is its turn
	done    func()   // called once receipts or err are there

	results  []Appended // for each of records
	receipts []Receipt  // for each of entries
	err      error

	ids map[idOf][]byte // the data of ids that were given, for finding conflicts

	// A posting of one event, the common case, has these in itself.
	oneEntry   [1]admitted
	oneRecord  [1]Record
	oneResult  [1]Appended
	oneReceipt [1]Receipt
}

// An idOf is the id of an event in a class.
type idOf struct{ class, id string }

// newPosting returns a posting of one event.
func newPosting(a admitted) *posting {
	p := new(posting)
	p.entries, p.records = p.oneEntry[:0], p.oneRecord[:0]
	p.results, p.receipts = p.oneResult[:0], p.oneReceipt[:0]
	p.add(a)
	return p
}

func (p *posting) add(a admitted) {
	p.entries = append(p.entries, a)
	p.bytes += len(a.event.Data)
	if a.member.log != nil {
		p.records = append(p.records, Record{
			Class:   a.event.Class,
			Channel: a.channel,
			ID:      a.event.ID,
			IDGiven: a.given,
			Time:    a.event.Time,
			Data:    a.event.Data,
			Keep:    a.member.class.Retain(),
		})
	}
}

// conflict returns an error if an event has the id of another one in the
// posting, or of an earlier one of a class that is not retained, and other
// data. The store finds the rest.
func (p *posting) conflict(a admitted) error {
	e := a.event
	if a.member.log == nil && a.member.window.look(e.ID, e.Data, e.Time) == conflicting {
		return &ConflictError{Class: e.Class, ID: e.ID}
	}
	if p.ids == nil {
		p.ids = make(map[idOf][]byte)
	}
	key := idOf{e.Class, e.ID}
	if data, ok := p.ids[key]; ok && !bytes.Equal(data, e.Data) {
		return &ConflictError{Class: e.Class, ID: e.ID}
	}
	p.ids[key] = e.Data
	return nil
}

// append hands a posting that was let into the room to the store, and from
// there to the deliverer. One without records goes this way only to keep its
// place, so that a failure of the store does not concern it.
func (h *Hub) append(p *posting) {
	h.store.Append(p.records, func(results []Appended, err error) {
		p.results = append(p.results, results...)
		if len(p.records) > 0 {
			p.err = err
		}
		h.ready.add(p)
	})
}

// Deliveries are the postings that the store is done with.
type deliveries struct {
	signal  chan struct{} // has a value when there may be some; never closed
	follows atomic.Bool   // others append to the logs, too

	// mu guards the following. Its length is bounded by the room.
	mu       sync.Mutex
	postings []*posting

	// What others appended; see [Hub.Heard]. Its length is bounded.
	told      []told
	toldBytes int
	behind    map[*classLog]*member // whose logs are to be read
	overflows uint64                // events that found no room in told
}

func (d *deliveries) add(p *posting) {
	d.mu.Lock()
	d.postings = append(d.postings, p)
	d.mu.Unlock()
	d.wake()
}

// wake has the deliverer look.
func (d *deliveries) wake() {
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// take returns what there is. It reuses spare for what comes next.
func (d *deliveries) take(spare []*posting) []*posting {
	d.mu.Lock()
	defer d.mu.Unlock()
	ps := d.postings
	d.postings = spare[:0]
	return ps
}

// deliver is the deliverer: it carries out what the store is done with, in
// that order, and what other gateways appended, until the hub stops.
func (h *Hub) deliver() {
	var ps []*posting
	again := time.NewTimer(0) // when to go on with what lags; stopped: nothing does
	again.Stop()
	for {
		select {
		case <-h.ready.signal:
		case <-again.C:
		case <-h.ctx.Done():
			return // the room is empty, so nothing is left
		}
		ps = h.ready.take(ps)
		h.follow() // it may have what stands before an own event
		for i, p := range ps {
			h.carryOut(p)
			h.room.leave(len(p.entries), p.bytes)
			if p.line != nil {
				p.line.pending.Add(-1)
			}
			p.done()
			ps[i] = nil
		}
		again.Stop()
		if wait := h.catchUp(); wait > 0 {
			again.Reset(wait)
		}
	}
}

// carryOut routes the events of a posting, unless the store refused it.
func (h *Hub) carryOut(p *posting) {
	if p.err != nil {
		h.fail(p)
		return
	}
	next := 0
	for _, a := range p.entries {
		if a.member.log == nil {
			r, err := h.routeFree(a)
			switch {
			case err == nil:
			case p.single:
				p.err = h.refuse(err, 0)
			default:
				// The batch is accepted, and another publisher was quicker
				// to use the id with other data: both are routed.
				r = h.route(a)
			}
			p.receipts = append(p.receipts, r)
			continue
		}
		r, err := h.routeLogged(a, p.results[next])
		if err != nil && p.err == nil {
			p.err = err // and the others are routed all the same: they are in the log
		}
		p.receipts = append(p.receipts, r)
		next++
	}
	if p.err != nil {
		p.receipts = nil
	}
}

// fail counts a posting that the store refused. If one of its records is at
// fault, the error comes to say which event that is.
func (h *Hub) fail(p *posting) {
	c, ok := p.err.(*ConflictError)
	if !ok {
		h.stats.failed.Add(uint64(len(p.entries)))
		return
	}
	h.stats.refused.Add(1)
	record := 0
	for i, a := range p.entries {
		if a.member.log == nil {
			continue
		}
		if record == c.Index {
			c.Index = i
			return
		}
		record++
	}
}

// routeLogged routes an event that the store has in its log, unless that was
// done before. Only the deliverer calls it.
//
// An event that the store calls a duplicate was not routed before if the
// append that brought it into the log was reported as failed. Its publisher
// was told so, and this one is the first to be accepted.
//
// If what stands before the event cannot be read as the store is away, the event
// is accepted, as it is safe, and routed with the rest when the store is back. If
// the log is known to have lost it since, its publisher has to send it again.
func (h *Hub) routeLogged(a admitted, at Appended) (Receipt, error) {
	e, l := a.event, a.member.log
	r := Receipt{ID: e.ID, Epoch: at.Epoch, Offset: at.Offset}
	if epoch, _ := l.position(); epoch != at.Epoch {
		_, err := h.look(a.member)
		switch {
		case err != nil && at.Duplicate:
			return h.undelivered(e, err)
		case err != nil:
			h.fallBehind(a.member)
			return r, nil
		case !l.keeps(at):
			return h.gone(a.member, e, at)
		}
		at.Epoch, _ = l.position() // its offset means the same there
	}
	switch _, routed := l.position(); {
	case at.Offset <= routed && at.Duplicate:
		h.stats.duplicates.Add(1)
		r.Duplicate = true
		return r, nil
	case at.Offset <= routed:
		return r, nil // it was read from the log
	case at.Offset == routed+1:
	case at.Duplicate:
		// The publisher can try again, so nobody has to wait.
		if err := h.fill(a.member, at); err != nil {
			return h.undelivered(e, err)
		}
	case !h.fillFor(a.member, at):
		if !l.keeps(at) {
			return h.gone(a.member, e, at)
		}
		return r, nil
	}
	e.Epoch, e.Offset, e.Time = at.Epoch, at.Offset, at.Time
	h.routeAt(l, a)
	return r, nil
}

// undelivered tells a publisher to try again.
func (h *Hub) undelivered(e *Event, err error) (Receipt, error) {
	h.stats.failed.Add(1)
	return Receipt{}, fmt.Errorf("%w: the class %s has earlier events that are not delivered yet and cannot be read: %v", ErrUnavailable, e.Class, err)
}

// gone tells the publisher of an event that the store took and has lost since, as
// far as the hub knows: its log has another epoch, which goes on from before the
// event. So it has no place, and nobody gets it: who has been told of what is in
// that epoch must not get an offset of the other one after it, nor anybody an
// event with others missing before it that are lost, too. Live subscribers are
// told of the epoch.
func (h *Hub) gone(m *member, e *Event, at Appended) (Receipt, error) {
	epoch, _ := m.log.position()
	h.turned(m, epoch)
	h.fallBehind(m) // the store may know more by now
	h.stats.failed.Add(1)
	return Receipt{}, fmt.Errorf("%w: the log of the class %s went on in the epoch %s without the event, which it had taken in the epoch %s", ErrUnavailable, e.Class, epoch, at.Epoch)
}

func (h *Hub) routeAt(l *classLog, a admitted) {
	h.turned(a.member, a.event.Epoch)
	l.mu.Lock()
	defer l.mu.Unlock()
	h.router.Route(a.event, a.member.class, a.channel)
	l.moveLocked(a.event.Epoch, a.event.Offset)
	h.stats.routed.Add(1)
}
