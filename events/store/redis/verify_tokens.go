package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

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
