// Package embedded keeps event logs, persistent subscriptions and client tokens
// in one bbolt file. It implements events.Store, events.PersistentStore and
// auth.TokenStore for a gateway that runs as one process.
//
// # Writing
//
// One goroutine, the committer, writes. It takes everything that waits, within
// a bound, writes it in one bbolt transaction, and then calls back everyone:
// many publishers share the price of one commit, which is two fdatasync(2),
// one for the data and one for the root that makes it valid. What arrives
// meanwhile is the next batch, so that batches grow by themselves when the
// disk is slow, and nothing waits when it is not. The queue is bounded in
// records and in bytes; whoever finds it full waits.
//
// What moves the positions of persistent subscriptions is in no hurry: it waits
// for the next commit that somebody else needs, or a tenth of a second, so that
// acknowledgements alone cause at most ten commits a second. Like everything, it
// is reported as done when it is durable, so neither a process that is killed
// nor a machine that loses power takes it back.
//
// A commit that fails changes nothing and acknowledges nothing. The next one
// begins from what is in the file, so that a full disk needs no restart once
// there is room.
//
// # The file
//
//	"wireroom"  "format" → version (4 bytes)
//	"classes"   class →  "epoch" → text
//	                     "base"  → last offset when the epoch began, if there was one
//	                     "log"      offset → record; the bucket's sequence is the last offset
//	                     "ids"      id that the publisher gave → offset
//	                     "channels" channel, 0, offset → ""
//	"tokens"    hash → token
//	"expiry"    time of expiry, hash → ""
//	"subscriptions"  owner, 0, 0, name → persistent subscription; a 0 in an owner is 0, 255
//	"lapse"          time, key in "subscriptions" → ""; the time is not after the one of expiry
//
// Offsets and times are 8 bytes, big endian. Within a log they are dense, so
// that a place is found by arithmetic or, for a time, by bisection.
package embedded
