package embedded

import (
	"bytes"
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
	user := userKey(t.Realm, t.User, hash)
	return s.update(ctx, func(tx *txn) error { return putToken(tx.Tx, hash, value, expires[:], user) })
}

// ReplaceToken replaces a token of a version; see [auth.TokenStore].
func (s *Store) ReplaceToken(ctx context.Context, t *auth.Token, version uint64) error {
	hash, value := t.Hash, appendToken(nil, t)
	expires, user := expiryKey(t.Expires, hash), userKey(t.Realm, t.User, hash)
	var refused error
	err := s.update(ctx, func(tx *txn) error {
		refused = nil
		v := tx.Bucket(bucketTokens).Get(hash[:])
		if v == nil {
			refused = auth.ErrNoToken
			return nil
		}
		old, err := parseToken(hash, v)
		if err != nil {
			return err
		}
		if old.Version != version {
			refused = auth.ErrTokenChanged
			return nil
		}
		return putToken(tx.Tx, hash, value, expires[:], user)
	})
	if err != nil {
		return err // the transaction may be under way still, and refused is its own
	}
	if refused != nil {
		return fmt.Errorf("store file %s: %w", s.path, refused)
	}
	return nil
}

// putToken writes a token with what the indexes have of it; user is nil if it
// has none.
func putToken(tx *bolt.Tx, hash [32]byte, value, expires, user []byte) error {
	if err := dropIndexes(tx, hash); err != nil {
		return err
	}
	if err := tx.Bucket(bucketExpiry).Put(expires, nil); err != nil {
		return err
	}
	if user != nil {
		if err := tx.Bucket(bucketUsers).Put(user, nil); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketTokens).Put(hash[:], value)
}

// UserTokens returns the tokens of a user; see [auth.TokenStore].
func (s *Store) UserTokens(ctx context.Context, realm, user string) (list []*auth.Token, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		list = nil
		if user == "" {
			return nil
		}
		prefix, tokens := userPrefix(realm, user), tx.Bucket(bucketTokens)
		cursor := tx.Bucket(bucketUsers).Cursor()
		for k, _ := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
			if len(k) != len(prefix)+32 {
				return errDamaged
			}
			hash := [32]byte(k[len(prefix):])
			t, err := parseToken(hash, tokens.Get(hash[:]))
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
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
		if err := dropIndexes(tx.Tx, hash); err != nil {
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
		if err := dropIndexes(tx, [32]byte(k[timeLen:])); err != nil {
			return 0, err
		}
		if err := expiry.Delete(k); err != nil { // in case its token is of another time
			return 0, err
		}
		if err := tokens.Delete(k[timeLen:]); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// dropIndexes removes a token from the indexes by expiry and user, if it is
// there.
func dropIndexes(tx *bolt.Tx, hash [32]byte) error {
	v := tx.Bucket(bucketTokens).Get(hash[:])
	if v == nil {
		return nil
	}
	t, err := parseToken(hash, v)
	if err != nil {
		return err
	}
	if user := userKey(t.Realm, t.User, hash); user != nil {
		if err := tx.Bucket(bucketUsers).Delete(user); err != nil {
			return err
		}
	}
	k := expiryKey(t.Expires, hash)
	return tx.Bucket(bucketExpiry).Delete(k[:])
}

// indexUsers makes the index by user for a file from before there was one.
func indexUsers(tx *bolt.Tx) error {
	if tx.Bucket(bucketUsers) != nil {
		return nil
	}
	users, err := tx.CreateBucket(bucketUsers)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketTokens).ForEach(func(k, v []byte) error {
		if len(k) != 32 {
			return errDamaged
		}
		t, err := parseToken([32]byte(k), v)
		if err != nil || t.User == "" {
			return err
		}
		return users.Put(userKey(t.Realm, t.User, t.Hash), nil)
	})
}

// userKey returns the key of a token in the index by user: the realm and the
// user, each with its length before it, so that none begins another, and the
// hash. It returns nil if there is no user.
func userKey(realm, user string, hash [32]byte) []byte {
	if user == "" {
		return nil
	}
	return append(userPrefix(realm, user), hash[:]...)
}

func userPrefix(realm, user string) []byte {
	return appendText(appendText(nil, realm), user)
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
// if the token has one, claims or more, the claims only if it has some or more,
// and then, if it has any of that: Version (uvarint), Agent, and the fields of
// Secrets in order, hashes as they are. Files of before there were these have
// none.
func appendToken(b []byte, t *auth.Token) []byte {
	for _, at := range []time.Time{t.Created, t.Expires, t.LastSeen} {
		b = appendTime(b, at)
	}
	b = appendText(b, t.Client)
	b = appendText(b, t.User)
	b = binary.AppendUvarint(b, uint64(len(t.Roles)))
	for _, role := range t.Roles {
		b = appendText(b, role)
	}
	more := t.Version != 0 || t.Agent != "" || t.Secrets != auth.Secrets{}
	if t.Realm != "" || t.Claims != "" || more {
		b = appendText(b, t.Realm)
	}
	if t.Claims != "" || more {
		b = appendText(b, t.Claims)
	}
	if !more {
		return b
	}
	b = binary.AppendUvarint(b, t.Version)
	b = appendText(b, t.Agent)
	c := &t.Secrets
	b = appendTime(b, c.Made)
	b = append(b, c.Current[:]...)
	b = appendTime(b, c.Since)
	b = append(b, c.Next[:]...)
	b = append(b, c.Salt[:]...)
	b = append(b, c.Previous[:]...)
	return appendTime(b, c.Until)
}

func appendTime(b []byte, at time.Time) []byte {
	b = binary.AppendVarint(b, at.Unix()+yearOne)
	return binary.AppendUvarint(b, uint64(at.Nanosecond()))
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
		switch {
		case len(d.rest) > 0:
			d.family(t)
		case t.Realm == "" && t.Claims == "":
			d.fail()
		}
	}
	if d.failed || len(d.rest) > 0 {
		return nil, errDamaged
	}
	return t, nil
}

// family reads what tokens have since there are families.
func (d *decoder) family(t *auth.Token) {
	t.Version, t.Agent = d.uvarint(), d.text()
	c := &t.Secrets
	c.Made = d.time()
	d.bytes(c.Current[:])
	c.Since = d.time()
	d.bytes(c.Next[:])
	d.bytes(c.Salt[:])
	d.bytes(c.Previous[:])
	c.Until = d.time()
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

// bytes reads as many bytes as there is room for in b.
func (d *decoder) bytes(b []byte) {
	if len(d.rest) < len(b) {
		d.fail()
		return
	}
	d.rest = d.rest[copy(b, d.rest):]
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
