// Package query is EQL, the language in which a subscriber says which events it
// wants: conditions about an event's data and about what the gateway knows of
// it, such as
//
//	total > 100 && address.city == "Oslo" && !("test" in tags)
//
// EQL is a part of CEL, the Common Expression Language, and means exactly what
// CEL means by it; docs/eql.md says which part. A bare name is a field of the
// event's data; class, id, time and topic are the event's own.
//
// [Parse] reads a query, within [Limits], and says where and why it cannot.
// [Query.Eval] is the plain reading of the language, one event at a time, and
// [Query.Explain] says how it comes to its answer. An [Index] finds which of
// millions of queries an event satisfies: writers add and remove, each [Matcher]
// is one goroutine's, and nobody who matches waits.
//
// A [Schema] is what an event class declares. [Query.Check] finds what can make
// no sense for events of the class. Fields that are declared as times are
// strings in the event and timestamps to queries: they are converted where an
// event is read, as its own class says ([Schema.NewSample], [Matcher.LoadClass]),
// and not by the query, which means the same for all classes and has one normal
// form.
//
// The package holds values only: it starts no goroutine and does no I/O.
package query
