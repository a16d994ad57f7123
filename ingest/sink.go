package ingest

import (
	"context"
	"time"
)

// A Sink takes events. All methods may be called concurrently, and return an
// [*Error] or an error that is reported as [Internal] with its text hidden.
type Sink interface {
	// Publish returns when the event is safe, that is, when losing it is no
	// longer possible within the promise of its class. It owns e from then on.
	// The index of its errors is ignored.
	Publish(ctx context.Context, key Key, e *Event) (Receipt, error)

	// PublishMany takes the events in order, and owns them; their number is
	// at least 1. It checks all of them before it delivers any: with an error
	// of a kind other than [Unavailable] and [Internal] none was accepted, and
	// [Error.Index] says which one was at fault. With one of these two kinds
	// the first ones may have been, and ids make it safe to send the batch
	// again. Receipts are in the order of the events.
	PublishMany(ctx context.Context, key Key, events []*Event) ([]Receipt, error)

	// Classes returns the classes that the key may post, sorted by name.
	Classes(ctx context.Context, key Key) ([]ClassInfo, error)
}

// A TokenMinter is a [Sink] that can also give tokens to the users of the web
// application behind a key.
type TokenMinter interface {
	// Token returns a token for user and when it expires. With a ttl of 0 the
	// implementation decides how long it lives. A ttl is never negative.
	Token(ctx context.Context, key Key, user string, roles []string, ttl time.Duration) (token string, expires time.Time, err error)
}

// A SessionKeeper is a [Sink] that also knows where the users of the web
// application behind a key are logged in.
type SessionKeeper interface {
	// Devices returns the devices on which the user is logged in.
	Devices(ctx context.Context, key Key, user string) ([]Device, error)

	// Revoke logs the user out on the device, or, if client is empty, on all,
	// and returns on how many that was. Sessions there end.
	Revoke(ctx context.Context, key Key, user, client string) (int, error)
}

// A Device is where a user is logged in.
type Device struct {
	Client   string `json:"client"`
	Agent    string `json:"agent"`    // the browser; may be empty
	Made     string `json:"made"`     // when the user logged in, as RFC 3339 has it, like the next two
	Seen     string `json:"seen"`     // when it was last used, but for an hour
	Expires  string `json:"expires"`  // when the user is logged out there, unless it is used before
	Sessions int    `json:"sessions"` // that are open
}

// An Authenticator recognises ingest keys. It is called concurrently, once per
// call or request, and compares in constant time.
type Authenticator interface {
	// Key returns the key whose secret this is, or an [*Error] of the kind
	// [NotAuthorized].
	//
	// An empty secret stands for a request without one, in a format whose
	// methods have no place for it (Telegraphy's send_event without HTTP
	// authentication). Formats that have a place for a secret refuse an empty
	// one themselves.
	Key(ctx context.Context, secret string) (Key, error)
}
