package router

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// How a shutdown, and the end of a realm, spread their goodbyes. Thousands at
// once would have the machine close that many connections in one moment, and
// every client that does not know _retry_after come back in the next.
const (
	maxGoodbyes  = 5 * time.Second       // for all of them
	goodbyeEvery = 50 * time.Millisecond // one step
	goodbyesEach = 200                   // to how many sessions it is said in a step, at least
)

// sayGoodbye ends the sessions, one step after the other, each for the reason
// that why gives. When ctx is done it ends the rest at once.
func sayGoodbye(ctx context.Context, open []*Session, why func(i int) *wamp.Error) {
	window := maxGoodbyes
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)/3) // clients need some time to leave, too
	}
	steps := max(1, int(window/goodbyeEvery))
	each := max(goodbyesEach, (len(open)+steps-1)/steps)
	tick := time.NewTicker(goodbyeEvery)
	defer tick.Stop()
	for i, s := range open {
		if i > 0 && i%each == 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		s.End(why(i))
	}
}

// shuttingDown is why a shutdown ends the i-th session.
func (r *Router) shuttingDown(i int) *wamp.Error {
	return &wamp.Error{
		URI:     wamp.URISystemShutdown,
		Text:    "the router is shutting down",
		Details: retryDetails(r.admit.comeBack(i)),
	}
}
