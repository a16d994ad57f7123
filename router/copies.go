package router

import (
	"sync"

	"github.com/wireroom/wireroom/router/wamp"
)

// mostCopies is how many frames of an event [Copies] have. Those who come back
// together are subscribed in few ways, as a rule; where each has a filter of its
// own, keeping the frames would gain nothing.
const mostCopies = 4

// Copies are the frames of one past event that is sent to many subscribers, each
// by a [Feed] of its own: who is sent the same bytes as another one shares them.
// The zero value is empty. It is safe for concurrent use.
type Copies struct {
	mu   sync.Mutex // guards the following
	list []copied   // at most mostCopies; never changed but at its end
}

// A copied event is a frame, and what it depends on.
type copied struct {
	sub        *subscription
	framing    *Framing
	serializer wamp.Serializer
	frame      []byte
}

// find returns the frame that the member is sent, or nil.
func (c *Copies) find(m *member) []byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	list := c.list
	c.mu.Unlock()
	return findCopy(list, m)
}

func findCopy(list []copied, m *member) []byte {
	for i := range list {
		if e, peer := &list[i], &m.session.peer; e.sub == m.sub && e.framing == peer.Framing && e.serializer == peer.Serializer {
			return e.frame
		}
	}
	return nil
}

// add keeps the frame that the member is sent, if there is room for it, and
// returns it; or the one that another made at the same time.
func (c *Copies) add(m *member, frame []byte) []byte {
	if c == nil {
		return frame
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := findCopy(c.list, m); other != nil {
		return other
	}
	if len(c.list) < mostCopies {
		c.list = append(c.list, copied{m.sub, m.session.peer.Framing, m.session.peer.Serializer, frame})
	}
	return frame
}
