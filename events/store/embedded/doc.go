// Package embedded keeps event logs, persistent subscriptions and client tokens
// in one bbolt file. It implements events.Store, events.PersistentStore and
// auth.TokenStore for a gateway that runs as one process.
//
// # Writing
//
// One goroutine, the committer, writes. It takes everything that waits, within
// a bound, makes it durable, and then calls back everyone: many publishers
// share the price of one batch. What arrives meanwhile is the next batch, so
// that batches grow by themselves when the disk is slow, and nothing waits when
// it is not. The queue is bounded in records and in bytes; whoever finds it full
// waits.
//
// A batch that only appends to logs is written to a journal beside the file,
// with one fdatasync(2), and is at the same time in a transaction of bbolt that
// stays open. That is committed, with two, when the batch is something else,
// when the journal is full or a second old, or when somebody wants to read a log
// of which there is something only in the journal.
//
// What moves the positions of persistent subscriptions is in no hurry: it waits
// for the next commit that somebody else needs, or a tenth of a second, so that
// acknowledgements alone cause at most ten commits a second. Like everything, it
// is reported as done when it is durable, so neither a process that is killed
// nor a machine that loses power takes it back.
//
// A commit that fails changes nothing and acknowledges nothing. The next one
// begins from what is in the file and the journal, so that a full disk needs no
// restart once there is room.
//
// A store that is closed is one file. One that was killed has its journal, too,
// which is put into the file when it is opened.
//
// # The file
//
//	"wireroom"  "format"  → version (4 bytes)
//	            "journal" → id of the journal (16 bytes), number of its last batch that is in the file (8), 1 if it is closed
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
