package presence

import (
	"container/list"
	"log/slog"
	"strings"
	"sync"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Prefix begins the topics on which joins and leaves are told: that of
// chat.lobby is wireroom.presence.chat.lobby.
const Prefix = "wireroom.presence."

// A Keeper keeps who is on the topics of one realm.
type Keeper struct {
	// Fixed at construction.
	cfg   Config
	rules Rules
	realm *router.Realm
	log   *slog.Logger
	peers Peers         // nil: the realm is here only
	wake  chan struct{} // of capacity 1: there is something to tell, or somebody lingers; never closed
	quit  chan struct{} // closed by Close
	once  sync.Once     // closes quit
	wg    sync.WaitGroup

	mu        sync.Mutex // guards the following; taken after any lock of the router
	topics    map[wamp.URI]*topic
	lastID    uint64    // of a member
	lastSeq   uint64    // at least the seq of every topic that was forgotten
	members   int       // that are here, on all topics
	lingering list.List // of *member, in the order in which their time is over
	queue     []Event   // that wait to be told
	lossy     []*topic  // of which something could not be told
	syncs     uint64    // that were begun
	stats     Stats     // without what is counted as it is asked for
}

// Stats are what a keeper has to do.
type Stats struct {
	Topics  int    // that have members, or are listened to
	Watched int    // that are listened to
	Members int    // with a session in this realm, each counted on each topic
	Joins   uint64 // since the realm was opened, as the others
	Leaves  uint64
	Told    uint64 // joins and leaves that were published
	Lost    uint64 // joins and leaves that could not be told, because too many waited
	Refused uint64 // subscriptions, because there are too many members
}

// New returns a keeper for the realm, has the realm tell it who is there
// ([router.Realm.Attend]), and offers its procedures there. cfg must be valid.
//
// peers are told who is here, if the realm is at other gateways, too; nil: it is
// not.
func New(realm *router.Realm, cfg Config, rules Rules, peers Peers, log *slog.Logger) *Keeper {
	k := &Keeper{
		cfg: cfg, rules: rules, realm: realm, peers: peers, log: log,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), topics: make(map[wamp.URI]*topic),
	}
	k.lingering.Init()
	realm.Attend(k)
	k.provide()
	k.wg.Go(k.run)
	return k
}

// Close ends the keeper, when nobody is in the realm any more. It may be called
// again.
func (k *Keeper) Close() {
	k.once.Do(func() { close(k.quit) })
	k.wg.Wait()
}

// Stats returns what the keeper has to do now, and has done.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Topics, s.Members = len(k.topics), k.members
	return s
}

// of returns the topic whose joins and leaves are told on t, if t is such one.
func of(t wamp.URI) (wamp.URI, bool) {
	base, ok := strings.CutPrefix(string(t), Prefix)
	return wamp.URI(base), ok
}

// kept reports whether it is kept who is on the topic.
func (k *Keeper) kept(t wamp.URI) bool {
	return t.Valid() && !t.Reserved() && !strings.HasPrefix(string(t), "wireroom.") && k.rules.Kept(t)
}

// Admit implements [router.Attendance]: it refuses those who may not know who is
// there, and those for whom there is no room.
func (k *Keeper) Admit(s *router.Session, i router.Interest) error {
	base, about := of(i.Topic)
	switch {
	case about && i.Match != wamp.Exact:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "match: expected exact for a topic that begins with %s: joins and leaves are told of one topic at a time", Prefix)
	case about:
		return k.allowed(s, base)
	case i.Match == wamp.Exact && !s.Trusted() && k.kept(i.Topic) && !k.hasRoom(s, i.Topic):
		return wamp.Errorf(wamp.URILimit, "the realm keeps of %d members on which topics they are, which is the limit (presence.members)", k.cfg.MaxMembers)
	}
	return nil
}

// allowed returns an error if the session may not know who is on the topic.
func (k *Keeper) allowed(s *router.Session, t wamp.URI) error {
	switch {
	case !k.kept(t):
		return wamp.Errorf(wamp.URINotAuthorized, "it is not kept who is on the topic %q", clip(t))
	case !s.Trusted() && !k.rules.May(s, t):
		return wamp.Errorf(wamp.URINotAuthorized, "role %q may not know who is on the topic %q", s.AuthRole(), clip(t))
	}
	return nil
}

// Attends implements [router.Attendance].
func (k *Keeper) Attends(t wamp.URI) bool {
	if base, about := of(t); about {
		return k.kept(base)
	}
	return k.kept(t)
}

// Came implements [router.Attendance].
func (k *Keeper) Came(s *router.Session, t wamp.URI) {
	if base, about := of(t); about {
		k.watch(base, 1)
	} else if !s.Trusted() {
		k.enter(s, t)
	}
}

// Went implements [router.Attendance].
func (k *Keeper) Went(s *router.Session, t wamp.URI) {
	if base, about := of(t); about {
		k.watch(base, -1)
	} else if !s.Trusted() {
		k.leave(s, t)
	}
}

// clip shortens what a peer sent for use in a message to it.
func clip(t wamp.URI) string {
	const most = 80
	if len(t) <= most {
		return string(t)
	}
	return strings.ToValidUTF8(string(t[:most]), "") + "…"
}
