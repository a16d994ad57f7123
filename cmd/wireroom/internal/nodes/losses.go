package nodes

import (
	"sync"

	"github.com/wireroom/wireroom/router/wamp"
)

// maxLosses is of how many topics it is remembered how many publications are
// missing. Of others it is counted only.
const maxLosses = 4096

// A place is a topic of a realm.
type place struct{ realm, topic wamp.URI }

// Losses are publications that are missing where somebody waits for them. The zero
// value has none.
type losses struct {
	mu sync.Mutex // guards the following
	by map[place]loss
}

// A loss is how many are missing, and when the last of them would have come.
type loss struct{ n, at uint64 }

// add notes that as many are missing, the last of which would have come at the time.
func (l *losses) add(of place, n, at uint64) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = make(map[place]loss)
	}
	if old, known := l.by[of]; known || len(l.by) < maxLosses {
		l.by[of] = loss{old.n + n, at}
	}
}

// take returns how many are missing before what has come at the time. What came
// before the last of them leaves it to the next.
func (l *losses) take(of place, at uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.by[of]
	if lost.at > at {
		return 0
	}
	delete(l.by, of)
	return lost.n
}
