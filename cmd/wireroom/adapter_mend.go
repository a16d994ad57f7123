package main

import (
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
)

// How often, and for how long in vain, a persistent subscription tries to read
// what the hub has passed over.
const (
	mendPause = 50 * time.Millisecond // doubled each time, up to a second
	mendFor   = time.Minute           // without anything that could be read
)

// mend returns the replay that brings the subscription what comes after a position
// in its log, which the hub could not read in time. Unlike one that a client has
// just asked for it goes on while the store cannot be read: the client has all up
// to there, and loses nothing by waiting. It is called while the class is locked.
func (w *watch) mend(after events.Position) router.Replay {
	w.held.Passed(after)
	g, p := w.govern, *w.past
	return func(feed *router.Feed) {
		to := newReplayed(feed, &p, w.held)
		last, pause := after, mendPause
		for until := time.Now().Add(mendFor); ; {
			p.start = events.SincePosition(last.Epoch, last.Offset)
			err := g.bring(&p, to)
			if at := w.held.Reached(); at != last {
				last, pause, until = at, mendPause, time.Now().Add(mendFor)
			}
			if _, passes := unavailable(err); !passes || time.Now().After(until) {
				g.brought(&p, to, err)
				return
			}
			select {
			case <-time.After(pause):
			case <-feed.Context().Done():
				return
			}
			pause = min(2*pause, time.Second)
		}
	}
}
