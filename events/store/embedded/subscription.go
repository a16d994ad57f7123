package embedded

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// Bounds on what one transaction has to do with persistent subscriptions.
const (
	maxMoves   = 128  // moved in a change
	maxLapsed  = 1024 // expired ones that are looked at
	maxVisited = 256  // read for EachPersistent
)

var _ events.PersistentStore = (*Store)(nil)

// PutPersistent inserts or replaces a subscription; see
// [events.PersistentStore].
func (s *Store) PutPersistent(ctx context.Context, p *events.Persistent, most int) error {
	if err := p.Check(); err != nil {
		return err
	}
	key, now := storekit.AppendMember(nil, p.Owner, p.Name), p.Seen
	sub := &subscription{Persistent: *p, lapse: p.Expires.UnixMilli()}
	value := appendSubscription(nil, sub) // now, as p is the caller's
	lapse := lapseKey(sub.lapse, key)
	prefix := key[:len(key)-len(p.Name)]
	refused := false
	err := s.update(ctx, func(tx *txn) error {
		subs, index := tx.Bucket(bucketSubs), tx.Bucket(bucketLapse)
		old, err := lookUp(subs, key)
		if err != nil {
			return err
		}
		if old == nil || !old.Expires.After(now) {
			var live int
			var gone []*subscription
			err := eachOf(subs.Cursor(), prefix, func(k []byte, other *subscription) {
				switch {
				case bytes.Equal(k, key):
				case other.Expires.After(now):
					live++
				default:
					gone = append(gone, other)
				}
			})
			if err != nil {
				return err
			}
			if refused = live >= most; refused {
				return nil
			}
			for _, other := range gone {
				if err := other.remove(tx.Tx); err != nil {
					return err
				}
			}
		}
		if old != nil {
			if err := index.Delete(lapseKey(old.lapse, key)); err != nil {
				return err
			}
		}
		if err := index.Put(lapse, nil); err != nil {
			return err
		}
		return subs.Put(key, value)
	})
	if err == nil && refused {
		return fmt.Errorf("store file %s: %w: at most %d", s.path, events.ErrTooManyPersistent, most)
	}
	return err
}

// lookUp returns the subscription with the key, or nil.
func lookUp(subs *bolt.Bucket, key []byte) (*subscription, error) {
	v := subs.Get(key)
	if v == nil {
		return nil, nil
	}
	return parseSubscription(key, v)
}

// eachOf calls fn for the subscriptions whose keys begin with prefix, in order.
// The keys are valid as long as the transaction.
func eachOf(cursor *bolt.Cursor, prefix []byte, fn func(k []byte, s *subscription)) error {
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		s, err := parseSubscription(k, v)
		if err != nil {
			return err
		}
		fn(k, s)
	}
	return nil
}

// remove removes a subscription.
func (s *subscription) remove(tx *bolt.Tx) error {
	key := storekit.AppendMember(nil, s.Owner, s.Name)
	if err := tx.Bucket(bucketLapse).Delete(lapseKey(s.lapse, key)); err != nil {
		return err
	}
	return tx.Bucket(bucketSubs).Delete(key)
}

// Persistent returns a subscription; see [events.PersistentStore].
func (s *Store) Persistent(ctx context.Context, owner, name string) (*events.Persistent, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	var sub *subscription
	err := s.view(func(tx *bolt.Tx) (err error) {
		sub, err = lookUp(tx.Bucket(bucketSubs), storekit.AppendMember(nil, owner, name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if sub == nil {
		return nil, fmt.Errorf("store file %s: %w", s.path, events.ErrNotPersistent)
	}
	return &sub.Persistent, nil
}

// Persistents returns an owner's subscriptions; see [events.PersistentStore].
func (s *Store) Persistents(ctx context.Context, owner string) (all []events.Persistent, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		prefix := storekit.AppendMember(nil, owner, "")
		return eachOf(tx.Bucket(bucketSubs).Cursor(), prefix, func(_ []byte, sub *subscription) {
			all = append(all, sub.Persistent)
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// MovePersistents moves subscriptions on; see [events.PersistentStore]. It waits
// for a commit that is made for something else, [Config.Patience] at most, so
// that moves cost hardly a sync of their own. They are durable when it returns:
// a process that is killed or a machine that loses power before may lose them,
// or some of them.
func (s *Store) MovePersistents(ctx context.Context, moves []events.Move) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var all []*change
	for some := range slices.Chunk(moves, maxMoves) {
		c := &change{records: len(some), calm: true, done: make(chan error, 1)}
		mine := slices.Clone(some) // what waits is written even if the caller no longer waits
		for i := range mine {
			mine[i].Acked = slices.Clone(mine[i].Acked)
			c.bytes += 256 + len(mine[i].Owner) + len(mine[i].Name) + 16*len(mine[i].Acked)
		}
		c.fn = func(tx *txn) error { return moveAll(tx, mine) }
		s.submit(c)
		all = append(all, c)
	}
	var failed error
	for _, c := range all {
		if err := c.wait(ctx); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// moveAll moves those subscriptions that there are.
func moveAll(tx *txn, moves []events.Move) error {
	subs := tx.Bucket(bucketSubs)
	for i := range moves {
		m := &moves[i]
		key := storekit.AppendMember(nil, m.Owner, m.Name)
		before := subs.Get(key)
		if before == nil {
			continue
		}
		sub, err := parseSubscription(key, before)
		if err != nil {
			return err
		}
		sub.move(m)
		// Its place in the index by expiry is looked at when its time comes,
		// which is rarer than a move.
		after := appendSubscription(tx.value(len(before) + 64)[:0], sub)
		if bytes.Equal(before, after) {
			continue
		}
		if err := subs.Put(key, after); err != nil {
			return err
		}
	}
	return nil
}

// DeletePersistent removes a subscription; see [events.PersistentStore].
func (s *Store) DeletePersistent(ctx context.Context, owner, name string) error {
	return s.update(ctx, func(tx *txn) error {
		sub, err := lookUp(tx.Bucket(bucketSubs), storekit.AppendMember(nil, owner, name))
		if err != nil || sub == nil {
			return err
		}
		return sub.remove(tx.Tx)
	})
}

// DeleteOwner removes an owner's subscriptions; see [events.PersistentStore].
func (s *Store) DeleteOwner(ctx context.Context, owner string) (int, error) {
	var removed int // returned only if the commit succeeded, and was waited for
	err := s.update(ctx, func(tx *txn) error {
		var all []*subscription
		prefix := storekit.AppendMember(nil, owner, "")
		err := eachOf(tx.Bucket(bucketSubs).Cursor(), prefix, func(_ []byte, sub *subscription) {
			all = append(all, sub)
		})
		if err != nil {
			return err
		}
		for _, sub := range all {
			if err := sub.remove(tx.Tx); err != nil {
				return err
			}
		}
		removed = len(all)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// DeleteExpiredPersistents removes all that have expired; see
// [events.PersistentStore]. It does so in several transactions if there are
// many, so that publishers need not wait for all of them.
func (s *Store) DeleteExpiredPersistents(ctx context.Context, now time.Time) (n int, err error) {
	for {
		some, err := s.anyLapsed(ctx, now)
		if err != nil || !some {
			return n, err
		}
		var removed int
		err = s.update(ctx, func(tx *txn) (err error) {
			removed, err = deleteLapsed(tx.Tx, now)
			return err
		})
		if err != nil {
			return n, err
		}
		n += removed
	}
}

// anyLapsed reports whether the index has a subscription that may have expired.
// It only reads, as mostly there is none.
func (s *Store) anyLapsed(ctx context.Context, now time.Time) (some bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		k, _ := tx.Bucket(bucketLapse).Cursor().First()
		some = k != nil && !lapsesAfter(k, now)
		return nil
	})
	return some, err
}

// lapsesAfter reports whether a key of the index by expiry is of a time after
// now.
func lapsesAfter(k []byte, now time.Time) bool {
	next := lapseKey(now.UnixMilli()+1, nil)
	return bytes.Compare(k, next) >= 0
}

// deleteLapsed removes expired subscriptions, and gives those that were moved
// their new place in the index. It looks at maxLapsed at most.
func deleteLapsed(tx *bolt.Tx, now time.Time) (n int, err error) {
	subs, index := tx.Bucket(bucketSubs), tx.Bucket(bucketLapse)
	var keys [][]byte // collected first, as a cursor does not bear deletion
	cursor := index.Cursor()
	for k, _ := cursor.First(); k != nil && len(keys) < maxLapsed && !lapsesAfter(k, now); k, _ = cursor.Next() {
		if len(k) < lapseLen {
			return 0, errDamaged
		}
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		key := k[lapseLen:]
		sub, err := lookUp(subs, key)
		if err != nil {
			return 0, err
		}
		if sub == nil {
			return 0, errDamaged
		}
		if err := index.Delete(k); err != nil {
			return 0, err
		}
		if !sub.Expires.After(now) {
			if err := subs.Delete(key); err != nil {
				return 0, err
			}
			n++
			continue
		}
		sub.lapse = sub.Expires.UnixMilli()
		if err := index.Put(lapseKey(sub.lapse, key), nil); err != nil {
			return 0, err
		}
		if err := subs.Put(key, appendSubscription(nil, sub)); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// EachPersistent goes through all subscriptions; see [events.PersistentStore].
// No transaction is open while f is called.
func (s *Store) EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error {
	after := storekit.AppendMember(nil, afterOwner, afterName)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var page []*subscription
		err := s.view(func(tx *bolt.Tx) error {
			cursor := tx.Bucket(bucketSubs).Cursor()
			k, v := cursor.Seek(after)
			if bytes.Equal(k, after) {
				k, v = cursor.Next()
			}
			for ; k != nil && len(page) < maxVisited; k, v = cursor.Next() {
				sub, err := parseSubscription(k, v)
				if err != nil {
					return err
				}
				page = append(page, sub)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, sub := range page {
			if !f(&sub.Persistent) {
				return nil
			}
		}
		if len(page) < maxVisited {
			return nil
		}
		last := page[len(page)-1]
		after = storekit.AppendMember(after[:0], last.Owner, last.Name)
	}
}
