package nodes

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Bus carries messages between gateways: a store that several of them share.
type Bus interface {
	// Node returns the id of this gateway.
	Node() string

	// Send tells all other gateways something, each once and in the order of the
	// calls of one goroutine. It does not wait, and keeps payload. With an error
	// nothing is sent.
	Send(kind string, payload []byte) error

	// Heard returns nil if others are heard, and otherwise why not.
	Heard() error
}

// Kinds of messages.
const (
	kindPublication = "wireroom.publication"
	kindEvent       = "wireroom.event"
	kindPresence    = "wireroom.presence"
	kindWho         = "wireroom.who" // say who is present, all of it
	kindKill        = "wireroom.kill"
	kindKilled      = "wireroom.killed"
	kindRevoked     = "wireroom.revoked"
)

// A Mesh is this gateway among others.
type Mesh struct {
	// Fixed at construction.
	bus  Bus
	cred Credentials
	log  *slog.Logger
	born time.Time
	wake chan struct{} // of capacity 1: something has come; never closed
	news chan struct{} // of capacity 1: it is to be said who is present, or what was revoked; never closed
	quit chan struct{} // closed by Close
	once sync.Once     // closes quit
	wg   sync.WaitGroup

	others atomic.Int32    // gateways besides this one
	there  map[string]bool // they; owned by who calls Join and Leave

	in  inbox
	out losses // publications that could not be sent

	revocations revocations

	counts counts

	mu     sync.Mutex // guards the following; taken after any other lock
	realms map[wamp.URI]*Realm
	nodes  map[string]*node // the others
	asked  map[uint64]*question
	asks   uint64
	all    bool // everybody who is present is to be said

	askWho, askLogouts bool // others are to be asked who is present there, and which users were logged out

	gapped bool // there was a gap, as there is one at the beginning

	configuration Configuration
	toldOf        uint64 // of which epoch the log has that this gateway has another one
}

// A node is another gateway, as it is known here.
type node struct {
	whole bool              // it is known who is present there
	syncs map[*Realm]uint64 // while that is being said
}

type counts struct {
	sent, unsent, received, dropped, unknown, gaps, revoked atomic.Uint64
}

// Stats are what a mesh does, and has done.
type Stats struct {
	Nodes    int    // other gateways
	Differ   int    // gateways that have another configuration than the newest
	Sent     uint64 // publications
	Unsent   uint64 // publications that could not be passed on
	Received uint64 // publications
	Dropped  uint64 // publications of other gateways for which there was no room
	Unknown  uint64 // messages that this gateway can do nothing with
	Gaps     uint64 // times that messages may have been missed
	Revoked  uint64 // revocations of other gateways that were carried out
}

// New returns a mesh, which knows of nobody until it is told ([Mesh.Join]). What
// others revoke is taken from cred.
func New(bus Bus, cred Credentials, log *slog.Logger) *Mesh {
	m := &Mesh{
		bus: bus, cred: cred, log: log, born: time.Now(), wake: make(chan struct{}, 1), news: make(chan struct{}, 1), quit: make(chan struct{}),
		in:    inbox{mostMessages: inboxMessages, mostBytes: inboxBytes},
		there: make(map[string]bool), realms: make(map[wamp.URI]*Realm), nodes: make(map[string]*node), asked: make(map[uint64]*question),
	}
	m.wg.Go(m.take)
	m.wg.Go(m.report)
	return m
}

// Close ends the mesh. Nothing comes from it or is said by it any more. It may be
// called again.
func (m *Mesh) Close() {
	m.once.Do(func() { close(m.quit) })
	m.wg.Wait()
}

// Stats returns what the mesh does and has done.
func (m *Mesh) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{
		Nodes: len(m.nodes), Differ: m.configuration.others(), Sent: m.counts.sent.Load(), Unsent: m.counts.unsent.Load(), Received: m.counts.received.Load(),
		Dropped: m.counts.dropped.Load(), Unknown: m.counts.unknown.Load(), Gaps: m.counts.gaps.Load(), Revoked: m.counts.revoked.Load(),
	}
}

// alone reports whether there are no other gateways.
func (m *Mesh) alone() bool { return m.others.Load() == 0 }

// realm returns the realm of that name, or nil.
func (m *Mesh) realm(name wamp.URI) *Realm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.realms[name]
}

// rouse has whoever reads c look what there is to do.
func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will look anyway
	}
}
