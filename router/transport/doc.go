// Package transport carries WAMP over WebSocket (RFC 6455) and over RawSocket
// (WAMP, "RawSocket Transport"): the upgrade or greeting, the frames, the
// closing handshake and the pings; and, for whom neither gets through, over
// plain HTTP requests (WAMP, "HTTP Longpoll Transport"). But for
// [EventSource] it knows no WAMP message, and it takes no routing decision; it
// hands whole messages to a session of package router and writes the bytes that
// the session queues.
//
// # Goroutines
//
// Each connection has one goroutine, its reader. While nothing arrives it is
// parked without a buffer: on a TCP or Unix socket it waits inside
// [syscall.RawConn.Read], takes a buffer from a pool when there are bytes, and
// gives it back when no part of a message is left in it. TLS over a listener of
// [NewListener] is read in the same way: the reader waits outside of TLS.
// Connections that are no sockets (the pipes of tests), and other TLS, are read
// through a small buffer of their own. The first messages of a connection are handled by a crew, a few
// goroutines that keep their stacks, while a new goroutine waits for more;
// later the reader handles messages by itself, and is replaced when its stack
// has grown and the connection is silent. There is never more than one that
// owns the connection. Writing is done by whoever flushes the session, in
// package router. Closing handshakes are timed by [time.AfterFunc].
//
// [Server.Front] has a goroutine that accepts connections, and one for each
// connection until its first bytes have come, the PROXY header and the TLS
// handshake before them; so does
// [Server.ServeRawSocket], whose accepting goroutine is the caller's.
//
// A [LongPoll] works in the goroutines of the HTTP server. Whoever sends is the
// reader of the session, one request at a time; what the session writes waits in
// a mailbox for a request that fetches it. When a client ends, a goroutine
// detaches its session. An [EventSource], which speaks WAMP for clients that
// don't, works in the handler of its request alone.
//
// A [Server] has one more goroutine, the sweeper, which looks at all
// connections in turn, pings those that were silent and ends those that did
// not answer. [Server.Shutdown] waits for every goroutine.
//
// # Contracts
//
// Nothing that a peer announces sizes an allocation: a buffer for a message
// that has not arrived whole is at most twice as large as what has arrived,
// and a message that would exceed [Config.MaxMessage] ends the connection when
// its header is seen. Every violation of RFC 6455 ends the connection with a
// close frame that has the status code of the RFC and says what was wrong. A
// RawSocket, which has no close frame, ends with the session's ABORT.
//
// With permessage-deflate (RFC 7692) messages are compressed one by one, so
// that a connection holds no compressor and no window: these come from pools,
// for the time of one message. A compressed message is inflated into memory
// that grows with what comes out, up to [Config.MaxMessage].
//
// A peer that takes long over the upgrade request itself is the business of
// the HTTP server, before this package sees it: set
// [net/http.Server.ReadHeaderTimeout]. Of requests, [Server.Front] parses only
// what nobody could read in another way.
//
// Who a client is may be a proxy's word: a PROXY header before the first byte
// ([Config.ProxyProtocol]) or a header of the request ([Config.Forwarded]), from
// addresses that are trusted ([Config.Proxies]). It becomes
// [router.Peer.RemoteAddr] and, for pages, [net/http.Request.RemoteAddr].
package transport
