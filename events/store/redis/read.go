package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Read returns the records of a range; see [events.Reader].
func (s *Store) Read(ctx context.Context, r events.Range) (events.Page, error) {
	page := events.Page{After: r.After}
	b, rest, ok, err := s.ask(ctx, "read the log "+r.Class, r.Class, func(ctx context.Context) (any, error) {
		return s.run(ctx, scriptRead, s.keys.of(r.Class), clamp(r.After), clamp(r.Through), r.Limit, r.Bytes, r.Channel)
	})
	page.Bounds = b
	if err != nil || !ok {
		return page, err
	}
	after, err := number(rest[0])
	if err != nil {
		return page, s.explain("read the log "+r.Class, err)
	}
	page.After = max(r.After, after)
	page.Records = make([]events.Record, len(rest)-1)
	for i := range page.Records {
		if err := parseRecord(rest[1+i], &page.Records[i]); err != nil {
			return page, s.explain("read the log "+r.Class, err)
		}
		page.Records[i].Class = r.Class
	}
	return page, nil
}

// parseRecord reads an offset, a time, an id with "g" before it if the
// publisher gave it, a channel and data.
func parseRecord(v any, to *events.Record) error {
	w, ok := words(v)
	if !ok || len(w) != 5 || w[2] == "" {
		return fmt.Errorf("%w: a record has %d parts", errDamaged, len(w))
	}
	offset, err := number(w[0])
	if err != nil {
		return err
	}
	ms, err := number(w[1])
	if err != nil {
		return err
	}
	id, given := strings.CutPrefix(w[2], "g")
	if !given {
		id = w[2][1:]
	}
	*to = events.Record{
		Offset: offset, Time: time.UnixMilli(int64(min(ms, maxNumber))).UTC(),
		ID: id, IDGiven: given, Channel: w[3], Data: []byte(w[4]),
	}
	return nil
}

// SeekTime finds a time by bisection; see [events.Reader].
func (s *Store) SeekTime(ctx context.Context, class string, through uint64, t time.Time) (after uint64, err error) {
	at := milliseconds(t.Add(time.Millisecond - 1)) // the first one that is not before t
	return s.seek(ctx, class, func(ctx context.Context) (any, error) {
		return s.run(ctx, scriptSeekTime, s.keys.of(class), clamp(through), at)
	})
}

// SeekLast finds the last n records; see [events.Reader].
func (s *Store) SeekLast(ctx context.Context, class, channel string, through uint64, n int) (after uint64, err error) {
	return s.seek(ctx, class, func(ctx context.Context) (any, error) {
		return s.run(ctx, scriptSeekLast, s.keys.of(class), clamp(through), max(n, 0), channel)
	})
}

func (s *Store) seek(ctx context.Context, class string, run func(ctx context.Context) (any, error)) (after uint64, err error) {
	op := "search the log " + class
	_, rest, ok, err := s.ask(ctx, op, class, run)
	if err != nil || !ok {
		return 0, err
	}
	if after, err = number(rest[0]); err != nil {
		return 0, s.explain(op, err)
	}
	return after, nil
}

// clamp keeps an offset to numbers that a script can count with.
func clamp(offset uint64) uint64 { return min(offset, maxNumber) }
