package router

import (
	"container/list"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// Waiting are the calls of a registration that found every callee busy. Callers
// take turns, so that one with many calls is no delay to one with few.
type waiting struct {
	turns   list.List // of *waitingCaller: who is next
	callers map[*Session]*list.Element
	calls   int
	bytes   int // of their arguments
	picky   int // calls that some callee has refused
}

// A waitingCaller is the calls of one caller that wait, in their order.
type waitingCaller struct {
	calls list.List // of *call
	bytes int
}

// add has the call wait, unless too much does. A caller may have as many calls
// there as there are places left, and as many bytes: so there is always a place
// for somebody else's.
func (w *waiting) add(c *call, most, mostBytes int) bool {
	size := c.held.size()
	turn := w.callers[c.caller]
	var own *waitingCaller
	calls, bytes := 0, 0
	if turn != nil {
		own = turn.Value.(*waitingCaller)
		calls, bytes = own.calls.Len(), own.bytes
	}
	if calls >= most-w.calls || bytes+size > mostBytes-w.bytes {
		return false
	}
	if own == nil {
		own = new(waitingCaller)
		if w.callers == nil {
			w.callers = make(map[*Session]*list.Element)
		}
		w.callers[c.caller] = w.turns.PushBack(own)
	}
	c.place = own.calls.PushBack(c)
	own.bytes += size
	w.calls++
	w.bytes += size
	if len(c.tried) > 0 {
		w.picky++
	}
	return true
}

// remove takes a call that waits out.
func (w *waiting) remove(c *call) {
	turn := w.callers[c.caller]
	own := turn.Value.(*waitingCaller)
	own.calls.Remove(c.place)
	c.place = nil
	size := c.held.size()
	own.bytes -= size
	w.calls--
	w.bytes -= size
	if len(c.tried) > 0 {
		w.picky--
	}
	if own.calls.Len() == 0 {
		w.turns.Remove(turn)
		delete(w.callers, c.caller)
	}
}

// next takes the call out that e is to run, or returns nil: the first of the
// caller whose turn it is that e has not refused.
func (w *waiting) next(e *endpoint) *call {
	for turn := w.turns.Front(); turn != nil; turn = turn.Next() {
		own := turn.Value.(*waitingCaller)
		for place := own.calls.Front(); place != nil; place = place.Next() {
			c := place.Value.(*call)
			if slices.Contains(c.tried, e) {
				continue
			}
			w.turns.MoveToBack(turn)
			w.remove(c)
			return c
		}
	}
	return nil
}

// hopeless takes the calls out that none of the callees will run.
func (w *waiting) hopeless(cs *callees) (calls []*call) {
	if w.picky == 0 && cs.n > 0 {
		return nil
	}
	for turn := w.turns.Front(); turn != nil; turn = turn.Next() {
		for place := turn.Value.(*waitingCaller).calls.Front(); place != nil; place = place.Next() {
			c := place.Value.(*call)
			refused := 0
			for _, e := range c.tried {
				if cs.has(e) {
					refused++
				}
			}
			if refused == cs.n {
				calls = append(calls, c)
			}
		}
	}
	for _, c := range calls {
		w.remove(c)
	}
	return calls
}

// A heldCall is what is kept of a CALL that waits or may have to go to another
// callee.
type heldCall struct {
	options   wamp.CallOptions // without Extra
	procedure wamp.URI
	payload   wamp.Payload
}

// size returns how many bytes are kept, roughly.
func (h *heldCall) size() int {
	return h.payload.Len() + len(h.procedure) + len(h.options.TransactionHash) + h.options.Passthru.Len()
}

// message returns h as a message, which shares its memory.
func (h *heldCall) message(request wamp.ID) *wamp.Call {
	return &wamp.Call{Request: request, Options: h.options, Procedure: h.procedure, Payload: h.payload}
}
