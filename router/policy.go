package router

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Joining is a peer that sent HELLO and has no session yet.
type Joining struct {
	Realm wamp.URI
	Hello *wamp.Hello // valid during the call only
	Peer  *Peer

	// Session is the ID that the session will have, for methods that bind
	// what a peer signs to it.
	Session wamp.ID
}

// A Grant says who a peer is: the outcome of a successful authentication.
type Grant struct {
	AuthID     string
	AuthRole   string
	Realm      wamp.URI       // which is joined; empty: the one that HELLO asks for
	AuthMethod string         // as in WELCOME.Details.authmethod
	Provider   string         // as in WELCOME.Details.authprovider
	Extra      map[string]any // WELCOME.Details.authextra; may be nil
	Limits     *Limits        // what the session may use; nil: as [Config] says. Not changed after

	// Claims is what else an [Authorizer] or [Governor] may need to know of the
	// peer; empty for most. The router does not look into it. A session is
	// resumed only by who has the same.
	Claims string

	// Client names the client that comes back with each of its sessions, for
	// an [Authorizer] or [Governor]; empty if there is no such thing. The
	// router does not look into it.
	Client string

	// Expires is when the session ends by what Tenure knows; zero if it doesn't.
	// The peer is told (WELCOME.Details._expires).
	Expires time.Time

	// Tenure is told when the session begins and ends; nil: nobody is.
	Tenure Tenure

	// Trusted says that the peer is a part of the program itself: no
	// [Authorizer] is asked what it may do.
	Trusted bool
}

// A Tenure is what the stay of a session hangs on besides its connection, such
// as a credential that ends: whoever knows of that ends the session by
// [Session.End]. Each Grant has a Tenure of its own.
type Tenure interface {
	// Begin is called once when a peer is about to get WELCOME, before any
	// other session can see it. With an error it does not, and gets that.
	Begin(s *Session) error

	// Resume is called when the peer with the grant, whose Tenure has not
	// begun, takes the session up again. With an error it does not.
	Resume(g *Grant) error

	// End is called once after Begin has succeeded, when the session has left.
	End()
}

// A Challenge is a question that a joining peer must answer.
type Challenge struct {
	Method string         // CHALLENGE.AuthMethod
	Extra  map[string]any // CHALLENGE.Extra; may be nil

	// Answer judges the AUTHENTICATE message. It is called at most once.
	Answer func(ctx context.Context, signature string, extra map[string]any) (*Grant, error)
}

// An Authenticator decides who a joining peer is. Exactly one of Grant,
// Challenge and error is not nil. An error that is no [wamp.Error] is logged
// and told to the peer only as an internal error. It is called by each
// connection's reader goroutine, concurrently.
//
// The router declares it, because the router calls it; package auth has
// implementations and does not import this package.
type Authenticator interface {
	Authenticate(ctx context.Context, j Joining) (*Grant, *Challenge, error)
}

// An Action is what a session wants to do with a URI.
type Action uint8

// The actions that roles allow or forbid.
const (
	ActionSubscribe Action = iota
	ActionPublish
	ActionCall
	ActionRegister
)

// String returns "subscribe", "publish", "call" or "register".
func (a Action) String() string {
	return [...]string{"subscribe", "publish", "call", "register"}[a]
}

// A Disclosure says who learns who a session is (WAMP "Caller Identification",
// "Publisher Identification").
type Disclosure uint8

// For a call and a publication it is about the session that is asked about, and
// for a registration about the callers of it.
const (
	DiscloseOnRequest Disclosure = iota // whoever asks for it, by disclose_me or disclose_caller
	DiscloseAlways
	DiscloseNever // to ask for it is an error
)

// A Decision is the answer of an [Authorizer]. The zero value forbids.
type Decision struct {
	Allow    bool
	Disclose Disclosure // of what is allowed

	// Where narrows a subscription that is allowed to some of the events of
	// its topic. The [Governor] knows what it means, and gets it with the
	// [Interest]; of a topic that none rules it means nothing. nil: all events.
	Where any

	// Ask, unless it is nil, gets the answer from somewhere else, which may
	// take a while; the others mean nothing then. What it returns has
	// no Ask.
	//
	// The session's reader calls it, at once, and reads nothing from the peer
	// meanwhile: so the peer's messages keep their order, and nobody else
	// waits. It must end by itself in a bounded time, and soon after ctx is
	// done, which is when the session ends. An error forbids; the peer gets it
	// if it is, or wraps, a [wamp.Error], and otherwise learns only that there
	// was one.
	Ask func(ctx context.Context) (Decision, error)
}

// An Authorizer decides what a session may do. It is asked for each message, by
// many goroutines, so it should answer from memory, without allocating.
type Authorizer interface {
	// Authorize decides whether the session may do action on uri, which for
	// a subscription and a registration is a pattern under match. m is the
	// message by which the session wants to do it, and nil if there is none;
	// it is valid until the call, and that of Ask, returns.
	Authorize(s *Session, action Action, uri wamp.URI, match wamp.Match, m wamp.Message) Decision
}

// Config says how a router treats its peers. Start from [DefaultConfig].
type Config struct {
	Limits // of each session, unless its Grant says otherwise

	Admission  Admission  // how fast sessions may join
	Statistics Statistics // when a session's traffic is told
	Resume     Resume     // which sessions outlive their connection, and for how long

	MaxDepth        int           // nesting of a message, lists and dictionaries counted: 8 to 10,000
	HelloTimeout    time.Duration // from connection to HELLO: at least 1ms
	AuthTimeout     time.Duration // from CHALLENGE to AUTHENTICATE: at least 1ms
	WriteTimeout    time.Duration // for a peer to take what one flush writes: at least 1ms
	GoodbyeTimeout  time.Duration // for a peer to leave after GOODBYE or ABORT: at least 1ms
	MaxWaiting      int           // calls that wait for a callee with room, per registration: 0 to 1,000,000
	MaxWaitingBytes int           // of the arguments of these calls, in all: 0 to 1 GiB

	MaxMetaEvents    int // of a realm that wait to be published, and as many again that are about to be: 1 to 1,000,000
	MaxRetained      int // events that a realm retains: 0 to 1,000,000
	MaxRetainedBytes int // of them in all, with an estimate of what each needs besides its payload: 0 to 1 GiB

	MaxPastEvents int // of one answer about the past: 1 to 10,000
	MaxPastBytes  int // likewise; one event may be longer: 1 KiB to 16 MiB

	Flushers int // goroutines that write; 0: one per core
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Limits:          DefaultLimits(),
		Admission:       DefaultAdmission(),
		Statistics:      Statistics{RatedSize: 512},
		Resume:          DefaultResume(),
		MaxDepth:        64,
		HelloTimeout:    10 * time.Second,
		AuthTimeout:     10 * time.Second,
		WriteTimeout:    10 * time.Second,
		GoodbyeTimeout:  5 * time.Second,
		MaxWaiting:      1000,
		MaxWaitingBytes: 16 << 20,

		MaxMetaEvents:    1 << 16,
		MaxRetained:      10_000,
		MaxRetainedBytes: 64 << 20,

		MaxPastEvents: 1000,
		MaxPastBytes:  256 << 10,
	}
}
