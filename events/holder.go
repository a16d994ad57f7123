package events

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Holder is a session of an owner, as far as it has persistent subscriptions
// attached. Its methods may be called concurrently.
type Holder struct {
	// Fixed at construction.
	keeper *Keeper
	owner  string
	ask    func(number uint64) bool

	listed atomic.Bool // it is among those that are to be asked

	mu     sync.Mutex // guards the following; taken after Keeper.mu
	held   map[string]*Held
	number uint64  // of the last question
	asked  []asked // questions without an answer, the oldest first; at most mostAsked
	last   time.Time
}

// mostAsked is how many questions are remembered for which there is no answer
// yet: the first of them, and the last. A later one covers what an earlier one
// does.
const mostAsked = 4

// An asked is a question whether the client has got everything so far.
type asked struct {
	number uint64
	reach  []reach
}

// A reach is up to where a subscription has everything when the answer comes.
type reach struct {
	held *Held
	to   Position
}

// NewHolder returns a session of the owner, which has nothing attached yet. ask
// puts the question behind everything that is queued for the session whether its
// client has got that; the answer is brought to [Holder.Answered]. It reports
// false if that is not possible now. It must not wait.
func (k *Keeper) NewHolder(owner string, ask func(number uint64) bool) *Holder {
	return &Holder{keeper: k, owner: owner, ask: ask, held: make(map[string]*Held)}
}

// Owner returns who owns what the holder has.
func (h *Holder) Owner() string { return h.owner }

// Held returns the subscription that the holder has by that name, or nil.
func (h *Holder) Held(name string) *Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[name]
}

// Find returns a subscription that the holder has for which f is true, or nil.
func (h *Holder) Find(f func(*Held) bool) *Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.held {
		if f(d) {
			return d
		}
	}
	return nil
}

// Answered says that the client has got everything that was queued before the
// question with this number.
func (h *Holder) Answered(number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number > h.number {
		return // nobody asked that
	}
	n := 0
	for ; n < len(h.asked) && h.asked[n].number <= number; n++ {
		for _, r := range h.asked[n].reach {
			h.keeper.moveTo(r.held, r.to, false)
		}
	}
	if h.asked = h.asked[n:]; len(h.asked) == 0 {
		h.asked = nil
	}
}

// question asks the client what it has got, if there may be anything new.
func (h *Holder) question(now time.Time) {
	h.listed.Store(false) // whatever is queued from now on, we come again for
	h.mu.Lock()
	var q []reach
	news := false
	for _, d := range h.held {
		if d.explicit {
			continue
		}
		if d.news.Swap(false) {
			news = true
		}
		q = append(q, reach{d, d.sentTo()})
	}
	if !news {
		h.mu.Unlock()
		return
	}
	h.number++
	number := h.number
	if len(h.asked) == mostAsked {
		h.asked = h.asked[:mostAsked-1] // not the first, or who answers late would never do so in time
	}
	h.asked = append(h.asked, asked{number, q})
	h.last = now
	h.mu.Unlock()
	if h.ask(number) {
		h.keeper.stats.probes.Add(1)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range q {
		r.held.news.Store(true) // until the keeper looks again
	}
}

// look asks again, if an answer is overdue or nobody could be asked, and follows
// the log where nothing was sent.
func (h *Holder) look(now time.Time) {
	h.mu.Lock()
	overdue := false
	for _, d := range h.held {
		if d.explicit {
			continue
		}
		to := d.sentTo() // before it is known that nothing was sent
		switch {
		case d.news.Load():
			overdue = true
		case len(h.asked) > 0:
			if now.Sub(h.last) >= probeAgain {
				d.news.Store(true)
				overdue = true
			}
		case d.live.Load():
			h.keeper.moveTo(d, to, true)
		}
	}
	h.mu.Unlock()
	if overdue {
		h.due()
	}
}

// due has the holder asked soon.
func (h *Holder) due() {
	if !h.listed.CompareAndSwap(false, true) {
		return
	}
	k := h.keeper
	k.due.Lock()
	k.due.probes = append(k.due.probes, h) // at most one for each holder
	k.due.Unlock()
	select {
	case k.probing <- struct{}{}:
	default:
	}
}

// probe asks clients what they have got, until Close: all together, some time
// after the first event. Now and then it looks after all.
func (k *Keeper) probe() {
	tick := time.NewTicker(probeAgain)
	defer tick.Stop()
	for {
		select {
		case <-k.probing:
			select {
			case <-time.After(probeAfter):
			case <-k.ctx.Done():
				return
			}
			k.due.Lock()
			all := k.due.probes
			k.due.probes = nil
			k.due.Unlock()
			if !k.questionAll(all) {
				return
			}
		case now := <-tick.C:
			k.touch(now)
			for _, h := range k.holding() {
				h.look(now)
			}
		case <-k.ctx.Done():
			return
		}
	}
}

// questionAll asks all, not in one moment: else thousands of answers would come
// in one moment as well, and what is live would wait behind them. It reports
// false if the keeper was closed meanwhile.
func (k *Keeper) questionAll(all []*Holder) bool {
	some := max(probeLeast, len(all)/probeParts)
	for i, h := range all {
		h.question(time.Now())
		if (i+1)%some != 0 || i+1 == len(all) {
			continue
		}
		select {
		case <-time.After(probePause):
		case <-k.ctx.Done():
			return false
		}
	}
	return true
}

// holding returns those that have anything attached.
func (k *Keeper) holding() []*Holder {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*Holder, 0, len(k.holders))
	for h := range k.holders {
		all = append(all, h)
	}
	return all
}

// A Held is a persistent subscription that one session has attached. Its methods
// may be called concurrently.
type Held struct {
	// Fixed at construction.
	holder   *Holder
	kept     *kept
	def      Persistent // as it was attached
	explicit bool
	start    Start
	fresh    bool // there was no such subscription before

	live atomic.Bool // the session gets what is routed
	news atomic.Bool // something was queued since the client was last asked

	mu   sync.Mutex // guards the following; taken last
	sent Position   // the last event that a replay has queued, or all that was routed when it began
}

// Name returns the subscription's name.
func (d *Held) Name() string { return d.def.Name }

// Definition returns the subscription as it was when it was attached.
func (d *Held) Definition() *Persistent { return &d.def }

// Explicit reports whether the client acknowledges events itself.
func (d *Held) Explicit() bool { return d.explicit }

// Start returns where the replay begins that the session gets first.
func (d *Held) Start() Start { return d.start }

// Had reports whether the event was acknowledged before the session attached the
// subscription, out of order, and so need not come again.
func (d *Held) Had(e *Event) bool {
	if len(d.def.Acked) == 0 || e.Epoch != d.def.Position.Epoch {
		return false
	}
	p := progress{d.def.Position, d.def.Acked}
	return e.Offset > p.Offset && p.had(e.Offset)
}

// Queued says that an event was queued for the session that was routed. It takes
// no lock that is held for long.
func (d *Held) Queued() {
	if d.explicit || d.news.Load() {
		return
	}
	d.news.Store(true)
	d.holder.due()
}

// Sending says that a replay is about to queue the event, and has queued all
// before it. A client that acknowledges events itself may do so before the one
// who queues it comes to say that it was [Held.Sent].
func (d *Held) Sending(e *Event) {
	if d.explicit {
		d.reach(e)
	}
}

// Sent says that a replay has queued the event, and all before it.
func (d *Held) Sent(e *Event) {
	d.reach(e)
	d.Queued() // after, or the client might not be asked about this one
}

// reach notes that a replay has come to the event.
func (d *Held) reach(e *Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sent.Epoch != e.Epoch {
		d.sent = Position{Epoch: e.Epoch}
	}
	d.sent.Offset = max(d.sent.Offset, e.Offset)
}

// Live says whether the session gets what is routed from now on. That it does is
// said under the class's delivery lock; that it does not, before anything passes
// it by. Live takes no lock.
func (d *Held) Live(now bool) { d.live.Store(now) }

// Rewind says that another replay is about to begin: while that runs, besides
// what it sends, only what was routed by now is known to be sent. It returns where
// that is to begin, which is not behind what was sent: start, or there. It reports
// false if one is under way already.
func (d *Held) Rewind(start Start) (Start, bool) {
	to := d.sentTo()
	if !d.live.Load() {
		return start, false
	}
	d.mu.Lock()
	d.sent = to
	d.mu.Unlock()
	if start.kind == startOffset && (start.epoch == "" || start.epoch == to.Epoch) && start.offset > to.Offset {
		start = SincePosition(to.Epoch, to.Offset)
	}
	return start, true
}

// Passed says that the hub has passed over what comes after the position, that
// the session does not get it by routing, and is about to get a replay from
// there. The hub calls it, by way of [GapRouter]; it takes no lock that is held
// for long.
func (d *Held) Passed(after Position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = after
}

// Reached returns up to where everything is queued for the session by the replay
// that is under way, or by the last one.
func (d *Held) Reached() Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

// sentTo returns up to where everything is queued for the session.
func (d *Held) sentTo() Position {
	// First how far the log is routed: if the subscription is live after that,
	// all of it was queued by a replay or by routing.
	m := d.holder.keeper.hub.Mark(d.def.Class)
	if d.live.Load() {
		return Position(m)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

// An AckError says why events are not acknowledged.
type AckError struct {
	Class string
	Epoch bool   // it is about the epoch
	Text  string // what was expected and found
}

// Error names the class.
func (e *AckError) Error() string { return e.Class + ": " + e.Text }

// Ack acknowledges the events up to the offset through, unless that is 0, and
// those with single offsets. epoch is that of the log; empty: the present one. A
// session that has attached the subscription with a query which it has no more can
// only acknowledge single offsets.
// The error is an [*AckError], [ErrNotPersistent] if the subscription was
// removed, or [ErrNotRetained] if the class has no log any more; then
// nothing is acknowledged, but for some of the single offsets if there are too
// many gaps.
func (d *Held) Ack(epoch string, through uint64, single []uint64) error {
	to := d.sentTo()
	now := d.holder.keeper.hub.Mark(d.def.Class).Epoch
	if epoch != "" && epoch != now {
		return &AckError{Class: d.def.Class, Epoch: true, Text: fmt.Sprintf("the log has the epoch %q; expected an event of that, found the epoch %q", now, epoch)}
	}
	switch {
	case now == "":
		return fmt.Errorf("%w any more: %s", ErrNotRetained, d.def.Class)
	case through == 0 && len(single) == 0:
		return nil // a new log must not be begun by acknowledging nothing in it
	}
	s := d.kept
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return fmt.Errorf("%w: %s was removed", ErrNotPersistent, quote(d.def.Name))
	}
	if through > 0 && s.where != d.def.Where {
		return &AckError{Class: d.def.Class, Text: fmt.Sprintf(
			"the subscription %s has another query since this session subscribed, which may want what was not sent here: expected single offsets, or a session that has subscribed again", quote(d.def.Name))}
	}
	most := uint64(0) // the last offset that was sent
	if to.Epoch == now {
		most = to.Offset
	}
	if s.at.Epoch == now {
		most = max(most, s.at.Offset)
	}
	for _, o := range append([]uint64{through}, single...) {
		if o > most {
			return &AckError{Class: d.def.Class, Text: fmt.Sprintf("the event with the offset %d was not sent yet; the last one has %d", o, most)}
		}
	}
	if s.at.Epoch != now {
		s.at = d.holder.keeper.hub.carry(s.class, now, s.at)
		d.holder.keeper.noteLocked(s)
	}
	moved := through > 0 && s.at.reach(through)
	var err error
	for _, o := range single {
		news, wrong := s.at.add(o)
		moved = moved || news
		if wrong != nil {
			err = &AckError{Class: d.def.Class, Text: fmt.Sprintf("%v: at most %d spans are kept; acknowledge up to an offset first", wrong, MaxAckedSpans)}
			break
		}
	}
	if moved {
		d.holder.keeper.noteLocked(s)
	}
	return err
}

// Position returns up to where everything is acknowledged, and what is behind
// that.
func (d *Held) Position() (Position, []Span) {
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	at := d.kept.at.clone()
	return at.Position, at.acked
}

// Detach says that the session has the subscription no more. It may be called
// more than once.
func (d *Held) Detach() {
	h, k := d.holder, d.holder.keeper
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	h.mu.Lock()
	if h.held[d.def.Name] != d {
		h.mu.Unlock()
		return
	}
	delete(h.held, d.def.Name)
	if len(h.held) == 0 {
		if delete(k.holders, h); len(k.holders) == 0 {
			k.holders = make(map[*Holder]struct{}) // as for kept
		}
	}
	h.mu.Unlock()
	s := d.kept
	if s.attached--; s.attached > 0 || k.kept[s.key] != s {
		return
	}
	k.loose++
	s.mu.Lock()
	s.seen = milli(now)
	k.noteLocked(s)
	s.mu.Unlock()
	if k.loose > mostLoose {
		k.stats.givenUp.Add(1)
		k.forgetLocked(s)
	}
}
