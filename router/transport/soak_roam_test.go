package transport_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	resumeWindow = 2 * time.Second
	resumeBytes  = 128 << 10
)

// Further ways in which a client's connection ends.
const (
	endBroken  = "broken"  // by the client, which comes back
	endRefused = "refused" // of a session that came instead of the one to be resumed
)

// secondsAhead is for how long the router may have to read what a client has
// sent that it reads at a rate.
const secondsAhead = 5

// A roaming is what a client has that can resume its session: it counts what
// it gets, and keeps what it has sent until that is known to be handled.
type roaming struct {
	// The actor's.
	calm bool           // no connection is to break
	over bool           // the session can't be resumed any more
	hung []*brittleConn // connections in the session that were forgotten

	// Guarded by the soaker's mu.
	token    string
	received uint64    // messages after WELCOME
	handled  uint64    // messages that the router is known to have handled
	unsure   []said    // those after them
	bytes    int       // of unsure
	lost     time.Time // when the connection broke, as far as the client did that; zero: it did not
	late     bool      // the window was meant to pass
	refused  bool      // the router says that the session can't be resumed
	times    int       // that it was resumed
}

// A said is a message that counts.
type said struct {
	request wamp.ID // that the router answers in order; 0: it is none
	msg     []byte
}

// requestOf returns the ID of a request that the router answers in order, or 0.
func requestOf(m wamp.Message) wamp.ID {
	switch m := m.(type) {
	case *wamp.Publish:
		return m.Request
	case *wamp.Subscribe:
		return m.Request
	case *wamp.Unsubscribe:
		return m.Request
	case *wamp.Register:
		return m.Request
	case *wamp.Unregister:
		return m.Request
	default:
		return 0
	}
}

// keep keeps a message that is sent.
func (r *roaming) keep(m wamp.Message, msg []byte) {
	r.unsure = append(r.unsure, said{requestOf(m), msg})
	r.bytes += len(msg)
}

// ahead reports whether so much may have to be sent again that the session
// should rather wait, or so much is on its way that it will take long to be read.
// It asks for an answer, if none is due. mu is held.
func (p *soaker) ahead() bool {
	rate := p.profile.limits.MessageRate
	paced := rate > 0 && p.said-p.answeredTo > int64(secondsAhead*rate)
	if !paced && (p.roam == nil || p.roam.bytes < 128<<10) {
		return false
	}
	if len(p.requests) == 0 {
		p.barrier()
	}
	if p.rnd.IntN(8) == 0 {
		p.answer(false) // others wait for that
	}
	return true
}

// mayBreak reports whether little would have to be sent again if the connection
// broke. With much on its way a client would come to no end.
func (p *soaker) mayBreak() bool {
	if p.roam == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.roam.bytes < 32<<10
}

// handledUpTo forgets what was sent up to a request, because that is answered.
func (r *roaming) handledUpTo(request wamp.ID) {
	for i := range r.unsure {
		if r.unsure[i].request == request {
			r.forget(i + 1)
			return
		}
	}
}

func (r *roaming) forget(n int) {
	for i := range r.unsure[:n] {
		r.bytes -= len(r.unsure[i].msg)
	}
	r.unsure = slices.Delete(r.unsure, 0, n)
	r.handled += uint64(n)
}

// welcome checks what WELCOME says about the session. mu is held.
func (p *soaker) welcome(m *wamp.Welcome) {
	first := p.id == 0
	r := p.roam
	if r == nil {
		p.id = m.Session
		return
	}
	resumed, told := m.Details["resumed"].(bool)
	token, _ := m.Details["resume_token"].(string)
	switch {
	case told == first:
		p.fail("WELCOME with resumed: %v", m.Details["resumed"])
	case first || resumed:
		if !first {
			p.takenUp(m)
		}
		if token == "" || token == r.token {
			p.fail("WELCOME with the token %q, and that before is %q", token, r.token)
		}
		p.id, r.token = m.Session, token
	default:
		p.refused(m)
	}
}

// takenUp checks the WELCOME of a session that is resumed.
func (p *soaker) takenUp(m *wamp.Welcome) {
	r := p.roam
	n, ok := m.Details["_received"].(int64)
	switch most := r.handled + uint64(len(r.unsure)); {
	case m.Session != p.id:
		p.fail("session %d was resumed as %d", p.id, m.Session)
	case !ok || uint64(n) < r.handled || uint64(n) > most:
		p.fail("WELCOME says that %v messages were handled, want %d to %d", m.Details["_received"], r.handled, most)
	default:
		r.forget(int(uint64(n) - r.handled))
	}
	r.times++
	p.sk.tally.resumed.Add(1)
}

// refused checks the WELCOME of a new session in place of the one that was to
// be resumed: why must be counted.
func (p *soaker) refused(m *wamp.Welcome) {
	r, t := p.roam, &p.sk.tally
	r.refused = true
	if m.Session == p.id {
		p.fail("WELCOME says that session %d is not resumed", p.id)
	}
	switch why, _ := m.Details["_resume_refused"].(string); {
	case why == "lost":
		t.outdated.Add(1)
	case why != "":
		p.fail("WELCOME refuses to resume because of %q", why)
	case !r.lost.IsZero() && time.Since(r.lost) < resumeWindow:
		t.early.Add(1)
	default:
		t.expired.Add(1)
	}
}

// maybeArm has the connection break in a while, now and then.
func (p *soaker) maybeArm() {
	if p.rnd.IntN(6) == 0 && p.mayBreak() {
		p.arm()
	}
}

// arm has the connection break after some bytes.
func (p *soaker) arm() {
	p.wire.raw.arm(p.rnd.IntN(15_000), p.rnd.IntN(10_000), breakage(p.rnd.IntN(int(numBreakages))))
}

// steady has the connection break no more, and reports whether the session
// lives, on another one if need be.
func (p *soaker) steady() bool {
	if p.roam != nil {
		p.roam.calm = true
	}
	for !p.wire.raw.disarm() || p.over() {
		if !p.back() {
			return false
		}
	}
	return true
}

// back takes the session up again if its connection has ended, and reports
// whether that could be done. The actor calls it.
func (p *soaker) back() bool {
	r := p.roam
	if r == nil || r.over {
		return false
	}
	for {
		<-p.gone
		if !p.mayReturn() {
			r.over = true
			return false
		}
		if p.wire.raw.hangs() {
			r.hung = append(r.hung, p.wire.raw)
		}
		if !p.stayAway() {
			p.ends(endCut) // the session is left to end by itself
			r.over = true
			return false
		}
		if p.resume() {
			return !r.over
		}
	}
}

// mayReturn reports whether a session may go on whose connection has ended.
func (p *soaker) mayReturn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, e := p.roam, &p.end
	at, broken := p.wire.raw.brokenAt()
	if p.joined {
		r.lost, r.late = at, false
	}
	switch {
	case p.joined && (e.goodbye != "" || e.abort != "") || e.violated:
		return false
	case e.ours == "" && !broken && !p.excused():
		p.fail("the connection ended, and nobody says why")
		return false
	case e.ours != "" && e.ours != endBroken:
		return false
	}
	p.sk.tally.broken.Add(1)
	return true
}

// stayAway waits before the client comes back, sometimes for longer than it
// may. It reports false if the client does not.
func (p *soaker) stayAway() bool {
	pause := min(time.Duration(p.rnd.ExpFloat64()*150)*time.Millisecond, resumeWindow)
	if p.rnd.IntN(15) == 0 {
		pause += resumeWindow
	}
	select {
	case <-p.sk.hurried():
		return p.rnd.IntN(2) == 0
	case <-time.After(pause):
		return p.rnd.IntN(30) > 0
	}
}

// resume tries to take the session up on another connection. It reports whether
// the matter is decided; if it is not, the connection has ended.
func (p *soaker) resume() bool {
	r := p.roam
	pl, wire, err := p.reopen()
	if err != nil {
		p.sk.failed("connect: " + err.Error())
		r.over = true
		return true
	}
	p.mu.Lock()
	p.place, p.wire, p.joined, p.end = pl, wire, false, ending{code: -1}
	p.gone, p.welcomed = make(chan struct{}), make(chan struct{})
	p.trace.remark("comes back over %s, with %d messages received", pl.name, r.received)
	p.startReading()
	hello := p.helloMessage()
	hello.Details["resume-session"], hello.Details["resume-token"], hello.Details["_received"] = p.id, r.token, r.received
	p.put(hello.Append(nil, p.ser))
	p.mu.Unlock()
	select {
	case <-p.welcomed:
	case <-p.gone:
		select {
		case <-p.welcomed:
		default:
			return false
		}
	case <-time.After(patientlyWaited):
		p.complain("no WELCOME came")
		r.over = true
		return true
	}
	p.mu.Lock()
	refused := r.refused
	if !refused {
		for _, s := range r.unsure {
			p.put(s.msg)
		}
	}
	p.mu.Unlock()
	p.settleHung()
	if refused {
		p.decline()
		r.over = true
	} else if r.calm {
		wire.raw.disarm()
	}
	return true
}

// reopen opens another connection, of any kind that the session may have.
func (p *soaker) reopen() (pl *place, wire *soakWire, err error) {
	for {
		pl = p.sk.places[p.rnd.IntN(len(p.sk.places))]
		if pl.bare && !p.small {
			continue // a RawSocket takes less than a WebSocket
		}
		wire, err = p.sk.open(p.rnd, pl, p.profile, p.ser, !p.roam.calm && p.rnd.IntN(3) == 0 && p.mayBreak())
		if !errors.Is(err, errBroken) {
			return pl, wire, err
		}
	}
}

// decline leaves the session that came in place of the one to be resumed.
func (p *soaker) decline() {
	p.ends(endRefused)
	p.mu.Lock()
	p.put((&wamp.Goodbye{Reason: wamp.URICloseRealm}).Append(nil, p.ser))
	p.mu.Unlock()
	p.awaitEnd("GOODBYE was said to a new session")
}

// settleHung checks that the server closes the connections that the client has
// forgotten, now that another one has their session, or that has ended.
func (p *soaker) settleHung() {
	for _, c := range p.roam.hung {
		p.sk.wg.Go(func() {
			defer c.Conn.Close()
			_ = c.SetReadDeadline(time.Now().Add(patientlyWaited))
			if _, err := io.Copy(io.Discard, c.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
				p.complain("a connection is still open %v after another took its session", patientlyWaited)
			}
		})
	}
	p.roam.hung = nil
}

// dropHung closes what was forgotten.
func (r *roaming) dropHung() {
	for _, c := range r.hung {
		c.Conn.Close()
	}
	r.hung = nil
}
