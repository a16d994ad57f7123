package router

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// errEnded tells a link's reader to read no more messages.
var errEnded = errors.New("session ended")

// Features of the peer that change what the router sends it.
const (
	featureCancel             uint16 = 1 << iota // callee.call_canceling
	featureProgress                              // callee.progressive_call_results
	featureCallTimeout                           // callee.call_timeout
	featureReroute                               // callee.call_reroute
	featureStream                                // callee.progressive_call_invocations, and call_canceling
	featureCallerStreams                         // caller.progressive_call_invocations
	featureRevokeRegistration                    // callee.registration_revocation
	featureCalleePassthru                        // callee.payload_passthru_mode
	featureCallerPassthru                        // caller.payload_passthru_mode
	featureReceipts                              // subscriber.x_acknowledged_event_delivery
	featureRevokeSubscription                    // subscriber.subscription_revocation
	featurePublisherPassthru                     // publisher.payload_passthru_mode
)

// A Session is one connection of a peer, from its first byte to its last. If
// the peer asked for a session that can be resumed, the connection's own only
// hands on what is read, to a lasting one that may outlive it; see [seat].
//
// Receive, Flush and Detach belong to the link's reader; every other method is
// safe for any goroutine. Who the peer is (ID and so on) is known to others
// only after it has joined, and never changes.
type Session struct {
	// What a fan-out needs comes first, in four cache lines: with many
	// sessions, reading these is what queuing an event costs.
	out    outbox
	limits *Limits // written once by the reader, before joined is set

	// Fixed at construction.
	router  *Router
	link    Link
	peer    Peer
	traffic *traffic // nil: it is not counted

	// Written once by the reader while it joins, before joined is set.
	id         wamp.ID
	realm      *Realm // under mu, too
	authid     string
	authrole   string
	authmethod string
	provider   string
	features   uint16
	trusted    bool
	returns    bool // HELLO asks what the client has left here
	joined     atomic.Bool

	// Owned by the reader.
	ws        *workspace    // nil between Flush and Receive
	challenge *Challenge    // waiting for AUTHENTICATE
	pending   chan struct{} // a slot for each publication that waits for the Governor; nil until one does
	meter     *meter        // of what is read; nil: it is not limited

	busy   atomic.Bool                // the reader waits, and not for the peer
	ending atomic.Bool                // End or fail was called
	killed atomic.Bool                // another session ended this one, for whatever reason it gave
	silent atomic.Bool                // nobody is told that it left
	tied   atomic.Pointer[tie]        // nil: the session can't be resumed
	why    atomic.Pointer[wamp.Error] // the first reason to end; nil after a goodbye

	mu          sync.Mutex    // guards the following
	left        bool          // nothing may be added any more
	done        chan struct{} // closed when left is set; nil: nobody waits for that
	hello       *time.Timer
	subs        map[wamp.ID]*member
	regs        map[wamp.ID]*endpoint
	calls       map[wamp.ID]*call // as caller, by request
	invocations map[wamp.ID]*call // as callee, by invocation
	lastInvoked wamp.ID
	testaments  *testaments // nil: there was none yet
	receipts    *receipts   // nil: there was none yet
	over        *[]wamp.ID  // progressive invocations of which parts may still come that are to be ignored; nil: there was none yet
	keptBytes   int         // of calls that wait or may have to go to another callee
}

// ID returns the session's ID.
func (s *Session) ID() wamp.ID { return s.id }

// AuthID returns who the peer is, as authentication found.
func (s *Session) AuthID() string { return s.authid }

// AuthRole returns the peer's role.
func (s *Session) AuthRole() string { return s.authrole }

// AuthMethod returns how the peer was authenticated.
func (s *Session) AuthMethod() string { return s.authmethod }

// Claims returns what [Grant.Claims] was when the peer joined.
func (s *Session) Claims() string {
	if p, ok := s.peer.Identity.(*particulars); ok {
		return p.claims
	}
	return ""
}

// Client returns what [Grant.Client] was when the peer joined.
func (s *Session) Client() string {
	if p, ok := s.peer.Identity.(*particulars); ok {
		return p.client
	}
	return ""
}

// Tenure returns what [Grant.Tenure] was when the peer joined.
func (s *Session) Tenure() Tenure {
	if p, ok := s.peer.Identity.(*particulars); ok {
		return p.tenure
	}
	return nil
}

// Particulars are what is known of those few peers of whom more is known than
// everybody has. Once the peer has joined, they are in its Identity's place.
type particulars struct {
	claims, client string
	tenure         Tenure // nil: there is none
}

// Trusted reports whether the peer is a part of the program itself, which may
// do everything.
func (s *Session) Trusted() bool { return s.trusted }

// QueueBytes returns how many bytes may wait for the peer: from WELCOME on by
// its role. It is safe for concurrent use.
func (s *Session) QueueBytes() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.limit
}

// Why returns why the session is ending or has ended, or nil if it is not or
// somebody said goodbye.
func (s *Session) Why() *wamp.Error { return s.why.Load() }

// Realm returns the realm that the peer joined.
func (s *Session) Realm() *Realm { return s.realm }

// Receive handles one whole message from the peer. It uses msg only during
// the call and may change it. After an error the link's reader must not call
// it again: the session is ending, and the peer is told why.
func (s *Session) Receive(msg []byte) error {
	if st := s.seat(); st != nil {
		return st.receive(msg)
	}
	return s.hear(msg)
}

// hear does what Receive says.
func (s *Session) hear(msg []byte) error {
	if s.ending.Load() {
		return errEnded
	}
	if s.ws == nil {
		s.ws = getWorkspace()
	}
	if s.meter != nil {
		if err := s.pace(len(msg)); err != nil {
			return err
		}
	}
	if s.traffic != nil {
		s.traffic.received(len(msg))
	}
	s.ws.dec.MaxDepth = s.router.cfg.MaxDepth
	m, err := s.ws.dec.Decode(s.peer.Serializer, msg)
	if err == nil {
		if s.joined.Load() {
			err = s.handle(m)
		} else {
			err = s.join(m)
		}
	}
	if err != nil {
		if !errors.Is(err, errEnded) {
			s.End(wamp.AsError(err))
		}
		return errEnded
	}
	if s.ws != nil && len(s.ws.dirty) >= flushAhead {
		s.ws.handOver(&s.router.flushers)
	}
	return nil
}

// Flush writes what Receive caused to be sent. The reader calls it before it
// waits for more bytes.
func (s *Session) Flush() {
	if st := s.seat(); st != nil {
		st.flush()
		return
	}
	if s.ws == nil {
		return
	}
	s.ws.flush(&s.router.flushers)
	putWorkspace(s.ws)
	s.ws = nil
}

// Detach ends the session after the connection has: the reader's last call.
// err is why the connection ended, nil or io.EOF if the peer closed it.
func (s *Session) Detach(err error) {
	s.Flush()
	if st := s.seat(); st != nil {
		st.lasting.lose(st)
	}
	s.discard(0)
	s.ending.Store(true)
	s.link.Close()
	s.leave()
	s.router.detach(s)
	s.router.log.LogAttrs(context.Background(), slog.LevelDebug, "connection ended",
		slog.String("peer", s.peer.RemoteAddr), slog.Any("err", err), slog.Any("why", s.why.Load()))
}

// SendControl queues framed bytes of the link's own, such as a ping, among the
// messages.
func (s *Session) SendControl(frame []byte) {
	ws := getWorkspace()
	st := s.seat()
	if st == nil {
		s.traffic.ignore(frame)
	}
	if st == nil && !ws.send(s, frame) {
		st = s.seat() // which it may have got just now
	}
	if st != nil {
		st.control(ws, frame)
	}
	ws.handOver(&s.router.flushers)
	putWorkspace(ws)
}

// sendLater queues frame and leaves writing it to the flushers.
func (s *Session) sendLater(frame []byte) bool {
	switch s.out.push(frame) {
	case flushIt:
		s.router.flushers.add(s)
	case overflow:
		s.overflow()
		return false
	case tooLong:
		s.tooLong()
		return false
	case refused:
		return false
	}
	return true
}

// reply queues a message of the router for the peer. Reader only.
func (s *Session) reply(m wamp.Message) { s.ws.send(s, s.frame(m)) }

// frame encodes and frames m for the peer.
func (s *Session) frame(m wamp.Message) []byte {
	return seal(s.peer.Framing, s.peer.Serializer, m, 0)
}

// seal encodes and frames m, whose payload takes size bytes.
func seal(f *Framing, ser wamp.Serializer, m wamp.Message, size int) []byte {
	buf := make([]byte, f.Headroom, f.Headroom+96+size)
	return f.Seal(m.Append(buf, ser), ser)
}

// End ends the session: the peer gets ABORT before WELCOME and after a
// violation of the protocol, GOODBYE otherwise, then the link's own end. With
// no reason it gets the link's own end only, which is for a peer that has said
// that it goes. The first reason counts. End does not wait.
//
// A session that can be resumed is left by its connection, and not ended, if
// the reason is [wamp.URINetworkFailure] or there is none.
func (s *Session) End(why *wamp.Error) {
	if st := s.seat(); st != nil {
		st.end(why)
		return
	}
	s.end(why, false)
}

// overflow ends a session whose queue is full. What the peer did not get it
// never will, but it is told so if it ever reads again.
func (s *Session) overflow() {
	s.end(&wamp.Error{
		URI:  wamp.URISlowConsumer,
		Text: "events came faster than this session took them, and its queue is full",
	}, true)
}

// tooLong ends a session that must be sent what is longer than its peer takes.
func (s *Session) tooLong() {
	s.router.stats.tooLongEnds.Add(1)
	s.End(&wamp.Error{
		URI:  wamp.URIPayloadSize,
		Text: "a message is longer than this session takes",
	})
}

// takes reports whether frame is no longer than the peer takes.
func (s *Session) takes(frame []byte) bool {
	return s.peer.MaxFrame == 0 || len(frame) <= s.peer.MaxFrame
}

func (s *Session) end(why *wamp.Error, discard bool) {
	if s.ending.CompareAndSwap(false, true) {
		s.finish(why, discard)
		if st := s.seat(); st != nil { // which it has got meanwhile
			st.end(why)
		}
	}
}

// finish does what end says, for whoever has set ending.
func (s *Session) finish(why *wamp.Error, discard bool) {
	s.why.Store(why)
	if l := s.lasting(); l != nil && discard {
		l.giveUp()
	}
	var last []byte
	if why != nil {
		if last = s.frame(s.farewell(why)); !s.takes(last) {
			last = s.frame(s.farewell(&wamp.Error{URI: why.URI}))
		}
	}
	_, flush, dropped := s.out.close(discard, last, s.closeFrame(why))
	if discard {
		s.router.stats.slowConsumers.Add(1)
		s.router.stats.discarded.Add(uint64(dropped) + 1)
	}
	if why != nil && why.URI == wamp.URIProtocolViolation && !s.killed.Load() {
		s.router.stats.violations.Add(1)
		s.router.log.Warn("protocol violation", "peer", s.peer.RemoteAddr, "err", why)
	}
	if flush {
		s.router.flushers.add(s)
	}
	s.router.wg.Go(s.leave)
}

func (s *Session) farewell(why *wamp.Error) wamp.Message {
	details := map[string]any{}
	maps.Copy(details, why.Details)
	if why.Text != "" {
		details["message"] = why.Text
	}
	if !s.joined.Load() || why.URI == wamp.URIProtocolViolation && !s.killed.Load() {
		return &wamp.Abort{Details: details, Reason: why.URI}
	}
	return &wamp.Goodbye{Details: details, Reason: why.URI}
}

// goodbye answers the peer's GOODBYE and ends the session. Reader only.
func (s *Session) goodbye() {
	if !s.ending.CompareAndSwap(false, true) {
		return
	}
	s.leave() // before the answer: whoever sees it can rely on it
	last := s.frame(&wamp.Goodbye{Details: map[string]any{}, Reason: wamp.URIGoodbyeAndOut})
	if _, flush, _ := s.out.close(false, last, s.closeFrame(nil)); flush {
		s.ws.dirty = append(s.ws.dirty, s)
	}
}

// closeFrame returns what ends the connection in its own terms.
func (s *Session) closeFrame(why *wamp.Error) entry {
	if l := s.lasting(); l != nil {
		return l.closeFrame(why)
	}
	return entry{frame: s.link.CloseFrame(why)}
}

// discard gives up what waits for the peer, because its connection is gone.
// unsent is how many frames were being written.
func (s *Session) discard(unsent int) {
	_, _, lost := s.out.close(true, nil, entry{})
	s.router.stats.discarded.Add(uint64(lost + unsent))
}

// fail ends the session because its connection is broken. unsent is how many
// frames were being written.
func (s *Session) fail(err error, unsent int) {
	s.ending.Store(true)
	s.why.CompareAndSwap(nil, &wamp.Error{URI: wamp.URINetworkFailure, Err: err})
	s.discard(unsent)
	s.link.Close() // unblocks the reader, which calls Detach
	if s.busy.Load() {
		s.router.wg.Go(s.leave) // unblocks a reader that waits for something else
	}
}

// leave takes the session out of everything that refers to it. Only the first
// call does something; others return while that may be under way.
func (s *Session) leave() {
	s.mu.Lock()
	if s.left {
		s.mu.Unlock()
		return
	}
	s.left = true
	stopTimer(s.hello)
	if s.done != nil {
		close(s.done)
	}
	subs, regs, calls, invocations := s.subs, s.regs, s.calls, s.invocations
	s.subs, s.regs, s.calls, s.invocations = nil, nil, nil, nil
	wills := s.testaments
	receipts := s.receipts
	s.testaments, s.receipts = nil, nil
	s.mu.Unlock()
	if !s.joined.Load() {
		return
	}
	l := s.lasting()
	if l != nil {
		l.left()
	}
	for _, m := range subs {
		m.leave()
		s.realm.broker.remove(m)
	}
	ws := getWorkspace()
	s.realm.dealer.leave(ws, s, regs, calls, invocations)
	ws.handOver(&s.router.flushers)
	putWorkspace(ws)
	receipts.leave(s)
	s.realm.forget(s)
	if t := s.Tenure(); t != nil {
		t.End()
	}
	s.traffic.end()
	if !s.silent.Load() {
		if wills != nil {
			s.realm.run(func() { wills.execute(s) }) // it may have to wait
		}
		s.realm.meta.note(metaEvent{topic: sessionLeft, session: s})
	}
	s.router.stats.left.Add(1)
	s.realm.done()
	if l != nil {
		s.router.release(s)
	}
}
