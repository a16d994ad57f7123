// Package nodes makes the realms of several gateways one: what is published to
// topics without a log on one of them reaches subscribers on all, it is known who
// is on a topic anywhere, sessions can be ended from anywhere, and what is revoked on
// one ends on all. Events of retained classes are none of its business: every
// gateway reads them from the store.
//
// Gateways that share a store hear of each other by a [Bus], which keeps the order
// of what one of them says, and says so when something may have been missed.
//
// # Goroutines
//
// A [Mesh] has two. One takes what comes from the bus, in order, so that whoever
// listens to the bus does not wait for fan-outs; the other says who is present
// here, that there were revocations that could not be said, and asks what could not
// be asked. [Mesh.Close] waits for both. All methods are safe for concurrent use,
// except that those of a follower (Join, Leave, Gap, Message) are for one goroutine
// at a time.
//
// # Contracts
//
// A gateway without others says nothing, and it costs a publication the look at one
// number. What comes from other gateways is never said again. What waits is bounded;
// publications that cannot be passed on, or find no room, are counted, and the next
// one of their topic says how many are missing (_missed). Without the bus everything
// goes on among the clients of one gateway.
package nodes
