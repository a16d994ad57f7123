package events

import (
	"hash/maphash"
	"sync"
	"time"
)

// A window remembers the ids that publishers gave to recent events of a class
// that is not retained, so as to tell an event that is sent again. It is
// bounded in number and in time, and empty until an id is given.
type window struct {
	most int
	last time.Duration

	// mu guards the following.
	mu   sync.Mutex
	ids  map[string]remembered
	ring []string // the ids in order of arrival, from head on, around the end
	head int
}

// A remembered event.
type remembered struct {
	data uint64 // hash of the data
	at   time.Time
}

// A verdict is what a window says about an event.
type verdict uint8

const (
	fresh verdict = iota
	repeated
	conflicting
)

// add judges an event, and remembers it if it is fresh.
func (w *window) add(id string, data []byte, now time.Time) verdict {
	if w.most == 0 {
		return fresh
	}
	sum := maphash.Bytes(seed, data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
	if r, ok := w.ids[id]; ok {
		if r.data != sum {
			return conflicting
		}
		return repeated
	}
	if w.ids == nil {
		w.ids = make(map[string]remembered)
	}
	if len(w.ids) == w.most {
		w.forgetFirst()
	}
	w.ids[id] = remembered{sum, now}
	w.push(id)
	return fresh
}

// look judges an event without remembering it.
func (w *window) look(id string, data []byte, now time.Time) verdict {
	sum := maphash.Bytes(seed, data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
	switch r, ok := w.ids[id]; {
	case !ok:
		return fresh
	case r.data != sum:
		return conflicting
	default:
		return repeated
	}
}

// expireNow forgets what is too old, so that a class that went quiet costs
// nothing.
func (w *window) expireNow(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
}

// expire forgets what is too old. mu is held.
func (w *window) expire(now time.Time) {
	for len(w.ids) > 0 && now.Sub(w.ids[w.ring[w.head]].at) >= w.last {
		w.forgetFirst()
	}
	if len(w.ids) == 0 {
		w.ids, w.ring, w.head = nil, nil, 0
	}
}

// forgetFirst forgets the oldest id. mu is held.
func (w *window) forgetFirst() {
	delete(w.ids, w.ring[w.head])
	w.ring[w.head] = ""
	w.head = (w.head + 1) % len(w.ring)
}

// push adds an id that is in ids already. mu is held.
func (w *window) push(id string) {
	if n := len(w.ids); n > len(w.ring) {
		ring := make([]string, min(w.most, max(16, 2*len(w.ring))))
		for i := range n - 1 {
			ring[i] = w.ring[(w.head+i)%len(w.ring)]
		}
		w.ring, w.head = ring, 0
	}
	w.ring[(w.head+len(w.ids)-1)%len(w.ring)] = id
}
