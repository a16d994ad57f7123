// Package bench is the load generator behind "wireroom bench". It drives one
// or several WAMP routers, or ways in for events, and reports rates, latency,
// losses and what the work cost the server: CPU time and memory, read from
// the server's own process.
//
// The generator shares the machine with what it measures, so it is lean: it
// encodes its few messages itself and, of those that come back, reads no more
// than it needs, a type, a request id and the head of the payload. Sockets
// are read by a few loops, each a goroutine over one epoll instance, instead
// of one goroutine per connection. Connections over TLS are the exception: a
// goroutine reads each.
//
// It knows nothing of the other packages of this module, on purpose: it
// speaks to a router as a stranger would, so a mistake of ours is not hidden
// by the same mistake here.
//
// Who is measured: targets that run already (--target, --url), and servers
// that a run starts and ends itself (--spawn), each anew for every round. The
// subcommands nexus-server and writeloop-server are such servers, pair-client is
// a publisher and a subscriber that measure beside a busy generator; they end
// when their standard input does, so that none outlives its parent.
//
// A run is rounds of cases of targets, in this order, so that noise of the
// machine hits all targets alike. Medians, minima and maxima over the rounds
// are reported.
//
// The package needs Linux; elsewhere [Command] says so.
package bench
