package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/network"
)

// newcomers counts the clients that nobody is logged in at and that are given
// their first token, since each of those is kept for as long as it is good: in
// all, and by address. It counts anew each minute, and so never knows of more
// addresses than there may be newcomers in one.
type newcomers struct {
	mu    sync.Mutex // guards the following
	since time.Time  // when it began to count
	all   int
	from  map[netip.Prefix]int
}

// newcomersPeriod is for how long newcomers are counted together.
const newcomersPeriod = time.Minute

// add counts a newcomer, unless there are too many. first is whether they are the
// first of whom that is so, and wait how long it is so.
func (n *newcomers) add(remote string, most, mostFrom int, now time.Time) (wait time.Duration, first, ok bool) {
	client := network.Of(remote)
	known := client.IsValid()
	n.mu.Lock()
	defer n.mu.Unlock()
	if passed := now.Sub(n.since); passed >= newcomersPeriod || passed < 0 {
		n.since, n.all = now, 0
		n.from = make(map[netip.Prefix]int)
	}
	wait = newcomersPeriod - now.Sub(n.since)
	switch {
	case n.all >= most:
		first = n.all == most
		n.all = most + 1
		return wait, first, false
	case known && n.from[client] >= mostFrom:
		first = n.from[client] == mostFrom
		n.from[client] = mostFrom + 1
		return wait, first, false
	}
	n.all++
	if known {
		n.from[client]++
	}
	return 0, false, true
}
