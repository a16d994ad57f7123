// Package redis keeps event logs, persistent subscriptions and client tokens in
// Redis 6.2 or newer, or Valkey: one server, one behind Sentinel, or a Cluster.
// It implements events.Store, events.PersistentStore and auth.TokenStore for a
// gateway that runs as one process.
//
// # Writing
//
// One goroutine, the committer, appends. It takes everything that waits, within
// a bound, and sends it as a few calls of one script in one round trip. Each
// call has a sequence number, by which the script knows a call that was made
// before: what was sent on a connection that broke is sent again, and is
// carried out once. The queue is bounded in records and in bytes; whoever finds
// it full waits.
//
// A call that Redis cannot carry out for some seconds fails, and with it what
// waited behind it. What fails that way may be in the log nevertheless, but
// never behind something that was appended later.
//
// The gateway that opened the store last is the one that may write; every
// other one is refused, and says so.
//
// # Lost data
//
// Redis may lose what it acknowledged, as its operator chose: a crash between
// two syncs, a failover to a replica that lags, a backup that is restored. The
// store knows how far each log went. A log that is behind, and every log if
// nobody knows, gets a new epoch, so that no position means two events.
//
// docs/design/026-redis-store.md has the keys and the reasons.
package redis
