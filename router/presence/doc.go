// Package presence keeps who is on the topics of a realm, and tells of those who
// come and go. It is a [router.Attendance].
//
// A member is on a topic while a session of it is subscribed to exactly this
// topic. A member is an authid in a role, however many sessions it has. Each member
// of each topic has a number that no other one ever gets, so that whoever has
// heard of all that came and went since it began to listen, and then asks who is
// there, knows exactly who is: those of the answer and those who came, without
// those who went, in whichever order it has heard.
//
// # Goroutines
//
// A [Keeper] has one goroutine. It publishes joins and leaves in their order, and
// ends the time for which a member without a session is still taken to be there.
// [Keeper.Close] waits for it. All methods are safe for concurrent use.
//
// # Contracts
//
// Came and Went of [router.Attendance] are called under locks of the router; the
// lock of a keeper is taken after them, and nothing of the router is called while
// it is held. What waits to be told is bounded; of a topic of which something could
// not be told, that is told.
package presence
