package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// A logCheck is the check of one log.
type logCheck struct {
	*verifier
	class  string
	keys   []string // writer, meta, log, ids, channels
	bounds events.Bounds
	faults []offsetFault // at most maxHeld; the rest is told at once
}

// maxHeld is how many faults are looked at twice.
const maxHeld = 10_000

// An offsetFault is something wrong with the record at an offset, or with the
// whole log: 0.
type offsetFault struct {
	offset      uint64
	where, what string
}

func (l *logCheck) found(offset uint64, where, what string) {
	if len(l.faults) == maxHeld {
		l.fault(where, what)
		return
	}
	l.faults = append(l.faults, offsetFault{offset, where, what})
}

func (l *logCheck) at(offset uint64) string { return fmt.Sprintf("log %s, offset %d", l.class, offset) }

// records checks every entry, and that the indexes have it.
func (l *logCheck) records(ctx context.Context) error {
	next, newest := l.bounds.First, time.Time{}
	for next < l.bounds.Next {
		entries, err := l.v.entries(ctx, l.class, next-1, l.bounds.Next-1)
		if wrongType(err) {
			l.found(0, "log "+l.class, "the key "+l.keys[2]+" is no stream")
			return nil
		}
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			l.found(l.bounds.Next-1, l.at(next), fmt.Sprintf("is not there, and none up to %d", l.bounds.Next-1))
			return nil
		}
		page := make([]events.Record, 0, len(entries))
		for i := range entries {
			at, _, _ := strings.Cut(entries[i].ID, "-")
			offset, err := strconv.ParseUint(at, 10, 64)
			if err != nil {
				l.found(0, "log "+l.class, fmt.Sprintf("has the entry %.60q", entries[i].ID))
				continue
			}
			switch {
			case offset > next:
				l.found(offset-1, l.at(next), fmt.Sprintf("is not there; the next one is %d", offset))
			case offset < next:
				l.found(offset, l.at(offset), "is there twice")
			}
			next = max(next, offset+1)
			r, err := recordOf(l.class, &entries[i])
			if err != nil {
				l.found(offset, l.at(offset), "the record cannot be decoded")
				continue
			}
			if r.Time.Before(newest) {
				l.found(offset, l.at(offset), fmt.Sprintf("has the time %s, and the one before it %s", r.Time.Format(time.RFC3339Nano), newest.Format(time.RFC3339Nano)))
			}
			newest = r.Time
			l.record(&r)
			page = append(page, r)
		}
		if err := l.indexed(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// indexed checks that the indexes have records.
func (l *logCheck) indexed(ctx context.Context, page []events.Record) error {
	ids, scores := make([]*goredis.StringCmd, len(page)), make([]*goredis.FloatCmd, len(page))
	err := l.v.s.try(ctx, "verify the log "+l.class, func(ctx context.Context) error {
		_, err := l.v.s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i := range page {
				if page[i].IDGiven {
					ids[i] = p.HGet(ctx, l.keys[3], page[i].ID)
				}
				if page[i].Channel != "" {
					scores[i] = p.ZScore(ctx, l.keys[4], channelMember(page[i].Channel, page[i].Offset))
				}
			}
			return nil
		})
		if errors.Is(err, goredis.Nil) || wrongType(err) {
			return nil // told of below
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range page {
		r := &page[i]
		if ids[i] != nil && ids[i].Val() != strconv.FormatUint(r.Offset, 10) {
			l.found(r.Offset, l.at(r.Offset), fmt.Sprintf("its id %.140q is not in the index of ids, or stands for another event", r.ID))
		}
		if scores[i] != nil && scores[i].Err() != nil {
			l.found(r.Offset, l.at(r.Offset), fmt.Sprintf("is not in the index of channels, under %.300q", r.Channel))
		}
	}
	return nil
}

// channelMember is what stands for a record in the index of channels, as in
// prelude.lua.
func channelMember(channel string, offset uint64) string {
	return fmt.Sprintf("%s\x00%016d", channel, offset)
}

// ids checks that what the index of ids has is in the log.
func (l *logCheck) ids(ctx context.Context) error {
	var cursor uint64
	for {
		var pairs []string
		err := l.v.s.try(ctx, "verify the log "+l.class, func(ctx context.Context) (err error) {
			var next uint64
			if pairs, next, err = l.v.s.client.HScan(ctx, l.keys[3], cursor, "", verifyPage).Result(); err == nil {
				cursor = next
			}
			return err
		})
		if wrongType(err) {
			l.found(0, "ids of "+l.class, "the key "+l.keys[3]+" is no hash")
			return nil
		}
		if err != nil {
			return err
		}
		var offsets []uint64
		var names []string
		for i := 0; i+1 < len(pairs); i += 2 {
			offset, err := strconv.ParseUint(pairs[i+1], 10, 64)
			if err != nil {
				l.found(0, "ids of "+l.class, fmt.Sprintf("%.140q stands for %.40q, expected an offset", pairs[i], pairs[i+1]))
				continue
			}
			offsets, names = append(offsets, offset), append(names, pairs[i])
		}
		err = l.lookUp(ctx, offsets, func(i int, r *events.Record) {
			if r == nil || !r.IDGiven || r.ID != names[i] {
				l.found(offsets[i], "ids of "+l.class, fmt.Sprintf("%.140q stands for the offset %d, where no record with it is", names[i], offsets[i]))
			}
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// channels checks that what the index of channels has is in the log.
func (l *logCheck) channels(ctx context.Context) error {
	start := "-"
	for {
		var members []string
		err := l.v.s.try(ctx, "verify the log "+l.class, func(ctx context.Context) (err error) {
			members, err = l.v.s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{
				Key: l.keys[4], ByLex: true, Start: start, Stop: "+", Count: verifyPage,
			}).Result()
			return err
		})
		if wrongType(err) {
			l.found(0, "channels of "+l.class, "the key "+l.keys[4]+" is no sorted set")
			return nil
		}
		if err != nil || len(members) == 0 {
			return err
		}
		start = "(" + members[len(members)-1]
		var offsets []uint64
		var channels []string
		for _, m := range members {
			channel, at, ok := strings.Cut(m, "\x00")
			offset, err := strconv.ParseUint(at, 10, 64)
			if !ok || err != nil || len(at) != 16 {
				l.found(0, "channels of "+l.class, fmt.Sprintf("%.300q is no channel with an offset", m))
				continue
			}
			offsets, channels = append(offsets, offset), append(channels, channel)
		}
		err = l.lookUp(ctx, offsets, func(i int, r *events.Record) {
			if r == nil || r.Channel != channels[i] {
				l.found(offsets[i], "channels of "+l.class, fmt.Sprintf("%.300q has the offset %d, where no record of it is", channels[i], offsets[i]))
			}
		})
		if err != nil {
			return err
		}
	}
}

// lookUp calls f with the record at each offset, or nil. What was appended since
// the check began is passed over.
func (l *logCheck) lookUp(ctx context.Context, offsets []uint64, f func(i int, r *events.Record)) error {
	found := make([]*goredis.XMessageSliceCmd, len(offsets))
	err := l.v.s.try(ctx, "verify the log "+l.class, func(ctx context.Context) error {
		_, err := l.v.s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i, at := range offsets {
				found[i] = p.XRangeN(ctx, l.keys[2], fmt.Sprintf("%d-0", at), fmt.Sprintf("%d-%d", at, uint64(math.MaxUint64)), 1)
			}
			return nil
		})
		if wrongType(err) {
			return nil // told of by records
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range offsets {
		entries := found[i].Val()
		if len(entries) == 0 {
			f(i, nil)
			continue
		}
		r, err := recordOf(l.class, &entries[0])
		if err != nil {
			f(i, nil)
			continue
		}
		f(i, &r)
	}
	return nil
}
