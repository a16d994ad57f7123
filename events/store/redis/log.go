package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// Bounds returns what the log of a class holds, and makes the log if there is
// none; see [events.Store].
func (s *Store) Bounds(ctx context.Context, class string) (b events.Bounds, err error) {
	err = s.try(ctx, "look at the log "+class, func(ctx context.Context) error {
		b, err = s.bounds(ctx, class)
		return err
	})
	return b, err
}

func (s *Store) bounds(ctx context.Context, class string) (events.Bounds, error) {
	alone := s.alone.Load() // before the position, which may be forgotten then
	k := s.position(class)
	reply, err := s.run(ctx, scriptBounds, s.keys.of(class), k.epoch, k.last, newEpoch(), flag(alone))
	if err != nil {
		return events.Bounds{}, err
	}
	w, ok := words(reply)
	if ok && len(w) > 0 && w[0] == "info" {
		return events.Bounds{}, errNoInfo
	}
	if !ok || len(w) < 5 {
		return events.Bounds{}, fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
	}
	b, err := parseBounds(w)
	if err == nil {
		s.learn(class, k, position{epoch: b.Epoch, last: b.Next - 1})
	}
	return b, err
}

// parseBounds reads an epoch and the offsets of the first record, the last one
// and the base, and the lineage unless that was not asked for.
func parseBounds(w []string) (b events.Bounds, err error) {
	var n [3]uint64
	for i := range n {
		if n[i], err = strconv.ParseUint(w[1+i], 10, 64); err != nil {
			return b, fmt.Errorf("%w: a script answers with the bounds %.80q", errDamaged, w)
		}
	}
	b = events.Bounds{Epoch: w[0], First: n[0], Next: n[1] + 1, Base: n[2]}
	if len(w) > 4 {
		b.Line = events.Lineage(w[4])
	}
	return b, nil
}

// ask runs a script that reads the log of a class, and returns the bounds and
// what the script answers after them. Without a log, ok is false. A log that
// lost what somebody knows of gets a new epoch before.
func (s *Store) ask(ctx context.Context, op, class string, run func(ctx context.Context) (reply any, err error)) (b events.Bounds, rest []any, ok bool, err error) {
	err = s.try(ctx, op, func(ctx context.Context) error {
		for range 3 {
			k := s.position(class)
			reply, err := run(ctx)
			if err != nil {
				return err
			}
			w, isWords := words(reply)
			if !isWords || len(w) == 0 {
				return fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
			}
			switch w[0] {
			case "ok":
				if len(w) < 7 {
					return fmt.Errorf("%w: a script answers with %d words", errDamaged, len(w))
				}
				if b, err = parseBounds(w[1:]); err != nil {
					return err
				}
				if k.epoch == "" || b.Epoch == k.epoch && b.Next > k.last {
					if k.epoch != "" { // what is new to this node, bounds looks at first
						s.learn(class, k, position{epoch: b.Epoch, last: b.Next - 1})
					}
					rest, ok = reply.([]any)[6:], true
					return nil
				}
			case "none":
				if k.epoch == "" {
					b, rest, ok = events.Bounds{First: 1, Next: 1}, nil, false
					return nil
				}
			case "stale":
			default:
				return s.refused(reply)
			}
			// It is not the log that is known.
			if _, err := s.bounds(ctx, class); err != nil {
				return err
			}
		}
		return errStale
	})
	return b, rest, ok, err
}

// number returns an offset that a script answers.
func number(v any) (uint64, error) {
	text, _ := v.(string)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: a script answers with %.40q for a number", errDamaged, fmt.Sprint(v))
	}
	return n, nil
}

// Trim removes old records, at most 4096 at once; see [events.Store].
func (s *Store) Trim(ctx context.Context, class string, keep events.Retain, now time.Time) (n int, err error) {
	first, b, err := storekit.FirstToKeep(ctx, s, class, keep, now)
	if err != nil || first == 0 {
		return 0, err
	}
	return s.trimTo(ctx, class, b.Epoch, first)
}

// trimTo removes records before the offset first from a log that is in an epoch.
func (s *Store) trimTo(ctx context.Context, class, epoch string, first uint64) (n int, err error) {
	err = s.try(ctx, "trim the log "+class, func(ctx context.Context) error {
		reply, err := s.run(ctx, scriptTrim, s.keys.of(class), epoch, first)
		removed, _ := reply.(int64)
		n = int(removed)
		return err
	})
	return n, err
}
