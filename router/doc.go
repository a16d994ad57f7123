// Package router is a WAMP v2 router: realms, sessions, a broker and a dealer.
// It knows neither sockets (package transport) nor event classes, stores and
// HTTP.
//
// # Goroutines
//
// Each connection has one goroutine, its reader, started by the transport. It
// decodes the peer's messages and carries them out by itself: it looks up the
// subscriptions or the registration, queues frames on other sessions, and
// flushes those queues when it has used up what it read. No goroutine stands
// between a publisher and a subscriber's queue, so the order of a publisher is
// kept.
//
// A [Router] owns a few flushers that write big fan-outs, one goroutine for
// each session whose peer does not take bytes as fast as they come (it ends
// when the queue is empty or the write deadline passes), one for each replay,
// and one for each session that is being taken down. [Router.Shutdown] waits
// for all of them.
//
// # Contracts
//
// No lock is held while a byte is written, and none is ever waited for by way
// of a peer. The order of locks is: a session's mu, a broker's or dealer's
// shard, a call's mu, an outbox's mu. Subscriber lists are read without a lock.
//
// A session's queue is bounded in bytes. When it is full, the session is ended
// with wireroom.error.slow_consumer, or events are dropped ([WhenFull]); either
// is counted, and the session is told. Frames are immutable once sealed and may
// be in many queues.
package router
