package events

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"
)

// A Delivery says how the events of a class reach subscribers that are slow, or
// many. The hub hands it on; it is the router that does as it says.
type Delivery struct {
	// WhenFull is what becomes of an event for a subscriber whose queue is
	// full; empty: as its role says.
	WhenFull WhenFull

	// Key is the name of a field of type string, int or bool: an event is the
	// latest state of what the field names, and earlier ones with its value
	// are worth nothing then. Only with [KeepLatest]. Empty, and for an event
	// without the field: it is the latest state of all that the class tells.
	Key string

	// Linger is how long an event may wait for others that are written with
	// it: up to 1s; 0: as the subscriber's role says; negative: not at all.
	Linger time.Duration
}

// A WhenFull is what becomes of an event for a subscriber whose queue is full.
type WhenFull string

// The policies.
const (
	Disconnect WhenFull = "disconnect"  // the subscriber's session ends
	DropOldest WhenFull = "drop-oldest" // the oldest events that wait make room
	KeepLatest WhenFull = "keep-latest" // waiting events make room for later ones with the same key
)

// Policies has every [WhenFull].
var Policies = []WhenFull{Disconnect, DropOldest, KeepLatest}

// MaxLinger is the longest [Delivery.Linger].
const MaxLinger = time.Second

// checkDelivery reports what is wrong with c.Delivery.
func (c *ClassConfig) checkDelivery(report func(path string, err error)) {
	d := &c.Delivery
	if d.WhenFull != "" && !slices.Contains(Policies, d.WhenFull) {
		report("queue.when_full", fmt.Errorf("must be one of disconnect, drop-oldest, keep-latest, not %s", quote(string(d.WhenFull))))
	}
	switch {
	case d.Key == "":
	case d.WhenFull == "":
		report("queue.key", errors.New("expected only with when_full: keep-latest, found without when_full"))
	case d.WhenFull != KeepLatest:
		report("queue.key", fmt.Errorf("expected only with when_full: keep-latest, found with %s", d.WhenFull))
	default:
		c.checkNaming("queue.key", d.Key, report)
	}
	if d.Linger > MaxLinger {
		report("linger", fmt.Errorf("must be at most %v, not %v", MaxLinger, d.Linger))
	}
}

// Delivery says how events of the class reach slow subscribers.
func (c *Class) Delivery() Delivery { return c.config.Delivery }

// The seed is drawn anew by each process: keys are not to be stored.
var keySeed = maphash.MakeSeed()

// classKey returns the part of [Event.Key] that tells classes apart, since one
// subscription may be to several.
func classKey(c *ClassConfig) uint64 {
	if c.Delivery.WhenFull != KeepLatest {
		return 0
	}
	return maphash.String(keySeed, c.Name)
}

// valueKey returns the part of [Event.Key] that tells values apart.
func valueKey(value []byte) uint64 { return maphash.Bytes(keySeed, value) }

// intKey is valueKey for integers.
func intKey(i int64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return valueKey(b[:])
}

// keyOf returns the [Event.Key] of data that is in a log. It is 0 if the class
// has changed so that the data does not fit it any more.
func (c *Class) keyOf(data []byte) uint64 {
	if c.key == 0 {
		return 0
	}
	of, err := c.check(data)
	if err != nil {
		return 0
	}
	return of.key
}
