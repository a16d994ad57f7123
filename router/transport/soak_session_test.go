package transport_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A soaker is a client in the course of one session, with a model of what it
// must see. Three goroutines work for it: the actor, who lives its life, the
// reader, who checks what comes, and the wire's writer.
type soaker struct {
	// Fixed at construction.
	sk      *soak
	rnd     *rand.Rand // the actor's
	number  int64
	ser     wamp.Serializer
	profile *profile
	even    bool     // its authid
	plain   bool     // a callee without features
	small   bool     // the session began over a RawSocket
	roam    *roaming // nil: the session ends with its connection

	// Of the present connection; the actor changes them, with mu held, when the
	// reader has ended.
	wire     *soakWire
	place    *place
	gone     chan struct{} // closed when the reader has ended
	welcomed chan struct{} // closed when WELCOME has come

	wake  chan struct{}                 // something is owed; capacity 1
	leave chan struct{}                 // closed when the actor wants the reader to end
	lag   atomic.Int64                  // how long the reader takes for a message, in nanoseconds
	stall atomic.Pointer[chan struct{}] // the reader reads no more until it is closed

	mu          sync.Mutex // guards the following
	trace       soakTrace
	id          wamp.ID // 0 until WELCOME
	joined      bool    // WELCOME has come over the present connection
	lastRequest wamp.ID
	requests    map[wamp.ID]*request
	said        int64 // messages that were sent
	answeredTo  int64 // of these, up to the last one that is answered
	unacked     []published
	barriers    map[wamp.ID]chan struct{}
	subs        map[wamp.ID]*heard
	pub         *publisher
	directs     map[streamKeyTo]int64
	calls       map[wamp.ID]*made
	regs        map[wamp.ID]procedure
	leaving     map[wamp.ID]bool // registrations whose end was asked for
	owed        map[wamp.ID]*owed
	progressive map[wamp.ID]bool  // of owed
	parts       map[wamp.ID]int64 // of invocations that come in parts, how many came
	invoked     wamp.ID
	pinged      uint64 // the last ping that was sent; and answered
	ponged      uint64
	mute        bool // pings are not answered
	inflated    []byte
	end         ending
}

// A request is one that the router has to answer, once.
type request struct {
	kind         wamp.Type
	said         int64 // messages up to this one
	pattern      pattern
	group        *group
	least        int64 // how far the group was
	subscription wamp.ID
	heard        *heard
	procedure    procedure
	registration wamp.ID
	again        bool // it was asked for before, so it must fail
}

// A published is what was sent since the last PUBLISHED.
type published struct {
	request wamp.ID
	topic   int
	to      audience
	number  int64
}

type streamKeyTo struct {
	topic  int
	target wamp.ID
}

// An ending is how a session ended, as its client sees it.
type ending struct {
	ours     string   // what the client did to end it; "" nothing
	goodbye  wamp.URI // GOODBYE's reason
	abort    wamp.URI // ABORT's
	code     int      // of the close frame; -1: none came
	err      error    // of the last read
	stalled  bool     // the client did not read for a while
	violated bool     // the client broke the protocol
	counted  bool     // the router's reason is in the tally
}

func (e *ending) String() string {
	return fmt.Sprintf("ended by us: %q, GOODBYE %q, ABORT %q, close code %d, last read: %v", e.ours, e.goodbye, e.abort, e.code, e.err)
}

// connect opens a connection and starts its reader, without a word of WAMP.
func (sk *soak) connect(rnd *rand.Rand, pl *place, prof *profile) (*soaker, error) {
	p := &soaker{
		sk: sk, rnd: rnd, number: sk.numbers.Add(1), place: pl, small: pl.bare,
		ser: wamp.Serializer(rnd.IntN(wamp.NumSerializers)), profile: prof, even: rnd.IntN(2) == 0, plain: rnd.IntN(4) == 0,
		wake: make(chan struct{}, 1), gone: make(chan struct{}), leave: make(chan struct{}), welcomed: make(chan struct{}),
		requests: map[wamp.ID]*request{}, barriers: map[wamp.ID]chan struct{}{}, subs: map[wamp.ID]*heard{},
		directs: map[streamKeyTo]int64{}, calls: map[wamp.ID]*made{}, regs: map[wamp.ID]procedure{}, leaving: map[wamp.ID]bool{},
		owed: map[wamp.ID]*owed{}, progressive: map[wamp.ID]bool{}, parts: map[wamp.ID]int64{}, end: ending{code: -1},
	}
	p.trace.ser = p.ser
	if rnd.IntN(2) == 0 {
		p.roam = &roaming{}
	}
	var err error
	if p.wire, err = sk.open(rnd, pl, prof, p.ser, false); err != nil {
		return nil, err
	}
	p.startReading()
	return p, nil
}

// open opens a connection, one that breaks soon if it is brittle.
func (sk *soak) open(rnd *rand.Rand, pl *place, prof *profile, ser wamp.Serializer, brittle bool) (w *soakWire, err error) {
	conn, raw, err := pl.dial(prof.tight)
	if err != nil {
		return nil, err
	}
	if brittle {
		raw.arm(rnd.IntN(12_000), rnd.IntN(6000), breakage(rnd.IntN(int(numBreakages))))
	}
	if pl.bare {
		w, err = greet(conn, raw, ser)
	} else {
		w, err = upgrade(conn, raw, ser.Subprotocol(), ser == wamp.JSON, rnd.IntN(3) == 0)
	}
	if err != nil {
		raw.Conn.Close()
		if _, broken := raw.brokenAt(); broken {
			err = errBroken
		}
		return nil, err
	}
	return w, nil
}

// startReading starts the reader of the present connection.
func (p *soaker) startReading() {
	w, gone := p.wire, p.gone
	p.sk.wg.Go(func() {
		defer close(gone)
		p.read(w)
	})
}

// release waits for whatever works for the client.
func (p *soaker) release() {
	p.wire.release()
	close(p.leave)
	<-p.gone
	if p.roam != nil {
		p.roam.dropHung()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for request := range p.calls {
		p.sk.trails.end(p, request)
	}
	if p.pub != nil {
		p.pub.ended.Store(time.Now().UnixNano())
	}
}

// fail reports what is wrong with the session. mu is held.
func (p *soaker) fail(format string, args ...any) {
	p.sk.failed(fmt.Sprintf("session %d (client %d, %s, %v, deflate %v, role %s, even %v, plain callee %v, resumes %v) %s\n%s\n  the last it saw:\n%s",
		p.id, p.number, p.place.name, p.ser, p.wire.deflate, p.profile.role, p.even, p.plain, p.roam != nil, fmt.Sprintf(format, args...), p.end.String(), p.trace.String()))
}

func (p *soaker) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *soaker) nextRequest() wamp.ID { p.lastRequest++; return p.lastRequest }

func (p *soaker) payload(args []any) wamp.Payload {
	payload, err := wamp.NewPayload(p.ser, args, nil)
	if err != nil {
		p.fail("payload: %v", err)
	}
	return payload
}

// send queues a message. mu is held.
func (p *soaker) send(m wamp.Message) {
	msg := m.Append(nil, p.ser)
	p.said++
	if req := p.requests[requestOf(m)]; req != nil {
		req.said = p.said
	}
	if p.roam != nil && p.joined {
		p.roam.keep(m, msg)
	}
	p.put(msg)
}

// put queues the bytes of a message. mu is held. Some are compressed, and some
// go in fragments with a ping between.
func (p *soaker) put(msg []byte) {
	p.trace.add("sent", msg)
	first := p.wire.data()
	if p.wire.deflate && p.rnd.IntN(3) == 0 {
		packed, err := soakDeflate.deflate(msg)
		if err != nil {
			p.fail("compress: %v", err)
		}
		first, msg = first|rsv1, packed
	}
	if p.wire.bare || p.rnd.IntN(30) > 0 || len(msg) < 4 {
		p.wire.queue(fin|first, msg)
		return
	}
	third := len(msg) / 3
	p.wire.queue(first, msg[:third])
	p.wire.queue(cont, msg[third:2*third])
	p.pinged++
	p.wire.queue(fin|ping, fmt.Append(nil, p.pinged))
	p.wire.queue(fin|cont, msg[2*third:])
}

// read is the reader: it checks all that comes until the connection ends.
func (p *soaker) read(w *soakWire) {
	var dec wamp.Decoder
	for {
		p.dawdle()
		first, payload, err := w.next()
		p.mu.Lock()
		if err == nil {
			err = p.frame(&dec, first, payload)
		}
		if err != nil {
			p.end.err = err
			p.trace.remark("end: %v", err)
			if _, broken := w.raw.brokenAt(); broken && p.end.ours == "" {
				p.end.ours = endBroken
			}
		}
		p.mu.Unlock()
		if err != nil {
			w.release()
			return
		}
	}
}

// dawdle has the reader be as slow as the actor wants.
func (p *soaker) dawdle() {
	if stall := p.stall.Load(); stall != nil {
		select {
		case <-*stall:
		case <-p.leave:
		}
	}
	if lag := p.lag.Load(); lag > 0 {
		select {
		case <-time.After(time.Duration(lag)):
		case <-p.leave:
		}
	}
}

// frame checks one frame.
func (p *soaker) frame(dec *wamp.Decoder, first byte, payload []byte) error {
	if p.end.code >= 0 {
		p.fail("a frame came after the close frame: %#x, %.100q", first, payload)
		return errors.New("frame after close")
	}
	switch first {
	case fin | ping:
		if !p.mute {
			p.wire.queue(fin|pong, payload)
		}
	case fin | pong:
		var n uint64
		if _, err := fmt.Sscan(string(payload), &n); err != nil || n <= p.ponged || n > p.pinged {
			p.fail("a pong with %q came after %d; %d were sent", payload, p.ponged, p.pinged)
		}
		p.ponged = n
	case fin | clos:
		p.end.code = 1005
		if len(payload) >= 2 {
			p.end.code = int(payload[0])<<8 | int(payload[1])
		}
		p.trace.remark("close frame with %d %q", p.end.code, payload[min(2, len(payload)):])
		if p.end.ours != endClose {
			p.wire.queue(fin|clos, payload[:min(2, len(payload))])
		}
	case fin | p.wire.data(), fin | rsv1 | p.wire.data():
		if first&rsv1 != 0 {
			var err error
			if p.inflated, err = soakDeflate.inflate(p.inflated[:0], payload); err != nil || !p.wire.deflate {
				p.fail("a compressed message (negotiated: %v) cannot be inflated: %v", p.wire.deflate, err)
				return errors.New("compressed message")
			}
			payload = p.inflated
		}
		p.trace.add("got", payload)
		if p.end.goodbye != "" || p.end.abort != "" {
			p.fail("a message came after the last")
			return errors.New("message after the last")
		}
		m, err := dec.Decode(p.ser, payload)
		if err != nil {
			p.fail("a message that is none: %v", err)
			return err
		}
		p.message(m)
	default:
		p.fail("a frame that begins with %#x", first)
		return errors.New("strange frame")
	}
	return nil
}

// message checks one message.
func (p *soaker) message(m wamp.Message) {
	if _, early := m.(*wamp.Welcome); !p.joined && !early && m.Type() != wamp.TypeAbort {
		p.fail("%v came before WELCOME", m.Type())
	} else if p.roam != nil && p.joined && m.Type() != wamp.TypeAbort {
		p.roam.received++
	}
	switch m := m.(type) {
	case *wamp.Welcome:
		if p.joined {
			p.fail("a second WELCOME")
			return
		}
		p.joined = true
		p.welcome(m)
		close(p.welcomed)
	case *wamp.Subscribed:
		if req := p.take(m.Request, wamp.TypeSubscribe); req != nil {
			p.subscribed(m.Subscription, req)
		}
	case *wamp.Unsubscribed:
		if req := p.take(m.Request, wamp.TypeUnsubscribe); req != nil {
			p.unsubscribed(m.Request, req)
		}
	case *wamp.Published:
		if p.take(m.Request, wamp.TypePublish) != nil {
			p.acknowledged(m.Request)
		}
	case *wamp.Registered:
		if req := p.take(m.Request, wamp.TypeRegister); req != nil {
			p.regs[m.Registration] = req.procedure
		}
	case *wamp.Unregistered:
		p.unregistered(m)
	case *wamp.Event:
		p.event(m)
	case *wamp.Result:
		p.result(m)
	case *wamp.Invocation:
		p.invocation(m)
	case *wamp.Interrupt:
		p.interrupt(m)
	case *wamp.ErrorMessage:
		p.errorMessage(m)
	case *wamp.Goodbye:
		p.end.goodbye = m.Reason
	case *wamp.Abort:
		p.end.abort = m.Reason
	default:
		p.fail("%v is not for a router to send", m.Type())
	}
}

// take takes a request that is answered. The router answers requests other
// than calls in their order.
func (p *soaker) take(id wamp.ID, kind wamp.Type) *request {
	req := p.requests[id]
	switch {
	case req == nil:
		p.fail("an answer to %v %d, which was not asked or is answered", kind, id)
		return nil
	case req.kind != kind:
		p.fail("an answer to %v %d, which is a %v", kind, id, req.kind)
		return nil
	case req.again:
		p.fail("%v %d succeeded, and one like it was before it", kind, id)
	}
	for other, r := range p.requests {
		if other < id {
			p.fail("%v %d is answered, and %v %d before it is not", kind, id, r.kind, other)
		}
	}
	delete(p.requests, id)
	p.answeredTo = req.said
	if p.roam != nil {
		p.roam.handledUpTo(id)
	}
	return req
}

// acknowledged notes that all publications up to a request are done.
func (p *soaker) acknowledged(request wamp.ID) {
	n := 0
	for _, u := range p.unacked {
		if u.request > request {
			break
		}
		if u.to < numCounted {
			p.pub.done[u.topic][u.to].Store(u.number)
		}
		n++
	}
	p.unacked = append(p.unacked[:0], p.unacked[n:]...)
	if ch := p.barriers[request]; ch != nil {
		delete(p.barriers, request)
		for id, h := range p.subs {
			p.checkAsked(id, h, request)
		}
		close(ch)
	}
}

func (p *soaker) errorMessage(m *wamp.ErrorMessage) {
	if m.RequestType == wamp.TypeCall {
		p.callError(m)
		return
	}
	req := p.requests[m.Request]
	if req == nil || req.kind != m.RequestType {
		p.fail("ERROR for %v %d, which was not asked or is answered", m.RequestType, m.Request)
		return
	}
	delete(p.requests, m.Request)
	p.answeredTo = req.said
	switch {
	case req.again && (m.Error == wamp.URINoSuchSubscription || m.Error == wamp.URINoSuchRegistration):
	case req.kind == wamp.TypeUnregister && m.Error == wamp.URINoSuchRegistration && p.revoked(req.registration):
	case req.kind == wamp.TypeRegister && m.Error == wamp.URIProcedureExists:
	default:
		p.fail("%v %d failed with %s", req.kind, m.Request, m.Error)
	}
}

// revoked reports whether a registration may have been taken from the session.
// A callee without features is not told so.
func (p *soaker) revoked(reg wamp.ID) bool {
	_, had := p.regs[reg]
	if p.plain {
		delete(p.regs, reg)
		delete(p.leaving, reg)
	}
	return !had || p.plain
}

// over reports whether the connection has ended.
func (p *soaker) over() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// wait waits, but no longer than the connection lasts.
func (p *soaker) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.gone:
	}
}
