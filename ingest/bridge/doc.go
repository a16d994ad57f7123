// Package bridge lets programs without WAMP publish and call by HTTP: one
// handler takes publications, another one calls. The forms are those of
// Crossbar's HTTP bridge, so that its clients work:
//
//	POST /publish  {"topic": "com.example.news", "args": ["hello"], "kwargs": {}, "options": {}}
//	200            {"id": 1234567890}
//
//	POST /call     {"procedure": "com.example.add", "args": [1, 2]}
//	200            {"args": [3]}
//
// A request is made on behalf of a [Principal]: that of a key, which signs the
// request or sends its secret, or the anonymous one, if there is one. What the
// realm answers with ERROR has the status 200 as well, and a body with the
// member "error"; a request that does not get that far has another status and
// such a body. docs/bridge.md has the reference.
//
// Whoever implements [Publisher] and [Caller] knows how a realm is reached;
// nothing here does. The package starts no goroutine: a request is served in
// the goroutine of the HTTP server, with memory that is bounded by its size.
// What is remembered of signed requests is bounded for each key.
package bridge
