package transport

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// serveReceive answers with messages, as soon as there is one.
func (p *poll) serveReceive(x *exchange, r *http.Request) {
	ack, no := ackIn(r)
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
		p.deliver(x, rc, msgs, last, ack.given)
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

// ackIn reads the ack in the query of a request. It must not pass for one without,
// which would say that everything has arrived.
func ackIn(r *http.Request) (ack, *refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return ack{}, &refusal{status: http.StatusBadRequest, text: fmt.Sprintf("the query cannot be read: %v", err)}
	case len(query["ack"]) > 1:
		return ack{}, &refusal{status: http.StatusBadRequest, text: fmt.Sprintf("ack: expected once, found %d times", len(query["ack"]))}
	}
	return ackOf(query.Get("ack"))
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
	answers := p.answeredLocked()
	p.mu.Unlock()
	p.bring(answers)
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
	said := a
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
	p.saidLocked(said, stream)
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
		if ctx.Err() != nil {
			return nil, 0, peerGone // and what there is waits for who is there
		}
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
	msgs, last, ended = p.fetchLocked(rc, most)
	answers := p.answeredLocked()
	p.mu.Unlock()
	p.bring(answers)
	return msgs, last, ended
}

func (p *poll) fetchLocked(rc *receiver, most int) (msgs [][]byte, last uint64, ended bool) {
	if p.receiver != rc || p.closed {
		return nil, 0, false
	}
	if p.sent == len(p.kept) {
		p.kept, ended = p.box.take(p.kept, most)
		p.siftLocked(p.sent)
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
func (p *poll) deliver(x *exchange, rc *receiver, msgs [][]byte, last uint64, acked bool) {
	x.w.Header().Set(headerSeq, strconv.FormatUint(last, 10))
	err := x.answer(mediaTypes[p.serializer], p.join(msgs), time.Now().Add(p.lp.cfg.WriteTimeout))
	switch {
	case err == nil:
		p.lp.stats.out.Add(uint64(len(msgs)))
		if !acked {
			p.arrived(rc, last)
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

// arrived forgets messages up to a number, unless a later receiver has said
// meanwhile what the client has.
func (p *poll) arrived(rc *receiver, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.receiver == rc && last >= p.first {
		p.dropLocked(min(int(last+1-p.first), p.sent))
	}
}
