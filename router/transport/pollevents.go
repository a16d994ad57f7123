package transport

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// comeBack is after how long a browser opens an event stream again that broke.
const comeBack = time.Second

// serveEvents answers with an event stream of all messages from now on, until
// the session ends, the client goes, or it receives in another way. Each event
// has the message's number, by which a client that comes back says what it has
// got.
func (p *poll) serveEvents(x *exchange, r *http.Request) {
	if p.serializer.Binary() {
		p.lp.answer(x, &refusal{status: http.StatusNotAcceptable, text: "an event stream is text: open the transport with " + subprotocolJSON})
		return
	}
	a, no := ackIn(r)
	if text := r.Header.Get("Last-Event-ID"); text != "" && no == nil {
		a, no = ackOf(text) // it is newer: the browser repeats the address as it was
	}
	if no == nil {
		no = p.stream(x, r, a)
	}
	if no != nil {
		p.lp.answer(x, no)
	}
}

// stream serves an event stream, unless it is refused.
func (p *poll) stream(x *exchange, r *http.Request, a ack) *refusal {
	if x.mayRead(time.Time{}) != nil { // the server's own deadline is for requests
		return nil
	}
	rc := newReceiver()
	defer p.leave(rc)
	if no := p.begin(rc, a, true); no != nil {
		return no
	}
	msgs, last, ended := p.fetch(rc, math.MaxInt)
	if ended {
		_ = p.Close() // always nil: the client has everything
		return &refusal{status: http.StatusNoContent}
	}
	e := &eventWriter{x: x, timeout: p.lp.cfg.WriteTimeout}
	e.begin(comeBack)
	alive := time.NewTicker(p.lp.cfg.KeepAlive)
	defer alive.Stop()
	for {
		for i, f := range msgs {
			e.field("id", strconv.AppendUint(nil, last-uint64(len(msgs)-1-i), 10))
			e.field("data", WebSocket.Open(f))
			e.close()
		}
		if len(e.buf) > 0 {
			if e.flush() != nil {
				return nil // the client comes back, or does not
			}
			p.written(len(msgs))
		}
		if msgs, last, ended = p.fetch(rc, math.MaxInt); ended {
			return nil // and the client may ask for what it has not got
		}
		if len(msgs) > 0 {
			continue
		}
		select {
		case <-p.box.wake:
		case <-alive.C:
			e.comment()
		case <-rc.released:
			return nil
		case <-p.over:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// written bounds what is kept of what a stream has written, in case that the
// client has not got it.
func (p *poll) written(messages int) {
	p.lp.stats.out.Add(uint64(messages))
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, p.bytes
	for n < p.sent && bytes > mailboxBytes {
		bytes -= len(p.kept[n])
		n++
	}
	p.dropLocked(n)
}
