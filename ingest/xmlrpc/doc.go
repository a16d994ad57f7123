// Package xmlrpc takes events over XML-RPC: it is the handler for POST requests
// with text/xml.
//
// A [Handler] has the methods event.publish, event.publish_many, class.list,
// session.token (if its sink is an [ingest.TokenMinter]), session.devices and
// session.revoke (if it is an [ingest.SessionKeeper]), those of the system
// family (listMethods, methodHelp, methodSignature, multicall,
// getCapabilities), and send_event as Telegraphy's web applications call it.
// docs/ingest.md has the reference.
//
// The decoder is the package's own. It knows XML without document types: a
// declaration of one is refused, so no entity is ever expanded or fetched. It
// writes an event's data straight to JSON, without building Go values, and
// reports every failure with line and column as a fault of the codes -32700 to
// -32702 (not XML) or -32600 (XML, but no XML-RPC, or beyond a limit).
//
// Types become JSON so: integers and doubles are numbers, and doubles always
// have a fraction or an exponent; boolean, string, nil (with or without the
// prefix ex), array and struct are what they are; dateTime.iso8601 is a string
// as in RFC 3339, in UTC if it has no zone; base64 is a string in base64.
//
// The package starts no goroutine. A request is served in the goroutine of the
// HTTP server, with memory from a pool that is bounded by the size of the
// request, except for the answer of system.multicall, which has a limit of its
// own.
package xmlrpc
