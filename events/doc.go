// Package events holds the event classes, checks events against them, keeps
// the retained ones in a log and hands each to whoever delivers it. It knows
// neither the wire that an event came by nor the one it leaves by.
//
// [ClassConfig] is what an operator writes about a class, [Catalogue] is the
// immutable set of all of them, and [Hub] is the one path of every event:
//
//	validate → append to the class's log, if it is retained → route
//
// What it needs of the outside it declares: [Store] keeps the logs, [Router]
// delivers. [Hub.Replay] reads a log for one subscriber and then switches it
// to live events with no gap and no repetition. [Queries] are what subscribers
// want to know of events, and find which of them an event satisfies.
//
// A [Keeper] keeps the subscriptions that belong to clients and outlive their
// sessions, in a [PersistentStore]: a [Holder] is a session that has some of them,
// a [Held] is one of these.
//
// # Order
//
// Events of a retained class have offsets that grow by one. They reach the
// [Router] in the order of their offsets, one at a time, under the class's
// delivery lock. Events of other classes are routed on the goroutine that
// publishes them, without any lock. A [Line] keeps the order of one caller's
// publications across classes of both kinds.
//
// # Goroutines
//
// [NewHub] starts two, and [Hub.Close] ends them and waits. The deliverer
// takes what the store has made safe and routes it, so that routing one batch
// overlaps with writing the next. The sweeper trims logs by age. [NewKeeper] starts
// two, which [Keeper.Close] ends: one asks clients, one writes. Everything
// else runs on the goroutines of the callers; [Store] implementations have
// their own.
//
// # Bounds
//
// What is under way between acceptance and delivery is bounded in number and
// in bytes by [Config]; beyond it publishers wait, and [Stats] counts that
// they did. Nothing is dropped. Live events are not buffered while a
// subscriber replays: the log is the buffer.
package events
