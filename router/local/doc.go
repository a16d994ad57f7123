// Package local joins parts of the program itself to a realm of its router, as
// WAMP clients without a connection. Whoever needs to call, publish, subscribe
// or register from within the process has a [Client]; the router treats it as
// any other session: it is in the meta API, its queue is bounded, its order is
// kept, and it can be ended by others.
//
// Payloads are JSON, as raw bytes. They are checked once more here, so that
// what one caller made up cannot end the session of all of them.
//
// # Goroutines
//
// A [Client] has one goroutine, which takes what the router sends: it hands out
// answers, and calls the handlers of events, one after the other and in order.
// Each invocation of a procedure runs in a goroutine of its own; their number
// is bounded by the concurrency of the registration. What a client sends is
// carried out by the goroutine of whoever calls its method, one at a time.
// [Client.Close] waits for all of them.
//
// # Contracts
//
// A handler of events must not wait for this client: the answer would have to
// come through the very goroutine that waits. A client that does not take its
// events as fast as they come is treated as any slow consumer. Its end, for
// whatever reason, ends the context of its handlers and fails what waits for an
// answer with [ErrEnded]; [Join] makes another one.
package local
