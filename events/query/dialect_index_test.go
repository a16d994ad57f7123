package query_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

// An indexed reports what an index that has one query says of events.
type indexed struct {
	id      query.ID
	matcher *query.Matcher
}

// index returns nil for a query that no index takes, since it has nothing to be
// found by.
func index(t *testing.T, q *query.Query) *indexed {
	t.Helper()
	ix := query.NewIndex(query.DefaultConfig())
	id, err := ix.Add(q)
	if errors.Is(err, query.ErrNoAnchor) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return &indexed{id: id, matcher: ix.NewMatcher()}
}

// check compares what the index says with what is true.
func (ix *indexed) check(t *testing.T, data string, want bool) {
	t.Helper()
	if ix == nil {
		return
	}
	if err := ix.matcher.Load(query.Meta{Class: "order.created", ID: "e-1", Topic: "orders", Time: taken}, []byte(data)); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if got := slices.Contains(ix.matcher.Match(nil), ix.id); got != want {
		t.Fatalf("the index says of %s: %v, want %v", data, got, want)
	}
}
