package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gammazero/nexus/v3/wamp"

	routed "github.com/wireroom/wireroom/router/wamp"
)

// A gatePeer stands between nexus's client and its connection, because the
// client by itself
//
//   - loses events that follow SUBSCRIBED at once, as a replay does: it
//     registers the handler in another goroutine than the one that receives.
//     The gate holds messages back after SUBSCRIBED until open is called;
//   - turns ERROR and ABORT into one line of text. The gate remembers the last
//     one as it came;
//   - waits long to say goodbye on a connection that is gone. The gate takes
//     what cannot be sent any more, and forgets it.
//
// It has two goroutines, which Close ends and waits for.
type gatePeer struct {
	wamp.Peer
	in   chan wamp.Message // from the client; never closed
	out  chan wamp.Message // to the client; closed by receive
	next chan struct{}     // a value lets the messages after SUBSCRIBED through; never closed
	lost chan struct{}     // closed by receive when the connection is gone
	done chan struct{}     // closed by Close

	owned   sync.WaitGroup
	closing sync.Once
	refused atomic.Pointer[refusal]
}

// A refusal is an ERROR or ABORT message, or a GOODBYE that the client did
// not ask for.
type refusal struct {
	URI     string
	Text    string
	Goodbye bool // the session ended; nothing was refused

	RetryAfter time.Duration // when to come back; 0: it was not said

	// Where in the text of a query something is wrong, both from 1; 0: there is
	// no such place.
	Line, Column int
	Shown        string // the place, for a person, on lines of its own
}

func (r *refusal) Error() string {
	s := printable(r.URI)
	if r.Text != "" {
		s = fmt.Sprintf("%s (%s)", printable(r.Text), s)
	}
	if r.Goodbye {
		s = "the gateway ended the session: " + s
	}
	if r.RetryAfter > 0 {
		s += "; " + tryAgain(r.RetryAfter)
	}
	if r.Shown != "" {
		s += "\n" + r.Shown
	}
	return s
}

// tryAgain says to a person when to come back.
func tryAgain(after time.Duration) string {
	return "try again in " + strconv.FormatFloat(after.Seconds(), 'f', -1, 64) + " s"
}

func (r *refusal) exitCode() int {
	if r.Goodbye {
		return exitUnreachable
	}
	return exitRefused
}

func newGate(inner wamp.Peer) *gatePeer {
	g := &gatePeer{
		Peer: inner,
		in:   make(chan wamp.Message),
		out:  make(chan wamp.Message),
		next: make(chan struct{}),
		lost: make(chan struct{}),
		done: make(chan struct{}),
	}
	g.owned.Go(g.receive)
	g.owned.Go(g.send)
	return g
}

// Recv returns the messages that were let through.
func (g *gatePeer) Recv() <-chan wamp.Message { return g.out }

// Send takes messages for the router.
func (g *gatePeer) Send() chan<- wamp.Message { return g.in }

// Close closes the connection.
func (g *gatePeer) Close() {
	g.closing.Do(func() {
		close(g.done)
		g.owned.Wait()
		g.Peer.Close()
	})
}

// open lets the messages that follow a SUBSCRIBED through. It must be called
// once after each.
func (g *gatePeer) open() {
	select {
	case g.next <- struct{}{}:
	case <-g.done:
	}
}

// receive hands on what comes until the connection or the gate is closed.
func (g *gatePeer) receive() {
	defer close(g.out)
	defer close(g.lost)
	for {
		var msg wamp.Message
		var ok bool
		select {
		case msg, ok = <-g.Peer.Recv():
		case <-g.done:
		}
		if !ok {
			return
		}
		g.note(msg)
		select {
		case g.out <- msg:
		case <-g.done:
			return
		}
		if _, ok := msg.(*wamp.Subscribed); ok {
			select {
			case <-g.next:
			case <-g.done:
				return
			}
		}
	}
}

// send hands messages to the connection while there is one.
func (g *gatePeer) send() {
	for {
		select {
		case msg := <-g.in:
			select {
			case g.Peer.Send() <- msg:
			case <-g.lost:
			case <-g.done:
				return
			}
		case <-g.done:
			return
		}
	}
}

func (g *gatePeer) note(msg wamp.Message) {
	switch m := msg.(type) {
	case *wamp.Error:
		r := &refusal{URI: string(m.Error)}
		if len(m.Arguments) > 0 {
			r.Text, _ = wamp.AsString(m.Arguments[0])
		}
		r.Line, r.Column = placeIn(m.ArgumentsKw)
		g.refused.Store(r)
	case *wamp.Abort:
		g.refused.Store(newRefusal(m.Reason, m.Details))
	case *wamp.Goodbye:
		r := newRefusal(m.Reason, m.Details)
		r.Goodbye = true
		g.refused.Store(r)
	}
}

// placeIn returns the place in a query that the details of an ERROR name.
func placeIn(details wamp.Dict) (line, column int) {
	l, _ := wamp.AsInt64(details["line"])
	c, _ := wamp.AsInt64(details["column"])
	if l < 1 || l > math.MaxInt32 || c < 1 || c > math.MaxInt32 {
		return 0, 0
	}
	return int(l), int(c)
}

// showPlace has explain show where in the text of a query the router found
// something wrong, if it said so.
func (g *gatePeer) showPlace(text string) {
	if r := g.refused.Load(); r != nil && r.URI == string(routed.URIInvalidQuery) {
		shown := *r
		shown.Shown = pointAt(text, r.Line, r.Column)
		g.refused.Store(&shown)
	}
}

func newRefusal(reason wamp.URI, details wamp.Dict) *refusal {
	r := &refusal{URI: string(reason)}
	r.Text, _ = wamp.AsString(details["message"])
	if s, ok := wamp.AsFloat64(details["_retry_after"]); ok && s > 0 && s < 1e6 {
		r.RetryAfter = time.Duration(s * float64(time.Second)).Round(time.Millisecond)
	}
	return r
}

// explain returns what the router said last, as an exitError, or err if it
// said nothing.
func (g *gatePeer) explain(err error) error {
	if err == nil {
		return nil
	}
	if r := g.refused.Load(); r != nil {
		return &exitError{code: r.exitCode(), err: r}
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e
	}
	return &exitError{code: exitUnreachable, err: err}
}
