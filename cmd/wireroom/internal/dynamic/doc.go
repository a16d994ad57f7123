// Package dynamic asks procedures of the application what the configuration
// does not say: who somebody is ([Lookups]) and what a session may do
// ([Authorizer]). The procedures are called with the arguments, and may give
// the answers, that they have with Crossbar.
//
// The package starts no goroutine but that of a [Caller]'s client, which ends
// with [Caller.Close] or with the router. Who asks waits, for a bounded time and
// no longer than its session lasts. Whatever goes wrong is a refusal: an answer
// that is late, missing or not understood allows nothing. All types are safe for
// concurrent use.
package dynamic
