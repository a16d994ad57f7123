// Package auth says who a client is and what it may do: client tokens kept in
// cookies, JWT, WAMP authentication methods, users, roles with URI patterns, ingest
// keys, and the check of a request's origin.
//
//   - [Sessions] hands out client tokens at /session, recognises them at a
//     WebSocket upgrade, renews, rotates, revokes and sweeps them. It needs a
//     [TokenStore]. What has joined by a token or a JWT has a [Lease], which
//     ends with that: [Sessions.Run] sees to it.
//   - [Verifier] checks JWTs, with keys that it is given or fetches from a URL
//     ([Verifier.Run]), and [MintJWT] makes them.
//   - [Users] are those that the gateway itself knows; [NewCRA], [NewSCRAM] and
//     [NewTicket] make their credentials.
//   - [Auth] is the WAMP side: from a HELLO and what the upgrade found out it
//     makes a [Grant], a [Challenge] or an error.
//   - [Policy] holds the roles; [Keys] holds the ingest keys; [Origins] says
//     which web pages may talk to the gateway.
//
// The package starts no goroutine and knows no file and no transport of WAMP.
// Every type is safe for concurrent use, and all but Sessions, Verifier and
// Lease are immutable. What has to be read from a configuration file is a struct of its own with a
// Validate method that reports each bad field by the name it has in the file.
//
// A credential in clear is a [Secret], which logs and prints as "[redacted]".
// No error, log line or reply holds one.
package auth
