package transport

import "sync/atomic"

type pollCounters struct {
	opened, refused, tooMany atomic.Uint64
	away, lost               atomic.Uint64
	again                    atomic.Uint64
	in, out                  atomic.Uint64
}

// LongPollStats counts what a [LongPoll] did since it began.
type LongPollStats struct {
	Open int // clients now

	Opened  uint64 // requests to open that were granted
	Refused uint64 // those that were refused, for whatever reason
	TooMany uint64 // those of them that were refused because of LongPollConfig.MaxOpen

	Away  uint64 // clients that did not come back in time
	Lost  uint64 // clients that were ended because messages to them may be lost
	Again uint64 // messages that were sent again, because the client had not received them

	MessagesIn, MessagesOut uint64
}

// Stats returns the counters as they are now.
func (lp *LongPoll) Stats() LongPollStats {
	lp.mu.Lock()
	open := lp.open
	lp.mu.Unlock()
	return LongPollStats{
		Open:        open,
		Opened:      lp.stats.opened.Load(),
		Refused:     lp.stats.refused.Load(),
		TooMany:     lp.stats.tooMany.Load(),
		Away:        lp.stats.away.Load(),
		Lost:        lp.stats.lost.Load(),
		Again:       lp.stats.again.Load(),
		MessagesIn:  lp.stats.in.Load(),
		MessagesOut: lp.stats.out.Load(),
	}
}
