package router

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// RaceEnabled says that the race detector is on, which allocates for itself and
// is slow.
const RaceEnabled = raceEnabled

// Leftovers says what the realm holds besides its own procedures; "" is
// nothing.
func (r *Realm) Leftovers() string {
	switch n := r.SessionCount(); {
	case n > 0:
		return "sessions"
	}
	b := &r.broker
	for i := range b.exact {
		sh := &b.exact[i]
		sh.mu.Lock()
		n := len(sh.subs)
		sh.mu.Unlock()
		if n > 0 {
			return "exact subscriptions"
		}
	}
	if b.patterns.count.Load() != 0 || len(b.patterns.prefix.children) != 0 ||
		len(b.patterns.wild.children) != 0 || b.patterns.wild.any != nil {
		return "patterns"
	}
	if r.owed.Load() != 0 {
		return "receipts that are owed"
	}
	if len(b.ids.all()) != 0 {
		return "IDs of subscriptions"
	}
	for i := range r.meta.watched {
		if r.meta.watched[i].Load() != 0 {
			return "watchers of " + string(metaTopics[i])
		}
	}
	r.dealer.mu.Lock()
	defer r.dealer.mu.Unlock()
	for _, reg := range r.dealer.ids {
		if reg.handler == nil {
			return "registrations"
		}
	}
	if len(r.dealer.procs) != len(r.dealer.ids) {
		return "IDs of registrations"
	}
	return ""
}

// A Welcomes opens the encoding of WELCOME's Details to tests.
type Welcomes struct{ w welcomes }

// Details returns those for g.
func (w *Welcomes) Details(ser wamp.Serializer, realm wamp.URI, g *Grant) wamp.Encoded {
	return w.w.append(nil, ser, realm, g)
}

// Known returns how many encodings are remembered.
func (w *Welcomes) Known() int { return len(w.w.known) }

// MaxWelcomes is how many can be.
const MaxWelcomes = maxWelcomes

// EncodeWelcome encodes the Details anew.
func EncodeWelcome(ser wamp.Serializer, realm wamp.URI, g *Grant, authid string) wamp.Encoded {
	return encodeWelcome(ser, realm, g, authid, nil)
}

// PretendToEnd has the session look as if it were ended, but still there, until
// leave is called.
func (s *Session) PretendToEnd() (leave func()) {
	s.ending.Store(true)
	return func() { s.ending.Store(false) }
}

// NewTerm returns a context that ends after d, or when finish is called.
func NewTerm(d time.Duration) (ctx context.Context, finish func()) {
	t := newTerm(d)
	return t, t.finish
}
