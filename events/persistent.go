package events

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds on persistent subscriptions.
const (
	MaxOwnerLen       = 1024 // bytes in a [Persistent.Owner]
	MaxPersistentName = 512  // bytes in a [Persistent.Name]
	MaxAckedSpans     = 1024 // in one [Persistent.Acked]
)

var (
	// ErrNotPersistent says that a [PersistentStore] has no such subscription.
	ErrNotPersistent = errors.New("events: no such persistent subscription")

	// ErrTooManyPersistent says that an owner has as many as it may have.
	ErrTooManyPersistent = errors.New("events: too many persistent subscriptions")
)

// A Position is a place in the log of a class: after the event with the offset,
// which is 0 before the first one.
type Position struct {
	Epoch  string
	Offset uint64
}

// A Span is a range of offsets, both ends included.
type Span struct{ From, Through uint64 }

// A Persistent is a persistent subscription: one that belongs to a client and
// not to a session, outlives it, and has a position in the log of its class.
type Persistent struct {
	Owner string // whose it is, in whichever realm; 1 to [MaxOwnerLen] bytes, which mean nothing to a store
	Name  string // unique among the owner's; 1 to [MaxPersistentName] bytes of UTF-8

	Class    string // whose events it is for, as the log is named
	Channel  string // only those of this channel; empty: all
	Where    string // only those that satisfy this query; empty: all
	Explicit bool   // the client acknowledges events itself

	Created time.Time     // whole milliseconds, as the others
	Seen    time.Time     // when a session last had it, as far as was written down
	Expires time.Time     // it is worth nothing from then on, unless a session has it
	For     time.Duration // how long it outlives the last session that had it

	// Position is the place up to which everything is acknowledged.
	Position Position

	// Acked is what was acknowledged behind the position, in order, with a gap
	// before and between: at most [MaxAckedSpans].
	Acked []Span
}

// Check says what is wrong with a subscription that a store is to keep: texts
// that are too short or too long, or spans out of order. Stores call it.
func (p *Persistent) Check() error {
	if n := len(p.Owner); n < 1 || n > MaxOwnerLen {
		return fmt.Errorf("events: owner of a persistent subscription: expected 1 to %d bytes, found %d", MaxOwnerLen, n)
	}
	if n := len(p.Name); n < 1 || n > MaxPersistentName {
		return fmt.Errorf("events: name of a persistent subscription: expected 1 to %d bytes, found %d", MaxPersistentName, n)
	}
	if n := len(p.Acked); n > MaxAckedSpans {
		return fmt.Errorf("events: acknowledged spans of the persistent subscription %q: expected at most %d, found %d", p.Name, MaxAckedSpans, n)
	}
	end := p.Position.Offset
	for _, a := range p.Acked {
		if a.From <= end || a.From-end < 2 || a.Through < a.From {
			return fmt.Errorf("events: acknowledged spans of the persistent subscription %q: expected them in order behind %d, with gaps, found %d to %d", p.Name, end, a.From, a.Through)
		}
		end = a.Through
	}
	return nil
}

// A Move says how far a persistent subscription is acknowledged, and until when
// it lives.
type Move struct {
	Owner, Name string

	// Was is the epoch of the position as the mover knew it last. If the
	// stored one is neither of Was nor of Position.Epoch, the position and
	// what is acknowledged behind it stay as they are: somebody else knows a
	// newer log.
	Was      string
	Position Position
	Acked    []Span

	Seen, Expires time.Time // never moved back
}

// A PersistentStore keeps persistent subscriptions, next to the logs that their
// positions are of. All methods may be called concurrently, and return errors
// as those of [Store] do. The store keeps nothing that it was given, and what
// it returns belongs to the caller.
type PersistentStore interface {
	// PutPersistent inserts a subscription, or replaces the one of its owner
	// that has its name, whole. If there is none with its name, or an expired
	// one, and the owner has most others already that have not expired at the
	// time p.Seen, nothing changes and the error wraps [ErrTooManyPersistent].
	// An insertion may remove those of the owner that have expired by then. It
	// is durable when PutPersistent returns. What fails [Persistent.Check] is
	// refused.
	PutPersistent(ctx context.Context, p *Persistent, most int) error

	// Persistent returns the owner's subscription of that name, expired or
	// not. The error wraps [ErrNotPersistent] if there is none.
	Persistent(ctx context.Context, owner, name string) (*Persistent, error)

	// Persistents returns all of an owner's in order of their names.
	Persistents(ctx context.Context, owner string) ([]Persistent, error)

	// MovePersistents moves positions on, those that there still are. Within
	// an epoch a position never goes back, whatever order moves come in: the
	// later one counts, and what is acknowledged behind it is what either
	// says; of more than [MaxAckedSpans], the first ones. To lose a move that
	// was reported as done costs only repeats: it need not be durable at once.
	// It may take a moment, in which the store waits for something else to
	// write: whoever moves many moves them together.
	MovePersistents(ctx context.Context, moves []Move) error

	// DeletePersistent removes one, durably. It is no error if there is none.
	DeletePersistent(ctx context.Context, owner, name string) error

	// DeleteOwner removes all of an owner's, durably, and returns how many.
	DeleteOwner(ctx context.Context, owner string) (n int, err error)

	// DeleteExpiredPersistents removes those whose Expires is not after now,
	// and returns how many. It may leave some for the next call so as not to
	// hold up others.
	DeleteExpiredPersistents(ctx context.Context, now time.Time) (n int, err error)

	// EachPersistent calls f for every subscription, ordered by owner and name
	// after the given ones, which need not exist and may be empty, until f
	// returns false. What is put or removed meanwhile may be missed.
	EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*Persistent) bool) error
}
