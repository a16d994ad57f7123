package router

import (
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// receiptTopic is where a publisher is told what became of its events.
	receiptTopic wamp.URI = "wireroom.publication.on_received"

	// receiptTime is how long receipts are waited for if the publisher does
	// not say, and maxReceiptTime how long it may ask for.
	receiptTime    = 10 * time.Second
	maxReceiptTime = 5 * time.Minute

	// maxAsked is for how many publications of a session receipts may be
	// waited for at a time.
	maxAsked = 64

	// maxOwed is how many receipts a session may owe. Of more it is not asked.
	maxOwed = 256

	// maxOwedInRealm is how many receipts all sessions of a realm may owe.
	maxOwedInRealm = 100_000
)

// Receipts are what a session owes and what it waits for (acknowledged
// delivery: the provisional message EVENT_RECEIVED). The session's mu guards
// them.
type receipts struct {
	owed  map[wamp.ID]*receiptBook // by publication: those that the peer was asked for
	asked map[wamp.ID]*receiptBook // by publication: those that it wants itself
	late  bool                     // it has owed one until the time for it was over, or may send one again
}

// A receiptBook counts the receipts for one publication.
type receiptBook struct {
	// Fixed at construction.
	publisher   *Session
	publication wamp.ID
	topic       wamp.URI
	timer       *time.Timer

	enc encoding // of EVENTs that ask for a receipt; owned by who publishes

	mu       sync.Mutex // guards the following; taken after a session's mu
	sealed   bool       // the publication has reached everybody
	lapsed   bool       // the time was over before that
	closed   bool       // nothing is counted any more
	debts    map[*Session]debt
	open     int // sessions of which none has come yet
	received int // sessions that have sent one
	left     int // sessions that ended before
	dropped  int // events that a session's queue had no room for
	unasked  int // events to sessions that were not asked
}

// A debt is what a session owes for one publication, of which it may get an
// EVENT for each of its subscriptions.
type debt struct {
	events int  // of which no receipt has come
	got    bool // one has come, or the session has ended
}

// wantsReceipts returns how long the publisher of an event wants receipts to be
// waited for, or 0 if it wants none.
func wantsReceipts(o *wamp.PublishOptions) (time.Duration, error) {
	switch v := o.Extra["_receipts"].(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return receiptTime, nil
		}
		return 0, nil
	case int64:
		if v >= 1 && v <= maxReceiptTime.Milliseconds() {
			return time.Duration(v) * time.Millisecond, nil
		}
	}
	return 0, wamp.Errorf(wamp.URIInvalidArgument, "_receipts: expected a bool, or milliseconds, an integer in 1 to %d", maxReceiptTime.Milliseconds())
}

// checkReceipts refuses a publication that wants receipts while too many do.
func (s *Session) checkReceipts(o *wamp.PublishOptions) error {
	if o.Extra == nil {
		return nil
	}
	d, err := wantsReceipts(o)
	if d == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receipts != nil && len(s.receipts.asked) >= maxAsked {
		return wamp.Errorf(wamp.URILimit, "_receipts: the session waits for the receipts of %d publications already, which is the limit", maxAsked)
	}
	return nil
}

// receiptBook opens the book of a publication whose publisher wants receipts.
// It returns nil if nobody wants any.
func (p *Publication) receiptBook() *receiptBook {
	s := p.From
	if s == nil || p.Options == nil || p.Options.Extra == nil {
		return nil
	}
	d, err := wantsReceipts(p.Options)
	if d == 0 || err != nil { // which who admitted it has refused
		return nil
	}
	b := &receiptBook{publisher: s, publication: p.ID, topic: p.Topic, debts: make(map[*Session]debt)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	r := s.receiptsLocked()
	if r.asked == nil {
		r.asked = make(map[wamp.ID]*receiptBook)
	}
	r.asked[p.ID] = b
	b.enc.init(p)
	b.enc.event.Details.AckDelivery = true
	b.timer = time.AfterFunc(d, b.lapse)
	return b
}

// receiptsLocked returns the session's receipts. mu is held.
func (s *Session) receiptsLocked() *receipts {
	if s.receipts == nil {
		s.receipts = new(receipts)
	}
	return s.receipts
}

// ask notes that the session owes a receipt for an event that it is about to
// get, and reports false if it cannot be asked for one.
func (b *receiptBook) ask(s *Session) bool {
	if s.features&featureReceipts == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.left || b.closed {
		return false
	}
	d, known := b.debts[s]
	if d.events == 0 {
		r := s.receiptsLocked()
		if len(r.owed) >= maxOwed || s.realm.owed.Load() >= maxOwedInRealm {
			return false
		}
		if r.owed == nil {
			r.owed = make(map[wamp.ID]*receiptBook)
		}
		r.owed[b.publication] = b
		s.realm.owed.Add(1)
	}
	if !known {
		b.open++
	}
	d.events++
	b.debts[s] = d
	return true
}

// queued notes what became of an event to s.
func (b *receiptBook) queued(s *Session, asked bool, result pushed) {
	switch lost := result == dropped || result == overflow; {
	case lost || result == refused:
		b.mu.Lock()
		if lost {
			b.dropped++
		}
		b.mu.Unlock()
		if asked {
			b.unask(s)
		}
	case asked:
		s.router.stats.receiptsAsked.Add(1)
	default:
		b.mu.Lock()
		b.unasked++
		b.mu.Unlock()
	}
}

// unask takes back what ask noted: s does not get the event.
func (b *receiptBook) unask(s *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.debts[s]
	if b.closed || d.events == 0 {
		return
	}
	d.events--
	b.debts[s] = d
	if d.events > 0 {
		return
	}
	s.quitLocked(b)
	if !d.got {
		delete(b.debts, s)
		b.open--
	}
}

// mayRepeatReceipts says that the session gets events again for which it has
// sent receipts already.
func (s *Session) mayRepeatReceipts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receipts != nil {
		s.receipts.late = true
	}
}

// quitLocked notes that the session owes nothing for the publication any more,
// and reports whether it did. mu is held.
func (s *Session) quitLocked(b *receiptBook) bool {
	if s.receipts == nil || s.receipts.owed[b.publication] != b {
		return false
	}
	delete(s.receipts.owed, b.publication)
	s.realm.owed.Add(-1)
	return true
}

// eventReceived handles EVENT_RECEIVED. A receipt for what the session was never
// asked for is a violation; but one that comes too late cannot be told from it,
// so who has been late once may be again.
func (s *Session) eventReceived(m *wamp.EventReceived) error {
	b, late := s.receive(m.Publication)
	switch {
	case b != nil:
		b.report()
	case late:
		s.router.stats.receiptsLate.Add(1)
	default:
		return wamp.Errorf(wamp.URIProtocolViolation, "EVENT_RECEIVED: no receipt was asked for of publication %d", m.Publication)
	}
	return nil
}

// receive counts a receipt, and returns the book that it is for; nil if there
// is none, and then whether the session may be late.
func (s *Session) receive(publication wamp.ID) (b *receiptBook, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receipts != nil {
		b, late = s.receipts.owed[publication], s.receipts.late
	}
	if b == nil {
		return nil, late
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.debts[s]
	if b.closed || d.events == 0 {
		return nil, true // at this moment
	}
	if !d.got {
		d.got = true
		b.open--
		b.received++
	}
	if d.events--; d.events == 0 {
		s.quitLocked(b)
	}
	b.debts[s] = d
	return b, false
}

// seal says that the publication has reached everybody, and its publisher knows
// its ID. A nil book is nobody's.
func (b *receiptBook) seal() {
	if b == nil {
		return
	}
	b.enc = encoding{}
	b.mu.Lock()
	b.sealed = true
	b.mu.Unlock()
	b.report()
}

// lapse says that the time for receipts is over.
func (b *receiptBook) lapse() {
	b.mu.Lock()
	b.lapsed = true
	b.mu.Unlock()
	b.report()
}

// report tells the publisher what became of the events, once: when every
// session that was asked has answered or left, or the time is over.
func (b *receiptBook) report() {
	b.mu.Lock()
	if b.closed || !b.sealed || b.open > 0 && !b.lapsed {
		b.mu.Unlock()
		return
	}
	counts := map[string]any{
		"topic": b.topic, "received": b.received, "silent": b.open, "left": b.left, "dropped": b.dropped, "not_asked": b.unasked,
	}
	missing := b.open + b.left + b.dropped
	debts := b.closeLocked()
	b.mu.Unlock()
	b.settle(debts)
	s := b.publisher
	s.router.stats.receiptsMissing.Add(uint64(missing))
	payload, err := wamp.NewPayload(wamp.JSON, []any{b.publication}, counts)
	if err != nil {
		s.router.log.Error("report of receipts cannot be encoded", "err", err)
		return
	}
	s.realm.Publish(&Publication{Topic: receiptTopic, Payload: payload, Options: &wamp.PublishOptions{Eligible: []wamp.ID{s.id}}})
}

// closeLocked ends the counting, and returns what is still owed.
func (b *receiptBook) closeLocked() map[*Session]debt {
	debts := b.debts
	b.closed, b.debts = true, nil
	return debts
}

// abandon ends the counting without a report.
func (b *receiptBook) abandon() {
	b.mu.Lock()
	closed := b.closed
	debts := b.closeLocked()
	b.mu.Unlock()
	if !closed {
		b.settle(debts)
	}
}

// settle lets everybody forget a book that is closed.
func (b *receiptBook) settle(debts map[*Session]debt) {
	b.timer.Stop()
	for s, d := range debts {
		if d.events == 0 {
			continue
		}
		s.mu.Lock()
		if s.quitLocked(b) {
			s.receipts.late = true
		}
		s.mu.Unlock()
	}
	s := b.publisher
	s.mu.Lock()
	if s.receipts != nil {
		delete(s.receipts.asked, b.publication)
	}
	s.mu.Unlock()
}

// leave settles what a session that has left owed, and gives up what it wanted
// itself. r is what it had; nil: nothing.
func (r *receipts) leave(s *Session) {
	if r == nil {
		return
	}
	s.realm.owed.Add(-int64(len(r.owed)))
	for _, b := range r.owed {
		b.mu.Lock()
		if d := b.debts[s]; !b.closed && !d.got {
			b.debts[s] = debt{got: true}
			b.open--
			b.left++
		}
		b.mu.Unlock()
		b.report()
	}
	for _, b := range r.asked {
		b.abandon()
	}
}
