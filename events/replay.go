package events

import (
	"context"
	"fmt"
	"time"
)

// How much a replay reads at once, and so holds in memory while it waits for
// its subscriber.
const (
	pageEvents = 64
	pageBytes  = 32 << 10
)

// A Subscriber receives the past and is then switched to the present.
type Subscriber interface {
	// Recover is called once before the first Send and before Live, to say
	// whether the log still has everything since the start. It is called
	// again whenever the log was trimmed past a subscriber that is too slow.
	Recover(r Recovery)

	// Send hands over the next event, which is marked as Replayed. It waits
	// until the subscriber has room for it. An error ends the replay.
	Send(ctx context.Context, e *Event) error

	// Live is called once, last: the subscriber has every event up to now,
	// and gets each later one by [Router.Route]. It is called under the
	// class's delivery lock, during no Route of the class; it must not wait.
	Live()
}

// An Offered is a [Subscriber] that need not be waited for. Few replays work at
// a time, so that thousands of them do not hold up what is live; one that waits
// for such a subscriber lets another go on.
type Offered interface {
	Subscriber

	// Offer is Send, but where that would wait it returns a channel that is
	// closed when it may be called again with the same event. What it takes it
	// may hold back until Flush. made is for what the subscriber makes of the
	// event; nil: no other replay is sent it.
	Offer(e *Event, made *Made) (room <-chan struct{}, err error)

	// Flush is called when nothing more is offered for the moment, also after an
	// error, and before a wait for room. It must not wait.
	Flush()
}

// A Recovery says whether a replay has everything that was asked for.
type Recovery struct {
	Epoch string // of the log

	// Complete is false if events since the start are gone from the log, or
	// if the start is a position of another epoch or one that the log has
	// not reached: the replay then begins with what there is.
	Complete bool

	// LostFrom and LostThrough are the offsets of the events that are gone,
	// both included. If the start was a time, at most these are meant. Both
	// are 0 if nobody can say.
	LostFrom, LostThrough uint64
}

// Mark returns how far the log of a class is routed; a class that is not retained
// has no mark. Take it before live events begin to pass the subscriber by, and
// give it to Replay with [Start.At]: then none is lost in between.
func (h *Hub) Mark(class string) Mark {
	m := h.state.Load().members[class]
	if m == nil || m.log == nil {
		return Mark{}
	}
	epoch, routed := m.log.position()
	return Mark{Epoch: epoch, Offset: routed}
}

// carry returns a position in a class as it is in the epoch, or the beginning if
// that is not the one of the log any more.
func (h *Hub) carry(class, epoch string, p progress) progress {
	if m := h.state.Load().members[class]; m != nil && m.log != nil {
		if to := m.log.carry(p); to.Epoch == epoch {
			return to
		}
	}
	return progress{Position: Position{Epoch: epoch}}
}

// Replay sends the events of a retained class from the start on, in order, and
// then makes the subscriber live, with no gap and no repetition between: the
// subscriber gets each event of the selection either by Send or by
// [Router.Route]. The last n of a selection by a query are looked for among the
// last 100,000 events of the class.
//
// Replay returns nil once the subscriber is live; otherwise an
// [*UnknownClassError], ErrNotRetained, the error of Send, the context's, the
// store's, or that of [query.NewFilter]. Delivery to others goes on meanwhile.
func (h *Hub) Replay(ctx context.Context, class string, start Start, sel Selection, to Subscriber) error {
	m := h.state.Load().members[class]
	switch {
	case m == nil:
		return &UnknownClassError{Class: class}
	case m.log == nil:
		return fmt.Errorf("%w: %s", ErrNotRetained, class)
	}
	defer h.replaying()()
	sieve, err := newSieve(m.class, sel)
	if err != nil {
		return err
	}
	r := &replay{hub: h, member: m, sieve: sieve, to: to}
	r.epoch, r.through = m.log.position()
	if start.kind == startOffset {
		if err := r.reach(ctx, start); err != nil {
			return err
		}
	}
	if start.kind != startOffset && start.mark.Epoch == r.epoch {
		r.through = start.mark.Offset // an offset means the same at any time
	}
	if err := r.begin(ctx, start); err != nil {
		return err
	}
	for !r.live() {
		more := r.page
		if r.after >= r.through {
			more = r.await
		}
		if err := more(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A replay is one call of Replay.
type replay struct {
	hub    *Hub
	member *member
	sieve  *sieve
	to     Subscriber

	seeking bool // only the place where it would begin is wanted

	epoch   string
	after   uint64 // up to here everything was sent
	through uint64 // up to here everything was routed when we last looked
}

// begin finds the place to start at, and tells the subscriber whether the log
// still has it.
func (r *replay) begin(ctx context.Context, start Start) error {
	after, err := r.seek(ctx, start)
	if err != nil {
		return err
	}
	// Taken after seeking, the bounds show what was trimmed until then. What
	// is trimmed later, page finds out.
	bounds, err := r.bounds(ctx)
	if err != nil {
		return err
	}
	if err := r.sameLog(bounds); err != nil {
		return err
	}
	if start.whole {
		// Somebody else may have routed it to this subscriber before: it must
		// come marked, and not when this hub gets there.
		r.through = max(r.through, bounds.Next-1)
	}
	switch start.kind {
	case startLast:
		r.after = after
		r.skip(bounds)
	case startOffset:
		if start.epoch != "" && start.epoch != r.epoch {
			shared, ok := bounds.Line.Shared(start.epoch)
			if !ok || start.offset > shared {
				r.after = shared // what came after it there is lost
				r.gap(bounds.First, false)
				return nil
			}
		}
		if start.offset > r.through && start.offset < bounds.Next {
			if err := r.catchUp(ctx, start.offset); err != nil {
				return err
			}
		}
		if start.offset > r.through {
			r.gap(bounds.First, false)
			return nil
		}
		r.after = after
		if !r.gap(bounds.First, true) {
			r.complete()
		}
	case startTime:
		r.after = after
		if r.reaches(start.time, bounds) {
			r.skip(bounds)
			return nil
		}
		r.after = 0
		if !r.gap(bounds.First, true) {
			r.complete()
		}
	}
	return nil
}

// bounds returns the bounds of the log.
func (r *replay) bounds(ctx context.Context) (Bounds, error) {
	end, err := r.turn(ctx)
	if err != nil {
		return Bounds{}, err
	}
	defer end()
	return r.hub.store.Bounds(ctx, r.member.class.name)
}

// catchUpFor is how long a replay waits for the hub to route what its subscriber
// has got already, as it was in the log and somebody else routed it.
const catchUpFor = 5 * time.Second

// catchUp waits until the hub has routed the event with the offset, which is in
// the log, or the log is another one, which reading shows. It gives up after some
// time.
func (r *replay) catchUp(ctx context.Context, offset uint64) error {
	patience := time.NewTimer(catchUpFor)
	defer patience.Stop()
	for late := false; ; {
		moved := r.member.log.until(r.epoch, offset)
		if epoch, routed := r.member.log.position(); epoch == r.epoch {
			r.through = max(r.through, routed)
		}
		if moved == nil || late {
			return nil
		}
		select {
		case <-moved:
		case <-patience.C:
			late = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// seek returns the offset after which the start is, in what the log holds.
func (r *replay) seek(ctx context.Context, start Start) (after uint64, err error) {
	store, class := r.hub.store, r.member.class.name
	switch {
	case start.kind == startOffset:
		return start.offset, nil
	case start.kind == startTime:
		return store.SeekTime(ctx, class, r.through, start.time)
	case start.n > 0:
		return r.sieve.seekLast(ctx, r.hub, r.epoch, r.through, start.n)
	default:
		return r.through, nil
	}
}

// complete tells the subscriber that the log has everything.
func (r *replay) complete() { r.to.Recover(Recovery{Epoch: r.epoch, Complete: true}) }

// skip moves the replay on over what is gone from the log and was not asked
// for.
func (r *replay) skip(b Bounds) {
	r.after = max(r.after, min(b.First-1, r.through))
	r.complete()
}

// reaches reports whether the log has every event since t.
func (r *replay) reaches(t time.Time, b Bounds) bool {
	if b.First == 1 || r.after >= b.First {
		return true // nothing is gone, or the log has an event from before t
	}
	// What is gone by age alone is older than the class keeps events. What
	// is gone by number may be younger, but only if that many are left.
	keep := r.member.class.Retain()
	return keep.For > 0 && !t.Before(time.Now().Add(-keep.For)) &&
		(keep.Events == 0 || b.Next-b.First < uint64(keep.Events))
}

// gap moves the replay on to the offset first, the oldest that there is, and
// tells the subscriber, if that skips any event. It reports whether it did.
// known is false if what came before is of another log.
func (r *replay) gap(first uint64, known bool) bool {
	lost := Recovery{Epoch: r.epoch, LostFrom: r.after + 1, LostThrough: min(first-1, r.through)}
	if known && lost.LostFrom > lost.LostThrough {
		return false
	}
	r.after = max(r.after, lost.LostThrough)
	if !known {
		lost.LostFrom, lost.LostThrough = 0, 0
	}
	if !r.seeking {
		r.hub.stats.gaps.Add(1)
	}
	r.to.Recover(lost)
	return true
}

// page reads and sends the next events.
func (r *replay) page(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil { // there may be many pages of which nothing is sent
		return err
	}
	p, wanted, err := r.search(ctx)
	if err != nil {
		return err
	}
	if err := r.send(ctx, p, wanted); err != nil {
		return err
	}
	r.after = max(r.after, p.after)
	return nil
}

// send sends those events of a passage.
func (r *replay) send(ctx context.Context, p *passage, wanted []int) error {
	offered, ok := r.to.(Offered)
	if !ok {
		for _, i := range wanted {
			if err := r.to.Send(ctx, &p.events[i]); err != nil {
				return err
			}
			r.hub.stats.replayed.Add(1)
		}
		return nil
	}
	if len(wanted) == 0 {
		return nil
	}
	end, err := r.hub.sendTurn(ctx)
	if err != nil {
		return err
	}
	for _, i := range wanted {
		if end, err = r.offer(ctx, offered, &p.events[i], p.madeOf(i), end); err != nil {
			break
		}
		r.hub.stats.replayed.Add(1)
	}
	offered.Flush()
	end()
	return err
}

// offer sends an event. While it waits for the subscriber it has no turn; end
// ends the one that it has, and what it returns the one after.
func (r *replay) offer(ctx context.Context, to Offered, e *Event, made *Made, end func()) (func(), error) {
	for {
		room, err := to.Offer(e, made)
		if room == nil {
			return end, err
		}
		to.Flush()
		end()
		select {
		case <-room:
		case <-ctx.Done():
			return func() {}, context.Cause(ctx)
		}
		if end, err = r.hub.sendTurn(ctx); err != nil {
			return func() {}, err
		}
	}
}

// search reads a passage, and finds those of its events that are to be sent.
func (r *replay) search(ctx context.Context) (p *passage, wanted []int, err error) {
	if r.sieve.filter == nil {
		p = r.find() // for which it need not wait
	}
	if p == nil {
		end, err := r.turn(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer end()
		if p, err = r.read(ctx); err != nil {
			return nil, nil, err
		}
	}
	if err := r.sameLog(p.bounds); err != nil {
		return nil, nil, err
	}
	r.gap(p.bounds.First, true)
	if r.sieve.filter == nil {
		return p, all[:len(p.events)], nil
	}
	for i := range p.events {
		if ok, err := r.sieve.has(&p.events[i]); err != nil {
			return nil, nil, err
		} else if ok {
			wanted = append(wanted, i)
		}
	}
	return p, wanted, nil
}

// all is the places of all events of a passage. It is never changed.
var all = func() (list [pageEvents]int) {
	for i := range list {
		list[i] = i
	}
	return list
}()

// sameLog returns an error if the log is not the one that the replay began
// with.
func (r *replay) sameLog(b Bounds) error {
	if b.Epoch != r.epoch {
		r.member.log.renew(r.epoch, b)
		return fmt.Errorf("%w: the log of the class %s has the epoch %s in place of %s", ErrUnavailable, r.member.class.name, b.Epoch, r.epoch)
	}
	return nil
}

// awaitRead is after how long a replay that waits for the hub to route what it has
// brought has the hub read the log, in case that nothing else makes it.
const awaitRead = time.Second

// await waits until the hub has routed all that the replay has brought, or its log
// is another one.
func (r *replay) await(ctx context.Context) error {
	tick := time.NewTicker(awaitRead)
	defer tick.Stop()
	for {
		moved := r.member.log.until(r.epoch, r.after)
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-tick.C:
			r.hub.ready.fallBehind(r.member)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// live makes the subscriber live if it has everything that was routed, and no
// more. Otherwise it finds out how far that is.
func (r *replay) live() bool {
	if r.after < r.through {
		return false
	}
	l := r.member.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != r.epoch {
		r.through = r.after + 1 // reading on shows that it is another log
		return false
	}
	if l.routed != r.after {
		r.through = max(r.through, l.routed)
		return false
	}
	r.to.Live()
	return true
}
