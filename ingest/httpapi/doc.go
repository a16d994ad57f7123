// Package httpapi takes events over plain HTTP: it is the handler of
// POST /events, for one event as a JSON object or a batch as an array of them.
//
//	{"class": "order.created", "data": {"id": 1}, "id": "optional"}
//
// The ingest key comes as "Authorization: Bearer <key>". A batch is accepted
// as a whole or not at all. Every failure is a problem document (RFC 9457)
// whose members say where, what was expected and what came; docs/ingest.md has
// the reference.
//
// An event's data is checked to be well-formed JSON without duplicate names
// and beyond that kept as the bytes that came. The package starts no
// goroutine: a request is served in the goroutine of the HTTP server, with
// memory that is bounded by the size of the request.
package httpapi
