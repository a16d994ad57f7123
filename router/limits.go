package router

import (
	"math"
	"time"
)

// A WhenFull is what becomes of an event for a session whose queue is full.
type WhenFull uint8

const (
	// Inherit leaves it to the next who can say: the publication to the
	// session, the session to Disconnect.
	Inherit WhenFull = iota

	// Disconnect ends the session with wireroom.error.slow_consumer.
	Disconnect

	// DropOldest drops the oldest events that wait and may be dropped, the
	// new one if there is no older.
	DropOldest

	// KeepLatest drops events that wait and that a later one with the same
	// key has made worthless. If that makes no room, the session ends.
	KeepLatest
)

// String returns the policy's name in a configuration file.
func (w WhenFull) String() string {
	return [...]string{"inherit", "disconnect", "drop-oldest", "keep-latest"}[w]
}

// key returns what entries of events with the policy and the publication's key
// have for a key.
func (w WhenFull) key(of uint64) uint64 {
	switch {
	case w == DropOldest:
		return keyOldest
	case w != KeepLatest:
		return keyFirm
	case of == 0:
		return keyAny
	default:
		// Each has its own, but for the last of all, which have no room.
		return min(of, math.MaxUint64-keyAny) + keyAny
	}
}

// Limits are what one session may use.
type Limits struct {
	QueueBytes int      // that may wait for the peer: 4 KiB to 1 GiB
	WhenFull   WhenFull // for events whose publication does not say

	MaxSubscriptions int // 1 to 1,000,000
	MaxRegistrations int // 1 to 1,000,000
	MaxCalls         int // in flight as the caller: 1 to 1,000,000
	MaxPublishing    int // publications that wait for a Governor: 1 to 65,536

	MaxTestaments     int // 0 to 10,000
	MaxTestamentBytes int // of them in all, encoded as PUBLISH: 0 to 16 MiB

	// MessageRate and ByteRate are how much is read from the peer per second,
	// over some seconds; 0: any. A peer that sends more is read later, never
	// ended: its own writes wait.
	MessageRate int
	ByteRate    int

	// Linger is how long an event may wait for others that are written with
	// it: 0 to 1s. What answers a request never waits.
	Linger time.Duration
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{
		QueueBytes:       1 << 20,
		WhenFull:         Disconnect,
		MaxSubscriptions: 1000,
		MaxRegistrations: 1000,
		MaxCalls:         1000,
		MaxPublishing:    256,

		MaxTestaments:     32,
		MaxTestamentBytes: 64 << 10,
	}
}
