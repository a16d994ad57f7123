package router

import "sync/atomic"

type counters struct {
	joined, left         atomic.Uint64
	violations           atomic.Uint64
	publications, events atomic.Uint64
	refused              atomic.Uint64
	calls, callErrors    atomic.Uint64
	slowConsumers        atomic.Uint64
	discarded            atomic.Uint64
	droppedOldest        atomic.Uint64
	superseded           atomic.Uint64
	pauses               atomic.Uint64
	writeTimeouts        atomic.Uint64
	untranslatable       atomic.Uint64
	tooLong, tooLongEnds atomic.Uint64
	strayYields          atomic.Uint64
	strayCalls           atomic.Uint64
	rerouted             atomic.Uint64
	asked                atomic.Uint64
	metaLost             atomic.Uint64
	revoked              atomic.Uint64
	receiptsAsked        atomic.Uint64
	receiptsMissing      atomic.Uint64
	receiptsLate         atomic.Uint64
	notRetained          atomic.Uint64
	notKept              atomic.Uint64
	waited, turnedAway   atomic.Uint64
	upgradesRefused      atomic.Uint64

	resumable, wentAway, resumed                atomic.Uint64
	resumeRefused, resumeExpired, resumeCrowded atomic.Uint64
	resumeCrowdedUser, resumeCrowdedAddress     atomic.Uint64
	resumeGivenUp                               atomic.Uint64
}

// Stats counts what a router did since it began. Every way to lose a message
// is here.
type Stats struct {
	Connections  int    // open now, joined or not
	Joined, Left uint64 // sessions that were welcomed, and that ended

	Violations     uint64 // protocol violations by peers
	Publications   uint64 // routed
	Events         uint64 // queued for a subscriber
	Refused        uint64 // publications that were not admitted, acknowledged or not
	Calls          uint64 // forwarded to a callee or answered by the router
	CallErrors     uint64 // answered with ERROR
	SlowConsumers  uint64 // sessions ended because their queue was full
	Discarded      uint64 // frames that such sessions never got, and sessions whose connection broke, as far as is known
	DroppedOldest  uint64 // events that a full queue had no room for, or made room from (DropOldest)
	Superseded     uint64 // events that made room for later ones with their key (KeepLatest)
	Pauses         uint64 // times that a session was not read for a while, because it sent too much
	WriteTimeouts  uint64 // sessions ended because a write took too long
	Untranslatable uint64 // events that a receiver's serializer cannot express
	TooLong        uint64 // events that are longer than a receiver takes, which it is told that it missed
	TooLongEnds    uint64 // sessions ended because another message was longer than they take
	StrayYields    uint64 // answers to invocations that were over
	StrayCalls     uint64 // further parts of progressive invocations that were over
	Rerouted       uint64 // calls passed to another callee because one was not available
	Asked          uint64 // times that a session was not read until its [Authorizer] knew what to answer
	NotRetained    uint64 // publications that were refused because too much is retained already
	NotKept        uint64 // events that are longer than the history may be that they belong into
	MetaLost       uint64 // meta events that were not published because too many waited

	Revoked uint64 // subscriptions and registrations that others took from a session

	ReceiptsAsked   uint64 // events for which a subscriber was asked for a receipt
	ReceiptsMissing uint64 // of which none came in time, because the subscriber was silent, left or had no room
	ReceiptsLate    uint64 // that came after that

	// Counted where [Admission] bounds how fast sessions join.
	Waited          uint64 // sessions whose HELLO had to wait for its turn
	TurnedAway      uint64 // sessions that were told at HELLO to come later
	UpgradesRefused uint64 // connections that [Router.Admit] refused

	Resumption Resumption
}

// A Resumption is what [Stats] counts of sessions that can be resumed.
type Resumption struct {
	Resumable uint64 // sessions that were welcomed as such
	Away      int    // that are without a connection now
	WentAway  uint64 // times that one was left by its connection
	Resumed   uint64 // times that one was resumed
	Refused   uint64 // times that a peer could not have the session that it asked for
	Expired   uint64 // sessions that ended because nobody resumed them in time
	Crowded   uint64 // that ended at once, because as many as may be were without a connection

	CrowdedUser    uint64 // likewise, of the user's
	CrowdedAddress uint64 // likewise, of the address's

	GivenUp uint64 // messages that were written, and kept no more before they were known to have arrived
}

func (c *counters) snapshot(connections int) Stats {
	return Stats{
		Connections:    connections,
		Joined:         c.joined.Load(),
		Left:           c.left.Load(),
		Violations:     c.violations.Load(),
		Publications:   c.publications.Load(),
		Events:         c.events.Load(),
		Refused:        c.refused.Load(),
		Calls:          c.calls.Load(),
		CallErrors:     c.callErrors.Load(),
		SlowConsumers:  c.slowConsumers.Load(),
		Discarded:      c.discarded.Load(),
		DroppedOldest:  c.droppedOldest.Load(),
		Superseded:     c.superseded.Load(),
		Pauses:         c.pauses.Load(),
		WriteTimeouts:  c.writeTimeouts.Load(),
		Untranslatable: c.untranslatable.Load(),
		TooLong:        c.tooLong.Load(),
		TooLongEnds:    c.tooLongEnds.Load(),
		StrayYields:    c.strayYields.Load(),
		StrayCalls:     c.strayCalls.Load(),
		Rerouted:       c.rerouted.Load(),
		Asked:          c.asked.Load(),
		NotRetained:    c.notRetained.Load(),
		NotKept:        c.notKept.Load(),
		MetaLost:       c.metaLost.Load(),

		Revoked: c.revoked.Load(),

		ReceiptsAsked:   c.receiptsAsked.Load(),
		ReceiptsMissing: c.receiptsMissing.Load(),
		ReceiptsLate:    c.receiptsLate.Load(),

		Waited:          c.waited.Load(),
		TurnedAway:      c.turnedAway.Load(),
		UpgradesRefused: c.upgradesRefused.Load(),

		Resumption: Resumption{
			Resumable: c.resumable.Load(),
			WentAway:  c.wentAway.Load(),
			Resumed:   c.resumed.Load(),
			Refused:   c.resumeRefused.Load(),
			Expired:   c.resumeExpired.Load(),
			Crowded:   c.resumeCrowded.Load(),

			CrowdedUser:    c.resumeCrowdedUser.Load(),
			CrowdedAddress: c.resumeCrowdedAddress.Load(),

			GivenUp: c.resumeGivenUp.Load(),
		},
	}
}
