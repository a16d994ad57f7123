package dynamic

import (
	"container/list"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A question is what an answer is good for. The session is part of it, because
// it is part of what the procedure is told: nobody but the procedure knows
// whether another session of the same user would get the same answer.
type question struct {
	session wamp.ID
	action  router.Action
	match   wamp.Match
	uri     wamp.URI
	options string // in JSON
}

// overhead is about what an entry takes besides its texts.
const overhead = 256

func (q *question) size() int { return overhead + len(q.uri) + len(q.options) }

// A cache keeps answers, bounded in number, bytes and time. The one that was
// not used for the longest time makes room.
type cache struct {
	// Fixed at construction.
	most, mostBytes int
	ttl             time.Duration

	mu      sync.Mutex // guards the following
	entries map[question]*list.Element
	used    *list.List // of *entry, the last used first
	bytes   int
	flushed uint64 // how often answers were to be forgotten
}

type entry struct {
	question
	authid   string
	asked    wamp.ID // the registration that answered
	expires  time.Time
	decision router.Decision
}

func newCache(most, mostBytes int, ttl time.Duration) *cache {
	return &cache{most: most, mostBytes: mostBytes, ttl: ttl, entries: make(map[question]*list.Element), used: list.New()}
}

// get returns the answer that the registration gave to the question.
func (c *cache) get(q question, registration wamp.ID, now time.Time) (router.Decision, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[q]
	if el == nil {
		return router.Decision{}, false
	}
	e := el.Value.(*entry)
	if e.asked != registration || !now.Before(e.expires) {
		c.removeLocked(el)
		return router.Decision{}, false
	}
	c.used.MoveToFront(el)
	return e.decision, true
}

// age returns what put has to know about the time when the question was asked.
func (c *cache) age() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushed
}

// put keeps an answer to what was asked at that age, if it is not too large by
// itself. An answer that was under way when others were forgotten may be as old
// as they were.
func (c *cache) put(q question, authid string, registration wamp.ID, d router.Decision, age uint64, now time.Time) {
	if q.size() > c.mostBytes || c.most == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if age != c.flushed {
		return
	}
	if el := c.entries[q]; el != nil {
		c.removeLocked(el)
	}
	c.entries[q] = c.used.PushFront(&entry{question: q, authid: authid, asked: registration, expires: now.Add(c.ttl), decision: d})
	c.bytes += q.size()
	for len(c.entries) > c.most || c.bytes > c.mostBytes {
		c.removeLocked(c.used.Back())
	}
}

// flush forgets the answers about sessions of a user, of everybody if authid is
// empty, and returns how many.
func (c *cache) flush(authid string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushed++
	for el := c.used.Front(); el != nil; {
		next := el.Next()
		if authid == "" || el.Value.(*entry).authid == authid {
			c.removeLocked(el)
			n++
		}
		el = next
	}
	return n
}

func (c *cache) removeLocked(el *list.Element) {
	e := c.used.Remove(el).(*entry)
	delete(c.entries, e.question)
	c.bytes -= e.size()
}

// size returns how many answers are kept.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
