package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/auth"
)

// maxDelete is how many tokens one transaction deletes.
const maxDelete = 4096

var _ auth.TokenStore = (*Store)(nil)

// PutToken inserts or replaces a token; see [auth.TokenStore].
func (s *Store) PutToken(ctx context.Context, t *auth.Token) error {
	hash, value := t.Hash, appendToken(nil, t) // the token is the caller's, so keep nothing of it
	expires := expiryKey(t.Expires, hash)
	return s.update(ctx, func(tx *txn) error {
		if err := dropExpiry(tx.Tx, hash); err != nil {
			return err
		}
		if err := tx.Bucket(bucketExpiry).Put(expires[:], nil); err != nil {
			return err
		}
		return tx.Bucket(bucketTokens).Put(hash[:], value)
	})
}

// Token returns the token with the hash; see [auth.TokenStore].
func (s *Store) Token(ctx context.Context, hash [32]byte) (t *auth.Token, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketTokens).Get(hash[:])
		if v == nil {
			return nil
		}
		t, err = parseToken(hash, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, fmt.Errorf("store file %s: %w", s.path, auth.ErrNoToken)
	}
	return t, nil
}

// DeleteToken removes a token; see [auth.TokenStore].
func (s *Store) DeleteToken(ctx context.Context, hash [32]byte) error {
	return s.update(ctx, func(tx *txn) error {
		if err := dropExpiry(tx.Tx, hash); err != nil {
			return err
		}
		return tx.Bucket(bucketTokens).Delete(hash[:])
	})
}

// DeleteExpired removes all tokens that have expired; see [auth.TokenStore].
// It does so in several transactions if there are many, so that publishers
// need not wait for all of them.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time) (n int, err error) {
	until := expiryKey(now, [32]byte{})
	for {
		some, err := s.anyExpired(ctx, until[:timeLen])
		if err != nil || !some {
			return n, err
		}
		var removed int
		err = s.update(ctx, func(tx *txn) (err error) {
			removed, err = deleteExpired(tx.Tx, until[:timeLen])
			return err
		})
		if err != nil {
			return n, err
		}
		n += removed
	}
}

// anyExpired reports whether a token expires at the moment until or before.
func (s *Store) anyExpired(ctx context.Context, until []byte) (some bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		k, _ := tx.Bucket(bucketExpiry).Cursor().First()
		some = k != nil && string(k[:timeLen]) <= string(until)
		return nil
	})
	return some, err
}

// deleteExpired removes tokens that expire at the moment until or before, at
// most maxDelete of them.
func deleteExpired(tx *bolt.Tx, until []byte) (n int, err error) {
	expiry, tokens := tx.Bucket(bucketExpiry), tx.Bucket(bucketTokens)
	var keys [][]byte // collected first, as a cursor does not bear deletion
	cursor := expiry.Cursor()
	for k, _ := cursor.First(); k != nil && len(keys) < maxDelete; k, _ = cursor.Next() {
		if len(k) != timeLen+32 {
			return 0, errDamaged
		}
		if string(k[:timeLen]) > string(until) {
			break
		}
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		if err := expiry.Delete(k); err != nil {
			return 0, err
		}
		if err := tokens.Delete(k[timeLen:]); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// dropExpiry removes a token from the index by expiry, if it is there.
func dropExpiry(tx *bolt.Tx, hash [32]byte) error {
	v := tx.Bucket(bucketTokens).Get(hash[:])
	if v == nil {
		return nil
	}
	t, err := parseToken(hash, v)
	if err != nil {
		return err
	}
	k := expiryKey(t.Expires, hash)
	return tx.Bucket(bucketExpiry).Delete(k[:])
}

// timeLen is how many bytes of a key in the index by expiry are the time.
const timeLen = 12

// expiryKey returns the key of a token in the index by expiry: seconds since
// the year 1 (8 bytes) and nanoseconds (4 bytes), so that times sort, and the
// hash.
func expiryKey(expires time.Time, hash [32]byte) (k [timeLen + 32]byte) {
	binary.BigEndian.PutUint64(k[:], uint64(expires.Unix()+yearOne))
	binary.BigEndian.PutUint32(k[8:], uint32(expires.Nanosecond()))
	copy(k[timeLen:], hash[:])
	return k
}

// yearOne is how many seconds the zero time is before 1970.
const yearOne = 62135596800

// appendToken appends the encoding of a token, without its hash: the times
// Created, Expires and LastSeen, each in seconds since the year 1 (varint) and
// nanoseconds (uvarint), then Client, User and the roles, each with its length
// before it (uvarint), the roles with their number first. The realm follows only
// if the token has one or claims, and the claims only if it has some; files of
// before there were either have neither.
func appendToken(b []byte, t *auth.Token) []byte {
	for _, at := range []time.Time{t.Created, t.Expires, t.LastSeen} {
		b = binary.AppendVarint(b, at.Unix()+yearOne)
		b = binary.AppendUvarint(b, uint64(at.Nanosecond()))
	}
	b = appendText(b, t.Client)
	b = appendText(b, t.User)
	b = binary.AppendUvarint(b, uint64(len(t.Roles)))
	for _, role := range t.Roles {
		b = appendText(b, role)
	}
	if t.Realm != "" || t.Claims != "" {
		b = appendText(b, t.Realm)
	}
	if t.Claims != "" {
		b = appendText(b, t.Claims)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseToken decodes a token.
func parseToken(hash [32]byte, b []byte) (*auth.Token, error) {
	d := decoder{rest: b}
	t := &auth.Token{Hash: hash}
	t.Created, t.Expires, t.LastSeen = d.time(), d.time(), d.time()
	t.Client, t.User = d.text(), d.text()
	for range d.count() {
		t.Roles = append(t.Roles, d.text())
	}
	if len(d.rest) > 0 {
		t.Realm = d.text()
		if len(d.rest) > 0 {
			t.Claims = d.text()
		}
		if t.Realm == "" && t.Claims == "" || len(d.rest) > 0 {
			d.fail()
		}
	}
	if d.failed || len(d.rest) > 0 {
		return nil, errDamaged
	}
	return t, nil
}

// A decoder takes apart what the functions above put together.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) time() time.Time {
	s, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return time.Time{}
	}
	ns, m := binary.Uvarint(d.rest[n:])
	if m <= 0 || ns >= 1e9 {
		d.fail()
		return time.Time{}
	}
	d.rest = d.rest[n+m:]
	return time.Unix(s-yearOne, int64(ns)).UTC()
}

// moment returns a time in milliseconds since 1970.
func (d *decoder) moment() time.Time { return time.UnixMilli(d.varint()).UTC() }

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count returns a number of things that have at least one byte each.
func (d *decoder) count() int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(len(d.rest)-n) {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) text() string {
	n := d.count()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) fail() { d.rest, d.failed = nil, true }
