package router

import (
	"container/heap"
	"iter"
	"math/rand/v2"
	"slices"
)

// Callees are the endpoints of a registration. One comes, goes and is chosen in
// a time that hardly grows with how many there are. Their desk's mu guards them.
type callees struct {
	invoke Invoke // fixed

	slots []*endpoint // in the order in which they came; nil: it has left
	n     int         // are there
	full  int         // of these have no room
	turn  int         // of roundrobin: the slot from which on it looks

	// Those with room. Some that are about to leave are not among them.
	ordered bitset // the slots, where the order counts
	pool    pool   // for random and load
	clock   uint64 // of load: choices and arrivals
}

// minSlots is how many slots are not worth being closed up.
const minSlots = 16

// all returns the endpoints in the order in which they came.
func (cs *callees) all() iter.Seq[*endpoint] {
	return func(yield func(*endpoint) bool) {
		for _, e := range cs.slots {
			if e != nil && !yield(e) {
				return
			}
		}
	}
}

// has reports whether e is there.
func (cs *callees) has(e *endpoint) bool {
	return e.slot < len(cs.slots) && cs.slots[e.slot] == e
}

// add adds e.
func (cs *callees) add(e *endpoint) {
	e.slot, e.place = len(cs.slots), -1
	cs.slots = append(cs.slots, e)
	cs.n++
	cs.clock++
	e.chosen = cs.clock
	cs.offer(e)
}

// remove takes e out and reports whether it was there.
func (cs *callees) remove(e *endpoint) bool {
	if !cs.has(e) {
		return false
	}
	if e.busy() {
		cs.full--
	}
	cs.withhold(e)
	cs.slots[e.slot] = nil
	if cs.n--; len(cs.slots) > minSlots && cs.n < len(cs.slots)/2 {
		cs.closeUp()
	}
	return true
}

// closeUp gives up the slots of those that have left. It takes no longer than
// they did to come.
func (cs *callees) closeUp() {
	old := cs.slots
	cs.slots = make([]*endpoint, 0, cs.n+cs.n/2)
	turn := 0
	var ordered bitset
	for i, e := range old {
		if i == cs.turn {
			turn = len(cs.slots)
		}
		if e == nil {
			continue
		}
		if cs.ordered.next(i) == i {
			ordered.set(len(cs.slots))
		}
		e.slot = len(cs.slots)
		cs.slots = append(cs.slots, e)
	}
	if cs.turn >= len(old) {
		turn = len(cs.slots)
	}
	cs.turn, cs.ordered = turn, ordered
}

// offer puts e among those with room.
func (cs *callees) offer(e *endpoint) {
	switch cs.invoke {
	case InvokeRandom, InvokeLoad:
		heap.Push(&cs.pool, e)
	default:
		cs.ordered.set(e.slot)
	}
}

// withhold takes e from those with room, if it is there.
func (cs *callees) withhold(e *endpoint) {
	switch {
	case cs.invoke != InvokeRandom && cs.invoke != InvokeLoad:
		cs.ordered.clear(e.slot)
	case e.place >= 0:
		heap.Remove(&cs.pool, e.place)
	}
}

// look returns who is chosen of those with room, or nil.
func (cs *callees) look() *endpoint {
	slot := -1
	switch cs.invoke {
	case InvokeRandom:
		if n := len(cs.pool); n > 0 {
			return cs.pool[rand.IntN(n)]
		}
	case InvokeLoad:
		if len(cs.pool) > 0 {
			return cs.pool[0]
		}
	case InvokeRoundRobin:
		if slot = cs.ordered.next(cs.turn); slot < 0 {
			slot = cs.ordered.next(0)
		}
	case InvokeLast:
		slot = cs.ordered.last()
	default:
		slot = cs.ordered.next(0)
	}
	if slot < 0 {
		return nil
	}
	return cs.slots[slot]
}

// choose picks an endpoint by the policy, leaving out those that were tried,
// and counts the invocation.
func (cs *callees) choose(tried []*endpoint) (*endpoint, choice) {
	var aside []*endpoint
	e := cs.look()
	for ; e != nil; e = cs.look() {
		if !e.session.ending.Load() {
			if !slices.Contains(tried, e) {
				break
			}
			aside = append(aside, e)
		}
		cs.withhold(e) // for good, if it is about to leave
	}
	for _, other := range aside {
		cs.offer(other)
	}
	if e != nil {
		if cs.invoke == InvokeRoundRobin {
			cs.turn = e.slot + 1
		}
		cs.begin(e)
		return e, chosen
	}
	full := cs.full
	for _, other := range tried {
		if cs.has(other) && other.busy() {
			full--
		}
	}
	if full > 0 {
		return nil, allBusy
	}
	return nil, nobodyLeft
}

// begin counts an invocation of e, which has room.
func (cs *callees) begin(e *endpoint) {
	e.running++
	cs.clock++
	e.chosen = cs.clock
	switch {
	case e.busy():
		cs.full++
		cs.withhold(e)
	case cs.invoke == InvokeLoad && e.place >= 0:
		heap.Fix(&cs.pool, e.place)
	}
}

// end counts an invocation of e as over. e may have left.
func (cs *callees) end(e *endpoint) {
	was := e.busy()
	e.running--
	switch {
	case !cs.has(e):
	case was:
		cs.full--
		cs.offer(e)
	case cs.invoke == InvokeLoad && e.place >= 0:
		heap.Fix(&cs.pool, e.place)
	}
}

// A pool is endpoints in no order, or those of a registration by load as a
// heap: first the one with the fewest invocations, of equals the one that was
// chosen, or has come, before the others.
type pool []*endpoint

// Len implements [heap.Interface].
func (p pool) Len() int { return len(p) }

// Less implements [heap.Interface].
func (p pool) Less(i, j int) bool {
	a, b := p[i], p[j]
	switch {
	case a.reg.invoke != InvokeLoad:
		return false
	case a.running != b.running:
		return a.running < b.running
	}
	return a.chosen < b.chosen
}

// Swap implements [heap.Interface].
func (p pool) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].place, p[j].place = i, j
}

// Push implements [heap.Interface].
func (p *pool) Push(x any) {
	e := x.(*endpoint)
	e.place = len(*p)
	*p = append(*p, e)
}

// Pop implements [heap.Interface].
func (p *pool) Pop() any {
	last := len(*p) - 1
	e := (*p)[last]
	(*p)[last], *p = nil, (*p)[:last]
	e.place = -1
	return e
}
