package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
)

// Verify reads everything, and calls fault for each thing that is not as it must
// be: where it is, and what is wrong. It calls record for every record that can
// be read, which may not be kept; log by log, in order. The error says why it did
// not come to an end; damage is none.
func (v *View) Verify(ctx context.Context, fault func(where, what string), record func(r *events.Record)) error {
	c := &verifier{s: v.s, ctx: ctx, fault: fault, record: record}
	c.part("file", c.checkPages)
	if c.found {
		return context.Cause(ctx) // bbolt does not bear to read it
	}
	var classes []string
	c.part("the list of logs", func(tx *bolt.Tx) error {
		return tx.Bucket(bucketClasses).ForEach(func(k, value []byte) error {
			if value != nil {
				fault(fmt.Sprintf("log %q", k), "is a value, expected a bucket")
				return nil
			}
			classes = append(classes, string(k))
			return nil
		})
	})
	for _, class := range classes {
		c.part("log "+class, func(tx *bolt.Tx) error { return c.log(tx, class) })
		c.part("ids of "+class, func(tx *bolt.Tx) error { return c.ids(tx, class) })
		c.part("channels of "+class, func(tx *bolt.Tx) error { return c.channels(tx, class) })
	}
	c.part("tokens", c.tokens)
	c.part("index of tokens by expiry", c.expiry)
	c.part("persistent subscriptions", c.subscriptions)
	c.part("index of persistent subscriptions by expiry", c.lapse)
	c.part("file", c.pages)
	return context.Cause(ctx)
}

// A verifier is one run of Verify.
type verifier struct {
	s      *Store
	ctx    context.Context
	fault  func(where, what string)
	record func(r *events.Record)
	found  bool // a part could not be read to its end
}

// part runs a check, and reports if it could not come to its end.
func (c *verifier) part(where string, fn func(tx *bolt.Tx) error) {
	if c.ctx.Err() != nil {
		return
	}
	err := c.s.db.View(func(tx *bolt.Tx) error {
		return guarded(func() error { return fn(tx) })
	})
	if err != nil && c.ctx.Err() == nil {
		c.found = true
		c.fault(where, "cannot be read to its end: "+err.Error())
	}
}

// stop reports, now and then, whether it was interrupted.
func (c *verifier) stop(n int) bool { return n&1023 == 0 && c.ctx.Err() != nil }

func (c *verifier) log(tx *bolt.Tx, class string) error {
	b := tx.Bucket(bucketClasses).Bucket([]byte(class))
	log, ids, channels := b.Bucket(bucketLog), b.Bucket(bucketIDs), b.Bucket(bucketChannels)
	if len(b.Get(keyEpoch)) == 0 {
		c.fault("log "+class, "has no epoch")
	}
	if base := b.Get(keyBase); base != nil && len(base) != 8 {
		c.fault("log "+class, fmt.Sprintf("has a base of %d bytes, expected 8", len(base)))
	}
	if log == nil {
		c.fault("log "+class, "has no records, not even a place for them")
		return nil
	}
	var next uint64 // 0: none yet
	var newest time.Time
	n := 0
	cursor := log.Cursor()
	for k, value := cursor.First(); k != nil; k, value = cursor.Next() {
		if n++; c.stop(n) {
			return nil
		}
		if len(k) != 8 {
			c.fault("log "+class, fmt.Sprintf("has a key of %d bytes, expected an offset of 8", len(k)))
			continue
		}
		at := binary.BigEndian.Uint64(k)
		where := fmt.Sprintf("log %s, offset %d", class, at)
		if next != 0 && at != next {
			c.fault(where, fmt.Sprintf("expected the offset %d", next))
		}
		next = at + 1
		r, err := parseRecord(value)
		if err != nil {
			c.fault(where, "the record cannot be decoded")
			continue
		}
		if r.time.Before(newest) {
			c.fault(where, fmt.Sprintf("has the time %s, and the one before it %s", r.time.Format(time.RFC3339Nano), newest.Format(time.RFC3339Nano)))
		}
		newest = r.time
		if r.given && (ids == nil || !bytes.Equal(ids.Get(r.id), k)) {
			c.fault(where, fmt.Sprintf("its id %.140q is not in the index of ids, or stands for another event", r.id))
		}
		if len(r.channel) > 0 && !has(channels, appendChannelKey(nil, r.channel, at)) {
			c.fault(where, fmt.Sprintf("is not in the index of channels, under %.300q", r.channel))
		}
		c.record(&events.Record{
			Class: class, Channel: string(r.channel), ID: string(r.id), IDGiven: r.given, Time: r.time, Data: r.data, Offset: at,
		})
	}
	if last := log.Sequence(); next != 0 && last != next-1 {
		c.fault("log "+class, fmt.Sprintf("ends with the offset %d, and should with %d", next-1, last))
	}
	return nil
}

// has reports whether a bucket, which may be nil, has a key.
func has(b *bolt.Bucket, key []byte) bool {
	if b == nil {
		return false
	}
	k, _ := b.Cursor().Seek(key)
	return bytes.Equal(k, key)
}

// at returns the record of a log at an offset.
func (c *verifier) at(log *bolt.Bucket, key []byte) (stored, bool) {
	if log == nil || len(key) != 8 {
		return stored{}, false
	}
	r, err := parseRecord(log.Get(key))
	return r, err == nil
}

func (c *verifier) ids(tx *bolt.Tx, class string) error {
	b := tx.Bucket(bucketClasses).Bucket([]byte(class))
	log, ids := b.Bucket(bucketLog), b.Bucket(bucketIDs)
	if ids == nil {
		return nil
	}
	n := 0
	return ids.ForEach(func(k, value []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		r, ok := c.at(log, value)
		switch {
		case len(value) != 8:
			c.fault("ids of "+class, fmt.Sprintf("%.140q stands for %d bytes, expected an offset of 8", k, len(value)))
		case !ok:
			c.fault("ids of "+class, fmt.Sprintf("%.140q stands for the offset %d, where no record is", k, binary.BigEndian.Uint64(value)))
		case !r.given || !bytes.Equal(r.id, k):
			c.fault("ids of "+class, fmt.Sprintf("%.140q stands for the offset %d, where the id is %.140q", k, binary.BigEndian.Uint64(value), r.id))
		}
		return nil
	})
}

func (c *verifier) channels(tx *bolt.Tx, class string) error {
	b := tx.Bucket(bucketClasses).Bucket([]byte(class))
	log, channels := b.Bucket(bucketLog), b.Bucket(bucketChannels)
	if channels == nil {
		return nil
	}
	n := 0
	return channels.ForEach(func(k, _ []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		split := len(k) - 9
		if split < 0 || k[split] != 0 {
			c.fault("channels of "+class, fmt.Sprintf("%.300q is no channel with an offset", k))
			return nil
		}
		channel, at := k[:split], binary.BigEndian.Uint64(k[split+1:])
		if r, ok := c.at(log, k[split+1:]); !ok || !bytes.Equal(r.channel, channel) {
			c.fault("channels of "+class, fmt.Sprintf("%.300q has the offset %d, where no record of it is", channel, at))
		}
		return nil
	})
}

func (c *verifier) tokens(tx *bolt.Tx) error {
	tokens, expiry := tx.Bucket(bucketTokens), tx.Bucket(bucketExpiry)
	if tokens == nil || expiry == nil {
		c.fault("tokens", "have no place in the file")
		return nil
	}
	n := 0
	return tokens.ForEach(func(k, value []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		where := fmt.Sprintf("token %x", k)
		if len(k) != 32 {
			c.fault(where, fmt.Sprintf("has a hash of %d bytes, expected 32", len(k)))
			return nil
		}
		t, err := parseToken([32]byte(k), value)
		if err != nil {
			c.fault(where, "cannot be decoded")
			return nil
		}
		if key := expiryKey(t.Expires, t.Hash); !has(expiry, key[:]) {
			c.fault(where, "is not in the index by expiry, and so would never be removed")
		}
		return nil
	})
}

func (c *verifier) expiry(tx *bolt.Tx) error {
	tokens, expiry := tx.Bucket(bucketTokens), tx.Bucket(bucketExpiry)
	if tokens == nil || expiry == nil {
		return nil
	}
	n := 0
	return expiry.ForEach(func(k, _ []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		if len(k) != timeLen+32 {
			c.fault("index of tokens by expiry", fmt.Sprintf("has a key of %d bytes, expected %d", len(k), timeLen+32))
			return nil
		}
		hash := [32]byte(k[timeLen:])
		t, err := parseToken(hash, tokens.Get(hash[:]))
		if err != nil {
			c.fault("index of tokens by expiry", fmt.Sprintf("has the token %x, which is not there or cannot be decoded", hash))
		} else if key := expiryKey(t.Expires, hash); !bytes.Equal(key[:], k) {
			c.fault("index of tokens by expiry", fmt.Sprintf("has the token %x under another time than its own", hash))
		}
		return nil
	})
}

func (c *verifier) subscriptions(tx *bolt.Tx) error {
	subs, index := tx.Bucket(bucketSubs), tx.Bucket(bucketLapse)
	if subs == nil && index == nil {
		return nil // only older gateways have used the file
	}
	if subs == nil || index == nil {
		c.fault("persistent subscriptions", "or their index by expiry have no place in the file")
		return nil
	}
	n := 0
	return subs.ForEach(func(k, value []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		sub, err := parseSubscription(k, value)
		if err != nil {
			c.fault(fmt.Sprintf("subscription %.300q", k), "cannot be decoded")
			return nil
		}
		if !has(index, lapseKey(sub.lapse, k)) {
			c.fault(fmt.Sprintf("subscription %.100q of %.100q", sub.Name, sub.Owner), "is not in the index by expiry, and so would never be removed")
		}
		return nil
	})
}

func (c *verifier) lapse(tx *bolt.Tx) error {
	const where = "index of persistent subscriptions by expiry"
	subs, index := tx.Bucket(bucketSubs), tx.Bucket(bucketLapse)
	if subs == nil || index == nil {
		return nil
	}
	n := 0
	return index.ForEach(func(k, _ []byte) error {
		if n++; c.stop(n) {
			return c.ctx.Err()
		}
		if len(k) < lapseLen {
			c.fault(where, fmt.Sprintf("has a key of %d bytes, expected at least %d", len(k), lapseLen))
			return nil
		}
		key := k[lapseLen:]
		value := subs.Get(key)
		if value == nil {
			c.fault(where, fmt.Sprintf("has the subscription %.300q, which is not there", key))
			return nil
		}
		if sub, err := parseSubscription(key, value); err == nil && !bytes.Equal(lapseKey(sub.lapse, key), k) {
			c.fault(where, fmt.Sprintf("has the subscription %.300q under another time than its own", key))
		}
		return nil
	})
}

// pages has bbolt check its tree and its list of free pages.
func (c *verifier) pages(tx *bolt.Tx) error {
	for err := range tx.Check() {
		c.fault("file", err.Error())
	}
	return nil
}
