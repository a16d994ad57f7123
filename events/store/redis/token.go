package redis

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/auth"
)

// maxExpire is how many tokens one script removes.
const maxExpire = 512

// Redis removes a token by itself so long after it expired. That is for
// when no gateway runs that would do it, and is longer than clocks differ.
const afterExpiry = 24 * time.Hour

var _ auth.TokenStore = (*Store)(nil)

// A storedToken is a token as Redis has it, in JSON, after its member in the
// index by expiry.
type storedToken struct {
	Client   string    `json:"client"`
	User     string    `json:"user,omitempty"`
	Roles    []string  `json:"roles,omitempty"`
	Realm    string    `json:"realm,omitempty"`
	Claims   string    `json:"claims,omitempty"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastSeen time.Time `json:"seen"`
}

// PutToken inserts or replaces a token; see [auth.TokenStore].
func (s *Store) PutToken(ctx context.Context, t *auth.Token) error {
	const op = "keep a client token"
	value, err := json.Marshal(storedToken{t.Client, t.User, t.Roles, t.Realm, t.Claims, t.Created.UTC(), t.Expires.UTC(), t.LastSeen.UTC()})
	if err != nil {
		return s.explain(op, err)
	}
	gone := time.Now()
	if t.Expires.After(gone) {
		gone = t.Expires
	}
	return s.try(ctx, op, func(ctx context.Context) error {
		_, err := s.run(ctx, scriptPut, []string{s.keys.writer, s.keys.token(t.Hash), s.keys.expiry},
			value, expiryMember(t.Expires, t.Hash), milliseconds(gone.Add(afterExpiry)))
		return err
	})
}

// Token returns the token with the hash; see [auth.TokenStore].
func (s *Store) Token(ctx context.Context, hash [32]byte) (*auth.Token, error) {
	const op = "look up a client token"
	var value []byte
	err := s.try(ctx, op, func(ctx context.Context) (err error) {
		value, err = s.client.Get(ctx, s.keys.token(hash)).Bytes()
		if errors.Is(err, goredis.Nil) {
			value, err = nil, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("the store in Redis at %s: %w", s.place, auth.ErrNoToken)
	}
	t, err := parseToken(hash, value)
	if err != nil {
		return nil, s.explain(op, err)
	}
	return t, nil
}

// parseToken decodes a token with its member in the index by expiry before it.
func parseToken(hash [32]byte, value []byte) (*auth.Token, error) {
	var st storedToken
	if len(value) < memberLen {
		return nil, errDamaged
	}
	if err := json.Unmarshal(value[memberLen:], &st); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return &auth.Token{
		Hash: hash, Client: st.Client, User: st.User, Roles: st.Roles, Realm: st.Realm, Claims: st.Claims,
		Created: st.Created, Expires: st.Expires, LastSeen: st.LastSeen,
	}, nil
}

// DeleteToken removes a token; see [auth.TokenStore].
func (s *Store) DeleteToken(ctx context.Context, hash [32]byte) error {
	return s.try(ctx, "remove a client token", func(ctx context.Context) error {
		_, err := s.run(ctx, scriptDelete, []string{s.keys.writer, s.keys.token(hash), s.keys.expiry}, memberLen)
		return err
	})
}

// DeleteExpired removes all tokens that have expired, some at once; see
// [auth.TokenStore].
func (s *Store) DeleteExpired(ctx context.Context, now time.Time) (n int, err error) {
	until := expiryMember(now.Add(1), [32]byte{}) // nobody has the hash 0, so this is before all that expire then
	for {
		var removed, found int
		err := s.try(ctx, "remove expired client tokens", func(ctx context.Context) error {
			members, err := s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{
				Key: s.keys.expiry, ByLex: true, Start: "-", Stop: "(" + string(until), Count: maxExpire,
			}).Result()
			if found = len(members); err != nil || found == 0 {
				return err
			}
			removed, err = s.removeExpired(ctx, members)
			return err
		})
		if err != nil {
			return n, err
		}
		if n += removed; found < maxExpire {
			return n, nil
		}
	}
}

// removeExpired removes the tokens of these members of the index by expiry,
// unless they were renewed meanwhile.
func (s *Store) removeExpired(ctx context.Context, members []string) (int, error) {
	keys, args := []string{s.keys.writer, s.keys.expiry}, []any{memberLen}
	for _, m := range members {
		var hash [32]byte
		if len(m) != memberLen {
			return 0, fmt.Errorf("%w: the index of tokens has a member of %d bytes", errDamaged, len(m))
		}
		copy(hash[:], m[timeLen:])
		keys, args = append(keys, s.keys.token(hash)), append(args, m)
	}
	reply, err := s.run(ctx, scriptExpire, keys, args...)
	n, _ := reply.(int64)
	return int(n), err
}

// A member of the index by expiry is the time, in seconds since the year 1 (8
// bytes) and nanoseconds (4 bytes), so that times sort, and the hash.
const (
	timeLen   = 12
	memberLen = timeLen + 32
	yearOne   = 62135596800 // how many seconds that is before 1970
)

func expiryMember(expires time.Time, hash [32]byte) []byte {
	m := make([]byte, 0, memberLen)
	m = binary.BigEndian.AppendUint64(m, uint64(expires.Unix()+yearOne))
	m = binary.BigEndian.AppendUint32(m, uint32(expires.Nanosecond()))
	return append(m, hash[:]...)
}
