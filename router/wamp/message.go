package wamp

import "strconv"

// A Type is the code of a message: its first element on the wire.
type Type uint16

// The message types of WAMP "Message Codes and Direction".
const (
	TypeHello         Type = 1
	TypeWelcome       Type = 2
	TypeAbort         Type = 3
	TypeChallenge     Type = 4
	TypeAuthenticate  Type = 5
	TypeGoodbye       Type = 6
	TypeError         Type = 8
	TypePublish       Type = 16
	TypePublished     Type = 17
	TypeSubscribe     Type = 32
	TypeSubscribed    Type = 33
	TypeUnsubscribe   Type = 34
	TypeUnsubscribed  Type = 35
	TypeEvent         Type = 36
	TypeEventReceived Type = 337
	TypeCall          Type = 48
	TypeCancel        Type = 49
	TypeResult        Type = 50
	TypeRegister      Type = 64
	TypeRegistered    Type = 65
	TypeUnregister    Type = 66
	TypeUnregistered  Type = 67
	TypeInvocation    Type = 68
	TypeInterrupt     Type = 69
	TypeYield         Type = 70
)

// typeNames holds the name of each type of message, and "" where there is none.
var typeNames = [...]string{
	TypeHello:         "HELLO",
	TypeWelcome:       "WELCOME",
	TypeAbort:         "ABORT",
	TypeChallenge:     "CHALLENGE",
	TypeAuthenticate:  "AUTHENTICATE",
	TypeGoodbye:       "GOODBYE",
	TypeError:         "ERROR",
	TypePublish:       "PUBLISH",
	TypePublished:     "PUBLISHED",
	TypeSubscribe:     "SUBSCRIBE",
	TypeSubscribed:    "SUBSCRIBED",
	TypeUnsubscribe:   "UNSUBSCRIBE",
	TypeUnsubscribed:  "UNSUBSCRIBED",
	TypeEvent:         "EVENT",
	TypeEventReceived: "EVENT_RECEIVED",
	TypeCall:          "CALL",
	TypeCancel:        "CANCEL",
	TypeResult:        "RESULT",
	TypeRegister:      "REGISTER",
	TypeRegistered:    "REGISTERED",
	TypeUnregister:    "UNREGISTER",
	TypeUnregistered:  "UNREGISTERED",
	TypeInvocation:    "INVOCATION",
	TypeInterrupt:     "INTERRUPT",
	TypeYield:         "YIELD",
}

// String returns the name of the type, such as "PUBLISH", or its number.
func (t Type) String() string {
	if t.known() {
		return typeNames[t]
	}
	return strconv.Itoa(int(t))
}

// known reports whether t is the type of a message.
func (t Type) known() bool { return int(t) < len(typeNames) && typeNames[t] != "" }

// A Message is one WAMP message: a pointer to one of the types below.
type Message interface {
	Type() Type

	// Append appends the encoded message to dst and returns the extended
	// buffer. It allocates only where dst is too small. A payload must
	// already be in s ([Payload.In]).
	Append(dst []byte, s Serializer) []byte
}

// Hello opens a session. Client to router.
type Hello struct {
	Realm   URI
	Details map[string]any // as decoded; see [Hello.Roles]

	// Parsed and type-checked out of Details.
	Roles       []string        // announced roles: publisher, subscriber, caller, callee
	Features    map[string]bool // "callee.call_canceling": true, for each announced true feature
	AuthMethods []string        // authmethods
	AuthID      string          // authid
	AuthExtra   map[string]any  // authextra
}

// Welcome accepts a HELLO. Router to client.
type Welcome struct {
	Session ID
	Details map[string]any
	Ready   Encoded // if not nil, what is written in place of Details
}

// Abort refuses or breaks off a session. Both ways.
type Abort struct {
	Details map[string]any // "message" for people
	Reason  URI
	Payload Payload // may be absent
}

// Challenge asks a joining peer to prove who it is. Router to client.
type Challenge struct {
	Method string
	Extra  map[string]any
}

// Authenticate answers a CHALLENGE. Client to router.
type Authenticate struct {
	Signature string
	Extra     map[string]any
}

// Goodbye closes a session. Both ways.
type Goodbye struct {
	Details map[string]any
	Reason  URI
}

// Error answers a request that failed. Both ways.
type ErrorMessage struct {
	RequestType Type
	Request     ID
	Details     map[string]any
	Error       URI
	Payload     Payload
	Passthru    Passthru // read and written as part of Details, but not in the map
}

// Publish publishes an event. Client to router.
type Publish struct {
	Request ID
	Options PublishOptions
	Topic   URI
	Payload Payload
}

// PublishOptions are PUBLISH.Options. A list that is nil is absent; one that
// is empty but not nil was given empty, which for "eligible" means nobody.
type PublishOptions struct {
	Acknowledge bool
	KeepMe      bool // exclude_me: false was given, so the publisher gets its own event
	DiscloseMe  bool
	Retain      bool

	Exclude         []ID
	ExcludeAuthID   []string
	ExcludeAuthRole []string

	Eligible         []ID
	EligibleAuthID   []string
	EligibleAuthRole []string

	TransactionHash string
	Passthru        Passthru
	Extra           map[string]any // keys that begin with "_"; nil if there is none
}

// Published acknowledges a PUBLISH. Router to client.
type Published struct{ Request, Publication ID }

// Subscribe asks for events. Client to router.
type Subscribe struct {
	Request ID
	Options SubscribeOptions
	Topic   URI
}

// SubscribeOptions are SUBSCRIBE.Options.
type SubscribeOptions struct {
	Match       Match
	GetRetained bool
	NodeKey     string         // nkey, of sharded subscriptions; empty: none
	Extra       map[string]any // keys that begin with "_"; nil if there is none
}

// Subscribed acknowledges a SUBSCRIBE. Router to client.
type Subscribed struct{ Request, Subscription ID }

// Unsubscribe ends a subscription. Client to router.
type Unsubscribe struct{ Request, Subscription ID }

// Unsubscribed acknowledges an UNSUBSCRIBE, or, with Request 0, tells of a
// revoked subscription. Router to client.
type Unsubscribed struct {
	Request      ID
	Subscription ID  // written only if Request is 0
	Reason       URI // likewise
}

// Event carries a publication to a subscriber. Router to client.
type Event struct {
	Subscription ID
	Publication  ID
	Details      EventDetails
	Payload      Payload
}

// EventDetails are EVENT.Details. Zero values are absent.
type EventDetails struct {
	Topic             URI // given for pattern-based subscriptions and event classes
	Publisher         ID
	PublisherAuthID   string
	PublisherAuthRole string
	Retained          bool
	TransactionHash   string
	AckDelivery       bool // x_acknowledged_delivery
	Passthru          Passthru
	Fields            []Field        // ours, such as "_class"; written in order; not parsed
	Extra             map[string]any // parsed keys that begin with "_"; written after Fields; nil if there is none
}

// EventReceived acknowledges the receipt of an EVENT (provisional in the
// specification). Client to router.
type EventReceived struct{ Publication ID }

// Call calls a procedure. Client to router.
type Call struct {
	Request   ID
	Options   CallOptions
	Procedure URI
	Payload   Payload
}

// CallOptions are CALL.Options.
type CallOptions struct {
	Timeout         uint64 // milliseconds; 0: none; at most 2^53
	ReceiveProgress bool
	Progress        bool // progressive call invocation
	DiscloseMe      bool
	RunMode         string // runmode: "all" or "partition"; empty: one callee
	TransactionHash string
	Passthru        Passthru
	Extra           map[string]any // keys that begin with "_"; nil if there is none
}

// Cancel cancels a call. Client to router.
type Cancel struct {
	Request ID
	Mode    CancelMode
}

// A CancelMode is how a call is cancelled (WAMP "Call Canceling").
type CancelMode uint8

// The cancel modes; killnowait is the default.
const (
	KillNoWait CancelMode = iota // caller is answered at once, callee is interrupted
	Kill                         // callee is interrupted, caller waits for its answer
	Skip                         // caller is answered at once, callee goes on
)

// String returns "killnowait", "kill" or "skip".
func (m CancelMode) String() string {
	switch m {
	case Kill:
		return "kill"
	case Skip:
		return "skip"
	default:
		return "killnowait"
	}
}

// Result answers a CALL. Router to client.
type Result struct {
	Request         ID
	Progress        bool // Details.progress
	TransactionHash string
	Passthru        Passthru
	Payload         Payload
}

// Register offers a procedure. Client to router.
type Register struct {
	Request   ID
	Options   RegisterOptions
	Procedure URI
}

// RegisterOptions are REGISTER.Options.
type RegisterOptions struct {
	Match          Match
	Invoke         string         // "single" if absent; one of single first last roundrobin random load
	Concurrency    uint64         // 0: no limit
	ForceRegister  bool           // force_reregister
	DiscloseCaller bool           // disclose_caller
	ForwardTimeout bool           // forward_timeout
	Extra          map[string]any // keys that begin with "_"; nil if there is none
}

// Registered acknowledges a REGISTER. Router to client.
type Registered struct{ Request, Registration ID }

// Unregister withdraws a procedure. Client to router.
type Unregister struct{ Request, Registration ID }

// Unregistered acknowledges an UNREGISTER, or, with Request 0, tells of a
// revoked registration. Router to client.
type Unregistered struct {
	Request      ID
	Registration ID  // written only if Request is 0
	Reason       URI // likewise
}

// Invocation asks a callee to run a procedure. Router to client.
type Invocation struct {
	Request         ID
	Registration    ID
	Procedure       URI // Details.procedure: for pattern-based registrations
	Caller          ID  // Details.caller and so on: caller identification
	CallerAuthID    string
	CallerAuthRole  string
	Timeout         uint64 // milliseconds
	ReceiveProgress bool
	Progress        bool
	TransactionHash string
	Passthru        Passthru
	Payload         Payload
}

// Interrupt asks a callee to stop an invocation. Router to client.
type Interrupt struct {
	Request ID
	Mode    CancelMode // skip is never sent
	Reason  URI        // may be empty
}

// Yield answers an INVOCATION. Client to router.
type Yield struct {
	Request         ID
	Progress        bool // Options.progress
	TransactionHash string
	Passthru        Passthru
	Payload         Payload
}
