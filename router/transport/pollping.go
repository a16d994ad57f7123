package transport

import (
	"bytes"
	"slices"
)

// A client that says with each request to receive which messages it has got can
// be asked, as others are by a ping, whether it has got everything so far: the
// answer comes with what it says. So the pings of its session are never sent.
// They stand in the mailbox, in their place, and are answered as soon as the
// client has said that it has the message before them.
//
// That a client asks again is no answer. Its request may be the same as before,
// repeated by a browser or a proxy that has not seen the answer, over whichever
// connection.

// A habit is how a client receives.
type habit uint8

const (
	habitUnknown habit = iota // it has not received yet
	habitNumbers              // by requests that say what it has got
	habitOther                // by others, or by an event stream
)

// An asked is a ping that has not been answered.
type asked struct {
	after uint64 // the number of the message before it
	data  []byte
}

// mostAsked is how many pings of each kind are remembered.
const mostAsked = 4

// isPing reports whether a frame of the session is a ping, and no message.
func isPing(frame []byte) bool { return frame[0] == bitFin|byte(opPing) }

// PingFrame implements [router.Pinger]. Event streams say what has arrived when
// they are over, and so none is asked for that.
func (p *poll) PingFrame(data []byte, wanted bool) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.habit == habitNumbers || p.habit == habitUnknown && wanted {
		return controlFrame(opPing, data)
	}
	return nil
}

// saidLocked notes what a receiver has said that the client has got.
func (p *poll) saidLocked(a ack, stream bool) {
	if a.given {
		p.had = max(p.had, a.number)
	}
	p.habit = habitOther
	if a.given && !stream {
		p.habit = habitNumbers
	}
}

// siftLocked takes the pings out of kept, from the n-th frame on.
func (p *poll) siftLocked(n int) {
	to := p.kept[:n]
	for _, f := range p.kept[n:] {
		if isPing(f) {
			p.askLocked(asked{after: p.first + uint64(len(to)) - 1, data: f[2:]})
		} else {
			to = append(to, f)
		}
	}
	clear(p.kept[len(to):])
	if p.kept = to; len(to) == 0 {
		p.kept = nil
	}
}

// askLocked notes a ping. If too many of its kind wait for an answer it takes the
// place of the last, which its own answer covers, and not of the first, whose
// answer may be on its way.
func (p *poll) askLocked(a asked) {
	n, last := 0, 0
	for i := range p.asked {
		if bytes.Equal(kindOf(p.asked[i].data), kindOf(a.data)) {
			n, last = n+1, i
		}
	}
	if n == mostAsked {
		p.asked = slices.Delete(p.asked, last, last+1)
	}
	p.asked = append(p.asked, a)
}

// kindOf returns how the router tells its pings apart, of which there are two
// kinds: by how their data begins. A number follows.
func kindOf(data []byte) []byte { return data[:min(len(data), 8)] }

// answeredLocked returns the data of the pings that are answered by now.
func (p *poll) answeredLocked() (data [][]byte) {
	n := 0
	for ; n < len(p.asked) && p.asked[n].after <= p.had; n++ {
		data = append(data, p.asked[n].data)
	}
	if p.asked = p.asked[n:]; len(p.asked) == 0 {
		p.asked = nil
	}
	return data
}

// bring gives answers to the session.
func (p *poll) bring(answers [][]byte) {
	s, ok := p.sess.(interface{ Pong(data []byte) })
	if !ok {
		return
	}
	for _, data := range answers {
		s.Pong(data)
	}
}
