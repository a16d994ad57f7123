package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// verifyPage is how many members of an index are looked at at once.
const verifyPage = 512

// Verify reads everything, and calls fault for each thing that is not as it must
// be: where it is, and what is wrong. It calls record for every record that can
// be read, which may not be kept; log by log, in order. The error says why it did
// not come to an end; damage is none. What a gateway changes meanwhile is not
// taken for damage: what seems wrong is looked at twice.
func (v *View) Verify(ctx context.Context, fault func(where, what string), record func(r *events.Record)) error {
	c := &verifier{v: v, fault: fault, record: record}
	classes, err := v.scan(ctx, "meta:")
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(classes))
	for _, class := range classes {
		known[class] = true
		if err := c.class(ctx, class); err != nil {
			return err
		}
	}
	for _, kind := range []string{"log:", "ids:", "channels:"} {
		names, err := v.scan(ctx, kind)
		if err != nil {
			return err
		}
		for _, class := range names {
			if known[class] {
				continue
			}
			if b, err := v.Bounds(ctx, class); err != nil {
				return err
			} else if b.Epoch == "" {
				fault("log "+class, "there is a key "+v.s.keys.base+kind+class+" and none that says where the log stands")
			}
		}
	}
	for _, check := range []func(context.Context) error{c.tokens, c.expiry, c.users, c.subscriptions} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A verifier is one run of Verify.
type verifier struct {
	v      *View
	fault  func(where, what string)
	record func(r *events.Record)
}

// class checks a log and its indexes. If it is not as it should be, it may be
// that the log was trimmed meanwhile: then it is not told.
func (c *verifier) class(ctx context.Context, class string) error {
	b, _, err := c.v.log(ctx, class)
	if errors.Is(err, errDamaged) {
		c.fault("log "+class, "what is known of it cannot be decoded")
		return nil
	}
	if err != nil || b.Epoch == "" {
		return err
	}
	l := &logCheck{verifier: c, class: class, keys: c.v.s.keys.of(class), bounds: b}
	if err := l.records(ctx); err != nil {
		return err
	}
	if err := l.ids(ctx); err != nil {
		return err
	}
	if err := l.channels(ctx); err != nil {
		return err
	}
	now, err := c.v.Bounds(ctx, class)
	if err != nil {
		return err
	}
	for _, f := range l.faults {
		if f.offset == 0 || f.offset >= now.First {
			c.fault(f.where, f.what)
		}
	}
	return nil
}

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

// tokens checks that every token can be decoded and is in the index by expiry.
func (c *verifier) tokens(ctx context.Context) error {
	s := c.v.s
	base := s.keys.base + "token:"
	return s.eachKey(ctx, base+"*", func(keys []string) error {
		var values []any
		scores := make([]*goredis.FloatCmd, len(keys))
		if len(keys) == 0 {
			return nil
		}
		err := s.try(ctx, "verify client tokens", func(ctx context.Context) (err error) {
			values, err = s.client.MGet(ctx, keys...).Result()
			return err
		})
		if err != nil {
			return err
		}
		err = s.try(ctx, "verify client tokens", func(ctx context.Context) error {
			_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for i := range keys {
					if value, ok := values[i].(string); ok && len(value) >= memberLen {
						scores[i] = p.ZScore(ctx, s.keys.expiry, value[:memberLen])
					}
				}
				return nil
			})
			if errors.Is(err, goredis.Nil) {
				return nil // told of below
			}
			return err
		})
		if err != nil {
			return err
		}
		for i, k := range keys {
			hash, where := strings.TrimPrefix(k, base), "token "+strings.TrimPrefix(k, base)
			value, ok := values[i].(string)
			if !ok {
				if n, err := s.client.Exists(ctx, k).Result(); err == nil && n > 0 {
					c.fault(where, "is no text")
				}
				continue // it is gone
			}
			if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 {
				c.fault(where, "has a name that is no hash")
				continue
			}
			t, err := parseToken([32]byte{}, []byte(value)) // its hash is compared below
			if err != nil {
				c.fault(where, "cannot be decoded")
				continue
			}
			if want := string(expiryMember(t.Expires, [32]byte{}))[:timeLen]; value[:timeLen] != want || fmt.Sprintf("%x", value[timeLen:memberLen]) != hash {
				c.fault(where, "has another expiry or hash before it than its own")
			} else if scores[i] == nil || scores[i].Err() != nil {
				// A renewal since then would have moved it.
				if again, err := s.client.Get(ctx, k).Result(); err == nil && again == value {
					c.fault(where, "is not in the index by expiry, and so would be removed late")
				}
			}
		}
		return nil
	})
}

// expiry checks that what the index by expiry has is there. Redis removes tokens
// by itself only a day after they expired.
func (c *verifier) expiry(ctx context.Context) error {
	s := c.v.s
	start := "-"
	for {
		var members []string
		var values []any
		err := s.try(ctx, "verify client tokens", func(ctx context.Context) (err error) {
			members, err = s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{Key: s.keys.expiry, ByLex: true, Start: start, Stop: "+", Count: verifyPage}).Result()
			if err != nil || len(members) == 0 {
				return err
			}
			keys := make([]string, len(members))
			for i, m := range members {
				keys[i] = s.keys.base + "token:" + fmt.Sprintf("%x", m[min(timeLen, len(m)):])
			}
			values, err = s.client.MGet(ctx, keys...).Result()
			return err
		})
		if wrongType(err) {
			c.fault("index of tokens by expiry", "the key "+s.keys.expiry+" is no sorted set")
			return nil
		}
		if err != nil || len(members) == 0 {
			return err
		}
		start = "(" + members[len(members)-1]
		for i, m := range members {
			if len(m) != memberLen {
				c.fault("index of tokens by expiry", fmt.Sprintf("has a member of %d bytes, expected %d", len(m), memberLen))
				continue
			}
			value, ok := values[i].(string)
			if ok && strings.HasPrefix(value, m) || late(m) {
				continue
			}
			// It may have been renewed or removed since.
			if err := s.client.ZScore(ctx, s.keys.expiry, m).Err(); err == nil {
				c.fault("index of tokens by expiry", fmt.Sprintf("has the token %x, which is not there or has another expiry", m[timeLen:]))
			}
		}
	}
}

// users checks that each token of a user is in the index of the user's, by which they
// are listed and revoked.
func (c *verifier) users(ctx context.Context) error {
	s := c.v.s
	base := s.keys.base + "token:"
	indexed := func(ctx context.Context, values []any, keys []string) ([]*goredis.FloatCmd, error) {
		scores := make([]*goredis.FloatCmd, len(keys))
		err := s.try(ctx, "verify client tokens", func(ctx context.Context) error {
			_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for i, k := range keys {
					hash, _ := hex.DecodeString(strings.TrimPrefix(k, base))
					value, _ := values[i].(string)
					if t, err := parseToken([32]byte{}, []byte(value)); err == nil && len(hash) == 32 && t.User != "" {
						scores[i] = p.ZScore(ctx, s.keys.user(t.Realm, t.User), string(hash))
					}
				}
				return nil
			})
			if errors.Is(err, goredis.Nil) || wrongType(err) {
				return nil // each command has its error
			}
			return err
		})
		return scores, err
	}
	return s.eachKey(ctx, base+"*", func(keys []string) error {
		for range 2 { // what was put or renewed meanwhile is right at the second look
			if len(keys) == 0 {
				return nil
			}
			var values []any
			err := s.try(ctx, "verify client tokens", func(ctx context.Context) (err error) {
				values, err = s.client.MGet(ctx, keys...).Result()
				return err
			})
			if err != nil {
				return err
			}
			scores, err := indexed(ctx, values, keys)
			if err != nil {
				return err
			}
			var missing []string
			for i, score := range scores {
				if score != nil && score.Err() != nil {
					missing = append(missing, keys[i])
				}
			}
			keys = missing
		}
		for _, k := range keys {
			c.fault("token "+strings.TrimPrefix(k, base), "is not in the index of its user, and so is neither listed nor revoked with the others")
		}
		return nil
	})
}

// late reports whether the token of a member has expired so long ago that Redis
// has removed it by itself.
func late(m string) bool {
	return m < string(expiryMember(time.Now().Add(-afterExpiry), [32]byte{}))
}

// wrongType reports whether a key is of another type than it must be.
func wrongType(err error) bool {
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[goredis.Error](err); ok {
		return strings.HasPrefix(e.Error(), "WRONGTYPE")
	}
	return false
}
