package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// FindInRing looks for an event that a ring of n events does not have, with a
// context that is done after steps of the search.
func FindInRing(n, steps int) error {
	r := newRing(HistoryConfig{Events: n, Bytes: 1 << 30}, 0, new(counters))
	for i := range n {
		r.keep(&Publication{ID: wamp.ID(i + 1), Topic: "com.example.topic"})
	}
	_, _, err := r.find(&stepContext{context.Background(), steps}, wamp.ID(n+1))
	return err
}

// A stepContext is done after it has been asked left times whether it is.
type stepContext struct {
	context.Context
	left int
}

func (c *stepContext) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}
