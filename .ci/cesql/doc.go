// Package cesql runs the conformance cases of CESQL, and compares what
// expressions and filters say of events with what the SDK of CloudEvents says. It
// is a module of its own so that the SDK and what it needs are not among what the
// gateway needs. Its path lies below events/query so that it may see the
// evaluator, which is internal there.
package cesql
