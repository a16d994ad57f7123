// Package ingest is the proxy through which the trusted side posts events: one
// uniform way in, with one folder per wire format (ingest/xmlrpc,
// ingest/httpapi).
//
// A wire format turns a request into [Event] values, has the request's key
// checked by an [Authenticator], hands the events to a [Sink], and writes what
// comes back in its own words: a [Receipt], or an [*Error] whose facts (class,
// field, expected, found, position in the batch) every format renders alike.
// Nothing here knows how events are checked, kept or routed; whoever
// implements Sink and Authenticator does.
//
// The package starts no goroutine. Its handlers run in those of the HTTP
// server, and everything that a Sink, an Authenticator or a TokenMinter
// implements is called from many of them at once.
//
// An answer that reports success means what the Sink's receipt means: the
// event is safe. A request whose answer was lost can be sent again with the
// same event id, and is then acknowledged without being delivered twice.
package ingest

// MaxIDBytes is how long an event id may be, in characters of ASCII.
const MaxIDBytes = 128

// An Event is one event on its way in. Whoever hands it to a [Sink] gives it
// away, with the memory of Data.
type Event struct {
	// ID identifies the event to whoever posts it: an id that was seen before
	// in the class's window is acknowledged again and not delivered again.
	// Empty: the sink draws one. At most [MaxIDBytes] long.
	ID string

	// Class is the dotted name of the event class, as it came: not yet known
	// to exist, not even to be a name.
	Class string

	// Data is one JSON object: valid, in UTF-8, with no duplicate member
	// names and no deeper than the handler's limit.
	Data []byte
}

// A Receipt says that an event is safe.
type Receipt struct {
	ID string // the event's, as given or as drawn

	// Epoch and Offset are the event's position in the log of its class. An
	// empty Epoch says that the class keeps no log.
	Epoch  string
	Offset uint64

	// Duplicate says that an event with this id had been accepted before, and
	// that this one was therefore not delivered. The position is the first
	// one's, if it is still known.
	Duplicate bool
}

// A Key is an ingest key that was recognised: who posts.
type Key struct {
	// Name is what the operator calls the key, for logs and counters. It is no
	// secret.
	Name string

	// Principal is whatever the [Authenticator] wants the [Sink] to see again.
	// Nothing in between looks at it.
	Principal any
}
