package transport

import (
	"net/http"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/wamp"
)

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
