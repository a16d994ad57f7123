package transport_test

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// longLost is for how long a client goes on waiting for what has not come
	// after patientlyWaited. What comes within that was slow, as it is where a
	// callee is read at no more than its rate, or on a busy machine; what does
	// not is lost.
	longLost = 4 * time.Minute

	maxTrail = 12 // steps of a call that are remembered, the last ones
)

// Trails are how far calls are that are not answered, for the report of one
// that never is: who had to say the next word.
type trails struct {
	mu    sync.Mutex // guards the following
	calls map[callKey][]trailStep
}

// A callKey names a call: the client's number, and its request.
type callKey struct {
	caller  int64
	request wamp.ID
}

// A trailStep is something that happened to a call at a callee.
type trailStep struct {
	at         time.Time
	what       string
	callee     *soaker
	invocation wamp.ID // of the callee
}

// begin notes a call of p.
func (ts *trails) begin(p *soaker, request wamp.ID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.calls[callKey{p.number, request}] = nil
}

// end forgets a call of p.
func (ts *trails) end(p *soaker, request wamp.ID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.calls, callKey{p.number, request})
}

// step notes what the callee does for the call with these arguments, if that is
// not answered. args may be missing.
func (ts *trails) step(callee *soaker, invocation wamp.ID, args []any, what string) {
	if len(args) < 2 {
		return
	}
	caller, _ := args[0].(int64)
	request, _ := args[1].(int64)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	key := callKey{caller, wamp.ID(request)}
	steps, ok := ts.calls[key]
	if !ok {
		return
	}
	if len(steps) == maxTrail {
		steps = steps[1:]
	}
	ts.calls[key] = append(steps, trailStep{time.Now(), what, callee, invocation})
}

// of tells of what happened to a call of p, and how its callees are now.
func (ts *trails) of(p *soaker, request wamp.ID) string {
	ts.mu.Lock()
	steps := append([]trailStep(nil), ts.calls[callKey{p.number, request}]...)
	ts.mu.Unlock()
	if len(steps) == 0 {
		return "\n    no callee has got it"
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "\n    %s client %d %s (invocation %d)", s.at.Format("04:05.000000"), s.callee.number, s.what, s.invocation)
	}
	last := &steps[len(steps)-1]
	if last.callee == p {
		return b.String() + "; that is the caller"
	}
	fmt.Fprintf(&b, "\n    now %s", last.callee.state(last.invocation))
	return b.String()
}

// state says how a callee is. Its mu is not waited for: its actor may be telling
// of others, too.
func (p *soaker) state(invocation wamp.ID) string {
	for range 100 {
		if p.mu.TryLock() {
			defer p.mu.Unlock()
			return p.stateLocked(invocation)
		}
		time.Sleep(time.Millisecond)
	}
	return "it is busy"
}

func (p *soaker) stateLocked(invocation wamp.ID) string {
	var b strings.Builder
	fmt.Fprintf(&b, "role %s, %s, session %d, %d invocations to answer (this one: %v), %d requests and %d calls not answered, %d bytes to write, ",
		p.profile.role, p.place.name, p.id, len(p.owed), p.owed[invocation] != nil || p.parts[invocation] > 0, len(p.requests), len(p.calls), p.wire.pending())
	if r := p.roam; r != nil {
		fmt.Fprintf(&b, "%d messages (%d bytes) not known to be handled, ", len(r.unsure), r.bytes)
	}
	switch {
	case !p.over():
		b.WriteString("connected")
	case p.end.ours == "":
		b.WriteString("its connection has ended")
	default:
		fmt.Fprintf(&b, "its connection has ended (%s)", p.end.ours)
	}
	return b.String()
}

// A waiting is the patience of a client for answers.
type waiting struct {
	p     *soaker
	began time.Time
	late  string // what was told when patientlyWaited was over; "": it is not
}

// overdue reports whether what is awaited must be taken for lost. what tells of
// it. mu is held.
func (w *waiting) overdue(what func() string) bool {
	took := time.Since(w.began)
	if w.late == "" && took > patientlyWaited {
		w.late = what()
	}
	return took > patientlyWaited+longLost
}

// done is called when all has come.
func (w *waiting) done() {
	if w.late != "" {
		w.p.sk.slow(fmt.Sprintf("client %d (role %s) had to wait for %v; after %v: %s",
			w.p.number, w.p.profile.role, time.Since(w.began).Round(time.Millisecond), patientlyWaited, w.late))
	}
}

// tellLong tells of a call that is being answered, if none has taken so long.
func (p *soaker) tellLong(request wamp.ID) {
	c := p.calls[request]
	took, t := time.Since(c.at), &p.sk.tally
	for longest := t.longest.Load(); int64(took) > longest; longest = t.longest.Load() {
		if !t.longest.CompareAndSwap(longest, int64(took)) {
			continue
		}
		if took > patientlyWaited/4 {
			p.sk.t.Logf("no call took longer than %v: client %d (%s), request %d %s%s",
				took.Round(time.Millisecond), p.number, p.stateLocked(0), request, c, p.sk.trails.of(p, request))
		}
		return
	}
}

// slow tells of what came, and took long.
func (sk *soak) slow(what string) {
	sk.tally.slowly.Add(1)
	sk.t.Log("slow: " + what)
}
