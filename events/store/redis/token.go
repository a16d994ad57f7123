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

	Version uint64         `json:"version,omitempty"`
	Agent   string         `json:"agent,omitempty"`
	Secrets *storedSecrets `json:"secrets,omitempty"` // not of tokens from before there were families
}

// storedSecrets are [auth.Secrets]. What is zero is left out.
type storedSecrets struct {
	Made     time.Time `json:"made,omitzero"`
	Current  []byte    `json:"current,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Next     []byte    `json:"next,omitempty"`
	Salt     []byte    `json:"salt,omitempty"`
	Previous []byte    `json:"previous,omitempty"`
	Until    time.Time `json:"until,omitzero"`
}

func storeToken(t *auth.Token) ([]byte, error) {
	st := storedToken{
		Client: t.Client, User: t.User, Roles: t.Roles, Realm: t.Realm, Claims: t.Claims,
		Created: t.Created.UTC(), Expires: t.Expires.UTC(), LastSeen: t.LastSeen.UTC(), Version: t.Version, Agent: t.Agent,
	}
	if c := t.Secrets; c != (auth.Secrets{}) {
		st.Secrets = &storedSecrets{
			Made: c.Made.UTC(), Current: unlessZero(c.Current[:]), Since: c.Since.UTC(), Next: unlessZero(c.Next[:]),
			Salt: unlessZero(c.Salt[:]), Previous: unlessZero(c.Previous[:]), Until: c.Until.UTC(),
		}
	}
	return json.Marshal(st)
}

// unlessZero returns b, or nil if all of it is zero.
func unlessZero(b []byte) []byte {
	for _, x := range b {
		if x != 0 {
			return b
		}
	}
	return nil
}

// parseToken reads a token after its member in the index.
func parseToken(hash [32]byte, value []byte) (*auth.Token, error) {
	var st storedToken
	if len(value) < memberLen {
		return nil, errDamaged
	}
	if err := json.Unmarshal(value[memberLen:], &st); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	t := &auth.Token{
		Hash: hash, Client: st.Client, User: st.User, Roles: st.Roles, Realm: st.Realm, Claims: st.Claims,
		Created: st.Created, Expires: st.Expires, LastSeen: st.LastSeen, Version: st.Version, Agent: st.Agent,
	}
	if c := st.Secrets; c != nil {
		t.Secrets.Made, t.Secrets.Since, t.Secrets.Until = c.Made, c.Since, c.Until
		for _, part := range []struct{ to, from []byte }{
			{t.Secrets.Current[:], c.Current}, {t.Secrets.Next[:], c.Next}, {t.Secrets.Salt[:], c.Salt}, {t.Secrets.Previous[:], c.Previous},
		} {
			if len(part.from) != 0 && len(part.from) != len(part.to) {
				return nil, errDamaged
			}
			copy(part.to, part.from)
		}
	}
	return t, nil
}

// PutToken inserts or replaces a token; see [auth.TokenStore].
func (s *Store) PutToken(ctx context.Context, t *auth.Token) error {
	_, err := s.writeToken(ctx, "keep a client token", scriptPut, t)
	return err
}

// ReplaceToken replaces a token of a version; see [auth.TokenStore].
func (s *Store) ReplaceToken(ctx context.Context, t *auth.Token, version uint64) error {
	n, err := s.writeToken(ctx, "renew a client token", scriptReplace, t, version)
	switch {
	case err != nil:
		return err
	case n == 0:
		return s.noToken()
	case n < 0:
		return fmt.Errorf("the store in Redis at %s: %w", s.place, auth.ErrTokenChanged)
	}
	return nil
}

// writeToken runs a script that writes a token, and returns what it returns.
func (s *Store) writeToken(ctx context.Context, op string, script *goredis.Script, t *auth.Token, more ...any) (n int64, err error) {
	value, err := storeToken(t)
	if err != nil {
		return 0, s.explain(op, err)
	}
	gone := time.Now()
	if t.Expires.After(gone) {
		gone = t.Expires
	}
	keys := []string{s.keys.writer, s.keys.token(t.Hash), s.keys.expiry}
	if t.User != "" {
		keys = append(keys, s.keys.user(t.Realm, t.User))
	}
	args := append([]any{value, expiryMember(t.Expires, t.Hash), milliseconds(gone.Add(afterExpiry))}, more...)
	err = s.try(ctx, op, func(ctx context.Context) error {
		reply, err := s.run(ctx, script, keys, args...)
		n, _ = reply.(int64)
		return err
	})
	return n, err
}

func (s *Store) noToken() error {
	return fmt.Errorf("the store in Redis at %s: %w", s.place, auth.ErrNoToken)
}

// UserTokens returns the tokens of a user; see [auth.TokenStore]. The index may
// have some that are gone, which it takes out of it.
func (s *Store) UserTokens(ctx context.Context, realm, user string) (list []*auth.Token, err error) {
	const op = "look up the client tokens of a user"
	index := s.keys.user(realm, user)
	err = s.try(ctx, op, func(ctx context.Context) error {
		list = nil
		members, err := s.client.ZRange(ctx, index, 0, -1).Result()
		if err != nil || len(members) == 0 || user == "" {
			return err
		}
		keys := make([]string, len(members))
		for i, m := range members {
			if len(m) != 32 {
				return fmt.Errorf("%w: the index of a user has a member of %d bytes", errDamaged, len(m))
			}
			keys[i] = s.keys.token([32]byte([]byte(m)))
		}
		values, err := s.client.MGet(ctx, keys...).Result()
		if err != nil {
			return err
		}
		var gone []any
		for i, v := range values {
			text, ok := v.(string)
			if !ok {
				gone = append(gone, members[i])
				continue
			}
			t, err := parseToken([32]byte([]byte(members[i])), []byte(text))
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		if len(gone) > 0 {
			return s.client.ZRem(ctx, index, gone...).Err()
		}
		return nil
	})
	return list, err
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
		return nil, s.noToken()
	}
	t, err := parseToken(hash, value)
	if err != nil {
		return nil, s.explain(op, err)
	}
	return t, nil
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
