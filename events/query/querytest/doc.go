// Package querytest makes queries and events for tests of [query] that compare
// one thing that evaluates queries with another: the index with the plain
// reading of a query, or that with another implementation of CEL.
//
// It starts no goroutines.
package querytest

import (
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

// Parse reads a generated query, however long it is.
func Parse(t testing.TB, text string) *query.Query {
	t.Helper()
	options := query.DefaultOptions()
	options.Limits = query.Limits{Text: 1 << 16, Depth: 100, Leaves: 1000, List: 1000, Literal: 1000, Regexp: 1000, Path: 100}
	q, err := query.Parse(text, options)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// Sample reads the data of an event without a class.
func Sample(t testing.TB, meta query.Meta, data string) *query.Sample {
	t.Helper()
	s, err := query.NewSample(meta, []byte(data))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}

// Schema is of a class to which generated events may belong: at is a time, and
// ats are times. Nothing else that an event has is declared.
var Schema = &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Fields: []query.Field{
	{Name: "at", Type: query.Type{Kind: query.TimeType}},
	{Name: "ats", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.TimeType}}},
}}}
