package presence

import (
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Config bounds what a keeper keeps. Start from [DefaultConfig].
type Config struct {
	// Linger is for how long a member is taken to be there after its last session
	// has gone, so that nobody sees a page that is loaded anew: up to [MaxLinger];
	// 0: not at all.
	Linger time.Duration

	// MaxMembers is how many members all topics of a realm may have in all, each
	// counted on each topic: 1 to 10,000,000. Subscriptions that would bring more
	// are refused. Those that are being made at the same time may exceed it.
	MaxMembers int

	// MaxEvents is how many joins and leaves may wait to be told: 1 to 1,000,000.
	MaxEvents int
}

// MaxLinger is the longest [Config.Linger].
const MaxLinger = 10 * time.Minute

// DefaultConfig returns a configuration without linger.
func DefaultConfig() Config { return Config{MaxMembers: 100_000, MaxEvents: 1 << 16} }

// Rules say of which topics it is kept who is there, and for whom. They must not
// change, and be fast.
type Rules interface {
	// Kept reports whether it is kept who is on the topic.
	Kept(topic wamp.URI) bool

	// May reports whether the session may know who is on a topic of which it is
	// kept, if it may subscribe to it.
	May(s *router.Session, topic wamp.URI) bool

	// Subscribes reports whether the session may subscribe to the topic, as far as
	// that is known without asking anybody. Who is subscribed may anyway.
	Subscribes(s *router.Session, topic wamp.URI) bool

	// Hides reports whether others must not learn who the session is. It must say
	// the same of all sessions of a role.
	Hides(s *router.Session, topic wamp.URI) bool

	// Locates reports whether the session may know at which gateways members are.
	Locates(s *router.Session) bool
}
