package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Governor rules some topics: it admits what clients publish to them, and
// says what those who subscribe get. Event classes are one.
type Governor interface {
	// Governs reports whether the topic is ruled. It is asked for each
	// PUBLISH to any topic: it must be fast and must not allocate.
	Governs(topic wamp.URI) bool

	// Publish admits a client's publication to a topic that it governs. It
	// must not keep p.Payload after it returns. It calls done once, from
	// any goroutine, before or after it returns, when the publication is
	// refused or safe. It calls [Realm.Publish] for what is to be routed;
	// publications of one session reach subscribers in the order in which
	// Publish was called.
	Publish(p *Publication, done func(id wamp.ID, err error))

	// Subscribe is asked about every SUBSCRIBE, after the [Authorizer]. It
	// returns an error to refuse it. options is valid during the call only.
	Subscribe(s *Session, i Interest, options *wamp.SubscribeOptions) (Terms, error)
}

// A Resolver is a [Governor] that has topics by other names.
type Resolver interface {
	Governor

	// Resolve is asked first about each SUBSCRIBE to exactly a topic under
	// "wamp." or "wireroom.". If the topic stands for another one, perhaps with
	// options that the client would have had to send, Resolve puts these in its
	// place; from then on it is as if the client had sent them. It owns m, but
	// for what m.Options.Extra has. The error refuses the subscription.
	Resolve(m *wamp.Subscribe) error
}

// An Interest is what a session wants to hear of.
type Interest struct {
	Topic wamp.URI // or pattern of topics
	Match wamp.Match
	Where any // of the [Authorizer]'s [Decision]
}

// A Greeter is a [Governor] that has something to tell clients that come back.
type Greeter interface {
	Governor

	// Greet returns what Details of WELCOME a peer gets besides who has asked
	// for that by _subscriptions: true in HELLO.Details, or nil. It is asked
	// about new sessions, before they are in the realm; not about those that
	// are resumed. ctx is done when the peer has waited long enough.
	Greet(ctx context.Context, realm *Realm, g *Grant) map[string]any
}

// A Reattacher is a [Governor] that keeps subscriptions for clients, and gives
// them back without a SUBSCRIBE to who asks for that in HELLO.
type Reattacher interface {
	Governor

	// Reattach returns what is kept for a session's client: of that what is in
	// names, in their order, or all, if names is nil. The reader of the session
	// calls it before WELCOME is written; the session is in the realm. For each
	// the router does as if SUBSCRIBE had come, and asks the [Authorizer] and
	// Subscribe again. With an error the client is told of none.
	Reattach(ctx context.Context, s *Session, names []string) ([]Reattached, error)
}

// A Reattached is a subscription that a client has left with a [Reattacher].
type Reattached struct {
	Subscribe wamp.Subscribe // as the client would send it; without a request
	Err       error          // why it can't be had; nil: it can, as far as the Reattacher knows

	// Details are what WELCOME tells about it. The router adds subscription,
	// its ID, or error and message.
	Details map[string]any
}

// Terms say what a subscriber gets.
type Terms struct {
	Replay Replay  // past events first; nil: none
	Filter *Filter // only events that pass it; nil: all
	Watch  Watch   // is told of what becomes of the subscription; nil: nobody is. Only with Replay
}

// A Filter passes some of the events of a topic. The router does not know
// which: whoever calls [Realm.Publish] says which filters the event passes. A
// subscription is its topic, its match and its filter, so those who subscribe
// with the same share its ID.
//
// A Filter must not be changed.
type Filter struct {
	// ID names what the filter passes: two filters have the same ID exactly if
	// they pass the same. It is not 0, and while any subscription has the filter
	// it names nothing else.
	ID uint64

	// Text says what the filter passes, for people: the meta API shows it as
	// _where.
	Text string

	// Of is for the [Governor], to which the filter comes back as it asks for
	// the past. The router does not look into it.
	Of any

	// Release is called exactly once for each Filter that [Governor.Subscribe]
	// returned: when the subscription that was made with it is gone, or as soon
	// as it is known that none is made with it, because there is one with an
	// equal filter already or the session may have no more. No lock is held.
	Release func()
}

// A Replay delivers the past to one new subscription. The router calls it in
// a goroutine of its own once SUBSCRIBED is queued. It must end when
// feed.Context() is done. Live events reach the subscription only after
// [Feed.Live].
type Replay func(feed *Feed)
