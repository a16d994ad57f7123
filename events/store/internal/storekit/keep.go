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
	first = b.First
	if keep.Events > 0 && b.Next-b.First > uint64(keep.Events) {
		first = b.Next - uint64(keep.Events)
	}
	if keep.For > 0 {
		after, err := log.SeekTime(ctx, class, b.Next-1, now.Add(-keep.For))
		if err != nil {
			return 0, b, err
		}
		first = max(first, after+1)
	}
	if first == b.First {
		return 0, b, nil
	}
	return first, b, nil
}
