package transport

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

var _ router.Link = (*poll)(nil)

// errAway is why the session of a client ends that fetches no messages.
var errAway = errors.New("the client did not come back for messages")

// A poll is one client of a [LongPoll], and the link of its session.
//
// The session's reader is whoever holds the turn: one request to send at a time,
// and at last the goroutine that detaches the session. Of the requests to
// receive and the event streams one is served, the latest.
type poll struct {
	// Fixed at construction.
	lp         *LongPoll
	name       string // what the client is known by: a secret
	serializer wamp.Serializer
	batched    bool
	box        mailbox
	turn       chan struct{} // holds a value while nobody is the session's reader
	over       chan struct{} // closed by Close; never sent to
	gone       chan struct{} // closed when the session is detached; never sent to

	sess session // set before anybody else knows the poll

	mu        sync.Mutex  // guards the following
	receiver  *receiver   // nil: the client is not receiving
	sender    *exchange   // a request to send that is being read; nil: there is none
	timer     *time.Timer // calls expire; nil before start
	due       time.Time   // when that is meant to be
	finishing bool        // everything was put into the box
	closed    bool
	broken    error       // why the transport ended, for the log
	why       *wamp.Error // why the session is ending, if it says; written by CloseFrame

	// Messages that were fetched from the box, in order, and that the client
	// may not have.
	kept  [][]byte
	first uint64 // number of kept[0], or of the message that will be; from 1
	sent  int    // of kept, how many were given to a receiver
	bytes int    // of those

	streamed uint64 // the number of the first message of the first event stream; 0: there was none
}

// A receiver is a request to receive, or an event stream, that is under way.
type receiver struct {
	released chan struct{} // closed when a later one takes its place; never sent to
}

func newReceiver() *receiver { return &receiver{released: make(chan struct{})} }

func newPoll(lp *LongPoll, name string, ser wamp.Serializer, batched bool) *poll {
	return &poll{
		lp: lp, name: name, serializer: ser, batched: batched, box: newMailbox(), first: 1,
		turn: make(chan struct{}, 1), over: make(chan struct{}), gone: make(chan struct{}),
	}
}

// start lets requests come, and begins to wait for the client's return.
func (p *poll) start() {
	p.mu.Lock()
	if !p.closed {
		p.armLocked(p.lp.cfg.Away)
	}
	p.mu.Unlock()
	p.turn <- struct{}{}
}

// armLocked has expire called after d.
func (p *poll) armLocked(d time.Duration) {
	p.due = time.Now().Add(d)
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.expire)
		return
	}
	p.timer.Reset(d)
}

// expire is called when the client has been away for too long, or had its time
// to say that it goes, too.
func (p *poll) expire() {
	p.mu.Lock()
	late := !p.closed && (p.finishing || p.receiver == nil) && !time.Now().Before(p.due)
	finishing := p.finishing
	if late && !finishing {
		p.broken = errAway
	}
	p.mu.Unlock()
	switch {
	case !late: // it came back at the last moment
		return
	case !finishing:
		p.lp.stats.away.Add(1)
		p.sess.End(wamp.Errorf(wamp.URINetworkFailure, "nobody came for messages within %v", p.lp.cfg.Away))
	}
	_ = p.Close() // always nil
}

// TryWrite implements [router.Link].
func (p *poll) TryWrite(bufs [][]byte) (int, error) { return p.box.tryWrite(bufs) }

// Write implements [router.Link].
func (p *poll) Write(bufs [][]byte, deadline time.Time) error { return p.box.write(bufs, deadline) }

// CloseFrame implements [router.Link]. There is none, but the reason is what a
// request to send is answered with.
func (p *poll) CloseFrame(why *wamp.Error) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
	return nil
}

// Finish implements [router.Link]. The client ends the transport by a request to
// close, or by one more to receive.
func (p *poll) Finish(patience time.Duration) {
	p.mu.Lock()
	if !p.closed && !p.finishing {
		p.finishing = true
		p.armLocked(patience)
	}
	p.mu.Unlock()
	p.box.finish()
}

// Close implements [router.Link].
func (p *poll) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	close(p.over)
	p.box.close()
	if p.sender != nil {
		p.sender.cut() // it has the turn; receivers find out by themselves
	}
	go p.detach() // counted in lp.wg
	return nil
}

// fail ends the client at once, because of err.
func (p *poll) fail(err error) {
	p.mu.Lock()
	if p.broken == nil {
		p.broken = err
	}
	p.mu.Unlock()
	_ = p.Close() // always nil
}

// detach ends the session, once the request that is sending is done.
func (p *poll) detach() {
	<-p.turn // for good
	p.mu.Lock()
	err := p.broken
	p.kept = nil
	p.mu.Unlock()
	p.sess.Detach(err)
	p.lp.forget(p)
	close(p.gone)
}

// gonePoll is the answer for a client whose transport has ended.
func gonePoll() *refusal { return &refusal{status: http.StatusNotFound, text: noSuchPoll} }

// serveSend hands the messages of a request to the session.
func (p *poll) serveSend(x *exchange, r *http.Request) {
	// The turn comes first: a client has one body at a time in our memory.
	select {
	case <-p.turn:
	case <-p.over:
		p.lp.answer(x, gonePoll())
		return
	case <-r.Context().Done():
		return
	}
	no := p.receive(x, r)
	p.turn <- struct{}{}
	p.lp.answer(x, no)
}

// setSender says which request to send is being read.
func (p *poll) setSender(x *exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sender = x
	if x != nil && p.closed {
		x.cut()
	}
}

// receive reads a request to send and gives the session what is in it. The
// caller has the turn.
func (p *poll) receive(x *exchange, r *http.Request) *refusal {
	p.setSender(x)
	body, no := p.lp.body(x, r, p.lp.cfg.MaxMessage)
	p.setSender(nil)
	if no != nil {
		return no
	}
	if p.isClosed() {
		return gonePoll()
	}
	defer p.sess.Flush()
	if !p.serializer.Binary() && !utf8.Valid(body) {
		return p.violated("a message in JSON is not UTF-8")
	}
	if !p.batched {
		_, no := p.hand(body)
		return no
	}
	data := opText
	if p.serializer.Binary() {
		data = opBinary
	}
	for {
		msg, rest, bad := firstOfBatch(body, data)
		if bad != nil {
			return p.violated(bad.text)
		}
		if more, no := p.hand(msg); !more || len(rest) == 0 {
			return no
		}
		body = rest
	}
}

// hand gives the session one message, and reports whether it takes more. What
// ends it (a goodbye, or an error that is no violation) is to be received.
func (p *poll) hand(msg []byte) (more bool, no *refusal) {
	p.lp.stats.in.Add(1)
	if p.sess.Receive(msg) == nil {
		return true, nil
	}
	p.mu.Lock()
	why := p.why
	p.mu.Unlock()
	if why != nil && why.URI == wamp.URIProtocolViolation {
		return false, &refusal{status: http.StatusBadRequest, text: why.Text}
	}
	return false, nil
}

// violated ends the session because of what a request has for messages.
func (p *poll) violated(text string) *refusal {
	p.sess.End(wamp.Errorf(wamp.URIProtocolViolation, "%s", text))
	return &refusal{status: http.StatusBadRequest, text: text}
}

func (p *poll) isClosed() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// serveClose ends the session of a client that goes. When it is answered, the
// session is in no list any more.
func (p *poll) serveClose(x *exchange, r *http.Request) {
	p.sess.End(nil)
	_ = p.Close() // always nil
	select {
	case <-p.gone:
	case <-r.Context().Done():
	}
	p.lp.answer(x, nil)
}

// serveReceive answers with messages, as soon as there is one.
func (p *poll) serveReceive(x *exchange, r *http.Request) {
	ack, no := ackOf(r.URL.Query().Get("ack"))
	if no == nil {
		_, no = p.lp.body(x, r, 1<<10) // there should be none
	}
	if no != nil {
		p.lp.answer(x, no)
		return
	}
	rc := newReceiver()
	defer p.leave(rc)
	if no := p.begin(rc, ack, false); no != nil {
		p.lp.answer(x, no)
		return
	}
	most := 1
	if p.batched {
		most = math.MaxInt
	}
	msgs, last, outcome := p.await(r.Context(), rc, most)
	switch outcome {
	case fetched:
		p.deliver(x, msgs, last, ack.given)
	case nothingCame:
		p.lp.answer(x, nil)
	case pollOver:
		p.lp.answer(x, gonePoll())
	}
}

// An ack says up to which message the client has got them.
type ack struct {
	given  bool
	number uint64
}

// ackOf reads an ack from a request. An empty text is none.
func ackOf(text string) (ack, *refusal) {
	if text == "" {
		return ack{}, nil
	}
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return ack{}, &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(
			"the number of the last message that was received must be an integer from 0, not %q", text)}
	}
	return ack{true, n}, nil
}

// begin makes rc the receiver, in place of an earlier one, once what the client
// has got is settled. Every begin is followed by leave.
func (p *poll) begin(rc *receiver, a ack, stream bool) *refusal {
	p.mu.Lock()
	no := p.beginLocked(rc, a, stream)
	lost := no != nil && no.status == http.StatusGone
	p.mu.Unlock()
	if lost {
		p.lp.stats.lost.Add(1)
		p.sess.End(wamp.Errorf(wamp.URINetworkFailure, "messages that the client has not received are not kept any more"))
		p.fail(errors.New("messages are lost"))
	}
	return no
}

func (p *poll) beginLocked(rc *receiver, a ack, stream bool) *refusal {
	if p.closed {
		return gonePoll()
	}
	if next := p.first + uint64(p.sent); a.given && a.number >= next {
		return &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(
			"message %d is said to have been received, and only %d were sent", a.number, next-1)}
	}
	switch {
	case a.given:
	case !stream: // whoever asks again has what there was before
		a.number = p.first + uint64(p.sent) - 1
	case p.streamed > 0: // and a stream that begins anew has nothing
		a.number = p.streamed - 1
	default:
		a.number = p.first + uint64(p.sent) - 1
	}
	if a.number+1 < p.first {
		return &refusal{status: http.StatusGone, text: fmt.Sprintf(
			"messages from %d to %d are not kept any more: open another transport", a.number+1, p.first-1)}
	}
	p.dropLocked(int(a.number + 1 - p.first))
	p.lp.stats.again.Add(uint64(p.sent))
	p.sent, p.bytes = 0, 0
	if stream && p.streamed == 0 {
		p.streamed = p.first
	}
	if p.receiver != nil {
		close(p.receiver.released)
	}
	p.receiver = rc
	if !p.finishing {
		p.timer.Stop()
	}
	return nil
}

// dropLocked forgets the first n of what was sent.
func (p *poll) dropLocked(n int) {
	for _, f := range p.kept[:n] {
		p.bytes -= len(f)
	}
	clear(p.kept[:n])
	if p.kept = p.kept[n:]; len(p.kept) == 0 {
		p.kept = nil
	}
	p.first += uint64(n)
	p.sent -= n
}

// leave ends what begin began, if no later receiver has.
func (p *poll) leave(rc *receiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.receiver != rc {
		p.box.signal() // it may have come here and not to the later one
		return
	}
	p.receiver = nil
	if !p.closed && !p.finishing {
		p.armLocked(p.lp.cfg.Away)
	}
}

// An outcome is what a receiver waited for.
type outcome uint8

const (
	fetched     outcome = iota
	nothingCame         // in time, or a later receiver took its place
	pollOver            // and nothing will
	peerGone
)

// await returns up to most messages, when there is one, with the number of the
// last.
func (p *poll) await(ctx context.Context, rc *receiver, most int) ([][]byte, uint64, outcome) {
	var timeout <-chan time.Time
	for {
		msgs, last, ended := p.fetch(rc, most)
		switch {
		case len(msgs) > 0:
			return msgs, last, fetched
		case ended:
			_ = p.Close() // always nil: everything was said, and the client knows
			return nil, 0, pollOver
		}
		if timeout == nil {
			timer := time.NewTimer(p.lp.cfg.Wait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-p.box.wake:
		case <-rc.released:
			return nil, 0, nothingCame
		case <-timeout:
			return nil, 0, nothingCame
		case <-p.over:
			return nil, 0, pollOver
		case <-ctx.Done():
			return nil, 0, peerGone
		}
	}
}

// fetch returns up to most messages that are to be sent next, and the number of
// the last. ended says that there is none and will be none.
func (p *poll) fetch(rc *receiver, most int) (msgs [][]byte, last uint64, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.receiver != rc || p.closed {
		return nil, 0, false
	}
	if p.sent == len(p.kept) {
		p.kept, ended = p.box.take(p.kept, most)
	}
	n := min(most, len(p.kept)-p.sent)
	msgs = append(msgs, p.kept[p.sent:p.sent+n]...)
	p.sent += n
	for _, f := range msgs {
		p.bytes += len(f)
	}
	return msgs, p.first + uint64(p.sent) - 1, ended && n == 0
}

// deliver answers a request to receive. Without an ack the client can't say
// later that it has not got the answer, so one that cannot be written is the
// end.
func (p *poll) deliver(x *exchange, msgs [][]byte, last uint64, acked bool) {
	x.w.Header().Set(headerSeq, strconv.FormatUint(last, 10))
	err := x.answer(mediaTypes[p.serializer], p.join(msgs), time.Now().Add(p.lp.cfg.WriteTimeout))
	switch {
	case err == nil:
		p.lp.stats.out.Add(uint64(len(msgs)))
		if !acked {
			p.arrived(last)
		}
	case !acked:
		p.lp.stats.lost.Add(1)
		p.sess.End(wamp.Errorf(wamp.URINetworkFailure, "messages could not be delivered"))
		p.fail(err)
	}
}

// headerSeq is the header that has the number of the last message in an answer.
const headerSeq = "Wireroom-Seq"

// mediaTypes are those of messages in each serializer.
var mediaTypes = map[wamp.Serializer]string{
	wamp.JSON: "application/json", wamp.MessagePack: "application/x-msgpack", wamp.CBOR: "application/cbor",
}

// join returns the messages of an answer as one body.
func (p *poll) join(frames [][]byte) []byte {
	if !p.batched {
		return WebSocket.Open(frames[0])
	}
	var body []byte
	for _, f := range frames {
		body = appendToBatch(body, WebSocket.Open(f), p.serializer)
	}
	return body
}

// arrived forgets messages up to a number.
func (p *poll) arrived(last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last >= p.first {
		p.dropLocked(min(int(last+1-p.first), p.sent))
	}
}
