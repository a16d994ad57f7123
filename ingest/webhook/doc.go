// Package webhook tells HTTP endpoints of events, and has them answer calls:
// WAMP for programs that have nothing but a web server.
//
// A [Hook] forwards the events of a [Feed] to one endpoint, one after the
// other and in order, each until the endpoint has taken it or it is given up.
// A [Callee] has an endpoint answer calls. Requests are signed as the
// Standard Webhooks specification says (webhook-id, webhook-timestamp,
// webhook-signature). docs/webhooks.md has the reference.
//
// # Goroutines
//
// A Hook has two: one keeps the feed, the other one sends. [Hook.Close] ends
// both and waits for them. A Callee has none; calls run in the goroutines of
// whoever makes them.
//
// # Contracts
//
// What waits for an endpoint is bounded in bytes. When that is full, events
// that can be read again are not taken until there is room; of others the
// oldest are dropped, which is counted, logged and told with the next event
// ("missed").
//
// A Hook that is told where to begin ([Config.Position]), and tells up to where
// nothing more is to be done ([Config.Done]), can be followed by another one, in
// this process or another: what the first one had in hand comes again.
//
// No request goes to an address that is not public unless the operator has
// allowed its network. What counts is the address that is dialed, so that
// neither a name that resolves to something else the second time nor a redirect
// leads elsewhere. Proxies of the environment are not used; certificates are
// verified.
package webhook
