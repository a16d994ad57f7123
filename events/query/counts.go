package query

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A ClassCount is what was done for the events of one class since there is an
// index.
type ClassCount struct {
	Class      string
	Events     uint64 // that were matched
	Candidates uint64 // queries that they were compared with, all in all
	Matches    uint64 // of these, those that matched
}

// Waste returns how many queries were compared with events in vain.
func (c ClassCount) Waste() uint64 { return c.Candidates - c.Matches }

func (c *ClassCount) add(d ClassCount) {
	c.Events += d.Events
	c.Candidates += d.Candidates
	c.Matches += d.Matches
}

// maxCounted is for how many classes there are counts. The events of others are
// counted as those of the class "".
const maxCounted = 10_000

// counts collects what matchers count.
type counts struct {
	mu      sync.Mutex // guards the following
	classes map[string]*classCounts
}

// classCounts are the counters of one class.
type classCounts struct {
	live []*counter // one of each matcher that has seen the class
	gone ClassCount // what matchers had counted that are closed
}

// A counter is written by one matcher, so that none waits for another.
type counter struct {
	events, candidates, matches atomic.Uint64
	_                           [40]byte // the next one is in another cache line
}

// sum returns what was counted. Matches are read first, so that there are never
// more of them than candidates.
func (c *counter) sum() ClassCount {
	n := ClassCount{Matches: c.matches.Load()}
	n.Candidates = c.candidates.Load()
	n.Events = c.events.Load()
	return n
}

func (c *classCounts) sum() ClassCount {
	n := c.gone
	for _, one := range c.live {
		n.add(one.sum())
	}
	return n
}

// name returns the name that a class is counted by.
func (s *counts) name(class string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.classes[class] == nil && len(s.classes) >= maxCounted {
		return ""
	}
	return class
}

// join returns a counter for a matcher that has none yet for a class.
func (s *counts) join(class string) *counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.classes == nil {
		s.classes = map[string]*classCounts{}
	}
	of := s.classes[class]
	if of == nil {
		of = &classCounts{}
		s.classes[class] = of
	}
	c := &counter{}
	of.live = append(of.live, c)
	return c
}

// leave keeps what a matcher has counted that is closed.
func (s *counts) leave(counters map[string]*counter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for class, c := range counters {
		of := s.classes[class]
		of.gone.add(c.sum())
		of.live = slices.DeleteFunc(of.live, func(x *counter) bool { return x == c })
	}
}

// of returns the counts of one class.
func (s *counts) of(class string) ClassCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.classes[class]; c != nil {
		return c.sum()
	}
	return ClassCount{}
}

// Classes returns what was done for events of each class, sorted by name.
func (ix *Index) Classes() []ClassCount {
	s := &ix.counts
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ClassCount, 0, len(s.classes))
	for _, class := range slices.Sorted(maps.Keys(s.classes)) {
		n := s.classes[class].sum()
		n.Class = class
		list = append(list, n)
	}
	return list
}

// A tally is what one matcher counts. It is the matcher's goroutine's.
type tally struct {
	class    string // of the last event
	last     *counter
	counters map[string]*counter
}

// count counts an event. It writes nothing that other matchers write.
func (t *tally) count(s *counts, class string, candidates, matches uint64) {
	if t.last == nil || t.class != class {
		t.find(s, class)
	}
	t.last.events.Add(1)
	if candidates > 0 {
		t.last.candidates.Add(candidates)
		if matches > 0 {
			t.last.matches.Add(matches)
		}
	}
}

// find makes last the counter of a class.
func (t *tally) find(s *counts, class string) {
	name := class
	if t.counters[name] == nil {
		name = s.name(class)
	}
	if t.counters[name] == nil {
		name = strings.Clone(name) // it may be a part of something long
		if t.counters == nil {
			t.counters = map[string]*counter{}
		}
		t.counters[name] = s.join(name)
	}
	t.class, t.last = class, t.counters[name]
}
