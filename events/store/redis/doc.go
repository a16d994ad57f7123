// Package redis keeps event logs, persistent subscriptions and client tokens in
// Redis 6.2 or newer, or Valkey: one server, one behind Sentinel, or a Cluster.
// It implements events.Store, events.PersistentStore and auth.TokenStore for any
// number of gateways that share a store, and tells each what the others do.
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
// # Other gateways
//
// A store is one of the nodes that use the same prefix. A second goroutine, the
// ear, reads what happens between them from a stream, on a connection of its
// own, and tells a [Follower]; since an answer must come within a second, it
// also knows whether Redis is heard ([Store.Heard]). It renews the lease without
// which the others take the node for gone. A third one sends what is given to
// [Store.Send]. What waits for it is bounded; beyond that Send fails.
//
// # Lost data
//
// Redis may lose what it acknowledged, as its operator chose: a crash between
// two syncs, a failover to a replica that lags, a backup that is restored. The
// store knows how far each log went. A log that is behind, and every log if
// nobody knows, gets a new epoch, so that no position means two events.
//
// docs/design/026-redis-store.md and 029-many-nodes.md have the keys and the
// reasons.
package redis
