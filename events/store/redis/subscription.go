package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

var (
	scriptPutSubscription     = newScript("putsubscription")
	scriptMoveSubscriptions   = newScript("movesubscriptions")
	scriptDeleteSubscriptions = newScript("delsubscriptions")
)

// Bounds on what one call and one round trip have to do with persistent
// subscriptions. Redis does nothing else while it carries out a call.
const (
	maxMoves     = 64 // moved by a call, of which each may have many spans
	movesInRound = 64 * maxMoves
	maxRemoved   = 512 // removed by a call
	maxVisited   = 256 // read in a round trip
)

var _ events.PersistentStore = (*Store)(nil)

// subscriptions is the key of the index by owner and name.
func (k keys) subscriptions() string { return k.base + "subscriptions" }

// lapse is the key of the index by expiry.
func (k keys) lapse() string { return k.base + "lapse" }

// subscription is the key of the subscription with a member in them.
func (k keys) subscription(member string) string { return k.base + "subscription:" + member }

// PutPersistent inserts or replaces a subscription; see
// [events.PersistentStore].
func (s *Store) PutPersistent(ctx context.Context, p *events.Persistent, most int) error {
	if err := p.Check(); err != nil {
		return err
	}
	m, now := member(p.Owner, p.Name), p.Seen.UnixMilli()
	keys := []string{s.keys.writer, s.keys.subscription(m), s.keys.subscriptions(), s.keys.lapse()}
	args := append([]any{m, member(p.Owner, ""), now, most, p.Expires.UnixMilli()}, subscriptionFields(p)...)
	refused := false
	err := s.try(ctx, "keep a persistent subscription", func(ctx context.Context) error {
		reply, err := s.run(ctx, scriptPutSubscription, keys, args...)
		if err != nil {
			return err
		}
		w, ok := words(reply)
		if !ok || len(w) == 0 {
			return fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
		}
		if refused = w[0] == "many"; refused || len(w) == 1 {
			return nil
		}
		// Only so that they don't pile up: the next one tries again, and so
		// does whoever removes what has expired.
		_, _ = s.removeSubscriptions(ctx, strconv.FormatInt(now, 10), w[1:])
		return nil
	})
	if err == nil && refused {
		return fmt.Errorf("the store in Redis at %s: %w: at most %d", s.place, events.ErrTooManyPersistent, most)
	}
	return err
}

// removeSubscriptions removes the subscriptions of these members; if now is not
// empty, only those that have expired then.
func (s *Store) removeSubscriptions(ctx context.Context, now string, members []string) (n int, err error) {
	keys, args := []string{s.keys.writer, s.keys.subscriptions(), s.keys.lapse()}, []any{now}
	for _, m := range members {
		keys, args = append(keys, s.keys.subscription(m)), append(args, m)
	}
	reply, err := s.run(ctx, scriptDeleteSubscriptions, keys, args...)
	removed, _ := reply.(int64)
	return int(removed), err
}

// Persistent returns a subscription; see [events.PersistentStore].
func (s *Store) Persistent(ctx context.Context, owner, name string) (p *events.Persistent, err error) {
	err = s.try(ctx, "look up a persistent subscription", func(ctx context.Context) error {
		fields, err := s.client.HGetAll(ctx, s.keys.subscription(member(owner, name))).Result()
		if p = nil; err != nil || len(fields) == 0 {
			return err
		}
		p, err = parseSubscription(owner, name, fields)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("the store in Redis at %s: %w", s.place, events.ErrNotPersistent)
	}
	return p, nil
}

// Persistents returns an owner's subscriptions; see [events.PersistentStore].
func (s *Store) Persistents(ctx context.Context, owner string) (all []events.Persistent, err error) {
	after, stop := "["+member(owner, ""), ownerEnd(owner)
	for {
		page, last, err := s.page(ctx, after, stop)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if last == "" {
			return all, nil
		}
		after = "(" + last
	}
}

// ownerEnd is where the range of an owner's members ends.
func ownerEnd(owner string) string {
	stop := storekit.AppendMember([]byte("("), owner, "")
	stop[len(stop)-1] = 1
	return string(stop)
}

// page reads subscriptions of a range of the index. last is the last member that
// it looked at, or empty if there are no more.
func (s *Store) page(ctx context.Context, after, stop string) (page []events.Persistent, last string, err error) {
	err = s.try(ctx, "list persistent subscriptions", func(ctx context.Context) error {
		page, last = nil, ""
		members, err := s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{
			Key: s.keys.subscriptions(), ByLex: true, Start: after, Stop: stop, Count: maxVisited,
		}).Result()
		if err != nil || len(members) == 0 {
			return err
		}
		pipe := s.client.Pipeline()
		replies := make([]*goredis.MapStringStringCmd, len(members))
		for i, m := range members {
			replies[i] = pipe.HGetAll(ctx, s.keys.subscription(m))
		}
		_, _ = pipe.Exec(ctx) // each command has its error
		for i, m := range members {
			fields, err := replies[i].Result()
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				continue // removed meanwhile
			}
			owner, name, err := parseMember(m)
			if err != nil {
				return err
			}
			p, err := parseSubscription(owner, name, fields)
			if err != nil {
				return err
			}
			page = append(page, *p)
		}
		if len(members) == maxVisited {
			last = members[len(members)-1]
		}
		return nil
	})
	return page, last, err
}

// MovePersistents moves subscriptions on, thousands in one round trip; see
// [events.PersistentStore]. They are as durable as Redis makes its writes. An
// error says that some may not have been moved.
func (s *Store) MovePersistents(ctx context.Context, moves []events.Move) error {
	for some := range slices.Chunk(moves, movesInRound) {
		err := s.try(ctx, "move persistent subscriptions", func(ctx context.Context) error { return s.move(ctx, some) })
		if err != nil {
			return err
		}
	}
	return nil
}

// move moves subscriptions in one round trip, or a second one if Redis does not
// know the script. It bears to be done twice, as they never go back.
func (s *Store) move(ctx context.Context, moves []events.Move) error {
	for loaded := false; ; loaded = true {
		pipe := s.client.Pipeline()
		var replies []*goredis.Cmd
		for some := range slices.Chunk(moves, maxMoves) {
			keys, args := []string{s.keys.writer, s.keys.lapse()}, []any{events.MaxAckedSpans}
			for i := range some {
				v := &some[i]
				m := member(v.Owner, v.Name)
				keys = append(keys, s.keys.subscription(m))
				args = append(args, m, v.Was, v.Position.Epoch, min(v.Position.Offset, maxNumber), spansText(v.Acked), v.Seen.UnixMilli(), v.Expires.UnixMilli())
			}
			replies = append(replies, pipe.EvalSha(ctx, scriptMoveSubscriptions.Hash(), keys, args...))
		}
		_, _ = pipe.Exec(ctx) // each command has its error
		unknown := false
		for _, reply := range replies {
			if err := reply.Err(); isNoScript(err) && !loaded {
				unknown = true
			} else if err != nil {
				return err
			}
		}
		if !unknown {
			return nil
		}
		if err := scriptMoveSubscriptions.Load(ctx, s.client).Err(); err != nil {
			return err
		}
	}
}

// DeletePersistent removes a subscription; see [events.PersistentStore].
func (s *Store) DeletePersistent(ctx context.Context, owner, name string) error {
	return s.try(ctx, "remove a persistent subscription", func(ctx context.Context) error {
		_, err := s.removeSubscriptions(ctx, "", []string{member(owner, name)})
		return err
	})
}

// DeleteOwner removes an owner's subscriptions, some at once; see
// [events.PersistentStore].
func (s *Store) DeleteOwner(ctx context.Context, owner string) (n int, err error) {
	return s.removeAll(ctx, "remove the persistent subscriptions of an owner", "", goredis.ZRangeArgs{
		Key: s.keys.subscriptions(), ByLex: true, Start: "[" + member(owner, ""), Stop: ownerEnd(owner), Count: maxRemoved,
	})
}

// DeleteExpiredPersistents removes all that have expired, some at once; see
// [events.PersistentStore].
func (s *Store) DeleteExpiredPersistents(ctx context.Context, now time.Time) (n int, err error) {
	until := strconv.FormatInt(now.UnixMilli(), 10)
	return s.removeAll(ctx, "remove expired persistent subscriptions", until, goredis.ZRangeArgs{
		Key: s.keys.lapse(), ByScore: true, Start: "-inf", Stop: until, Count: maxRemoved,
	})
}

// removeAll removes what a range of an index has, until nothing is left there.
// Each call takes what it finds out of the range, or finds that it has left it.
func (s *Store) removeAll(ctx context.Context, op, now string, of goredis.ZRangeArgs) (n int, err error) {
	for {
		var removed, found int
		err := s.try(ctx, op, func(ctx context.Context) error {
			members, err := s.client.ZRangeArgs(ctx, of).Result()
			if found = len(members); err != nil || found == 0 {
				return err
			}
			removed, err = s.removeSubscriptions(ctx, now, members)
			return err
		})
		if err != nil {
			return n, err
		}
		if n += removed; found < maxRemoved {
			return n, nil
		}
	}
}

// EachPersistent goes through all subscriptions, some at once; see
// [events.PersistentStore].
func (s *Store) EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error {
	after := member(afterOwner, afterName)
	for {
		page, last, err := s.page(ctx, "("+after, "+")
		if err != nil {
			return err
		}
		for i := range page {
			if !f(&page[i]) {
				return nil
			}
		}
		if last == "" {
			return nil
		}
		after = last
	}
}
