package storekit

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A Log is what of a store tells where its logs begin and end; see
// [events.Store] and [events.Reader].
type Log interface {
	Bounds(ctx context.Context, class string) (events.Bounds, error)
	SeekTime(ctx context.Context, class string, through uint64, t time.Time) (after uint64, err error)
}

// FirstToKeep returns the bounds of the log of a class, and at which offset it
// begins at the time now once what it need not keep is gone; 0 if nothing is to
// go. It only reads. Its errors are those of log.
func FirstToKeep(ctx context.Context, log Log, class string, keep events.Retain, now time.Time) (first uint64, b events.Bounds, err error) {
	b, err = log.Bounds(ctx, class)
	if err != nil {
		return 0, b, err
	}
	first, err = keep.First(b, now, func(t time.Time) (uint64, error) {
		after, err := log.SeekTime(ctx, class, b.Next-1, t)
		return after + 1, err
	})
	if err != nil {
		return 0, b, err
	}
	if first == b.First {
		return 0, b, nil
	}
	return first, b, nil
}
