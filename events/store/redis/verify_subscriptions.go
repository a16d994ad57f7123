package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// subscriptions checks that every persistent subscription can be decoded and is in
// both indexes, and that what these have is there.
func (c *verifier) subscriptions(ctx context.Context) error {
	s := c.v.s
	base := s.keys.subscription("")
	err := s.eachKey(ctx, base+"*", func(keys []string) error {
		members := make([]string, len(keys))
		for i, k := range keys {
			members[i] = strings.TrimPrefix(k, base)
		}
		return c.lookTwice(ctx, members, (*subscriptionLook).fault)
	})
	if err != nil {
		return err
	}
	for _, key := range []string{s.keys.subscriptions(), s.keys.lapse()} {
		if err := c.subscriptionIndex(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// subscriptionIndex checks that what an index has is there.
func (c *verifier) subscriptionIndex(ctx context.Context, key string) error {
	s := c.v.s
	var cursor uint64
	for {
		var pairs []string
		err := s.try(ctx, "verify persistent subscriptions", func(ctx context.Context) (err error) {
			var next uint64
			if pairs, next, err = s.client.ZScan(ctx, key, cursor, "", verifyPage).Result(); err == nil {
				cursor = next
			}
			return err
		})
		if wrongType(err) {
			c.fault("index of persistent subscriptions", "the key "+key+" is no sorted set")
			return nil
		}
		if err != nil {
			return err
		}
		members := make([]string, 0, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			members = append(members, pairs[i])
		}
		err = c.lookTwice(ctx, members, func(l *subscriptionLook) string {
			_, inOwner := scoreIn(l.byOwner)
			_, inLapse := scoreIn(l.byExpiry)
			switch {
			case l.there.Val() > 0:
				return ""
			case inOwner && key == s.keys.subscriptions():
				return "is in the index by owner, and not there"
			case inLapse && key == s.keys.lapse():
				return "is in the index by expiry, and not there"
			}
			return ""
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// A subscriptionLook is what the store has of a subscription at one moment.
type subscriptionLook struct {
	member            string
	there             *goredis.IntCmd
	fields            *goredis.MapStringStringCmd
	byOwner, byExpiry *goredis.FloatCmd
}

// lookTwice calls wrong for each of some subscriptions, and tells what it finds to be
// wrong with one if that is so at a second look, too: each look is at one moment.
func (c *verifier) lookTwice(ctx context.Context, members []string, wrong func(l *subscriptionLook) string) error {
	looks, err := c.look(ctx, members)
	if err != nil {
		return err
	}
	var again []string
	for _, l := range looks {
		if wrong(l) != "" {
			again = append(again, l.member)
		}
	}
	if looks, err = c.look(ctx, again); err != nil {
		return err
	}
	for _, l := range looks {
		if what := wrong(l); what != "" {
			where := fmt.Sprintf("subscription %.200q", l.member)
			if owner, name, err := parseMember(l.member); err == nil {
				where = fmt.Sprintf("subscription %.100q of %.100q", name, owner)
			}
			c.fault(where, what)
		}
	}
	return nil
}

// look reads what the store has of subscriptions.
func (c *verifier) look(ctx context.Context, members []string) (looks []*subscriptionLook, err error) {
	if len(members) == 0 {
		return nil, nil
	}
	s := c.v.s
	err = s.try(ctx, "verify persistent subscriptions", func(ctx context.Context) error {
		looks = looks[:0]
		_, err := s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			for _, m := range members {
				key := s.keys.subscription(m)
				looks = append(looks, &subscriptionLook{
					member: m, there: p.Exists(ctx, key), fields: p.HGetAll(ctx, key),
					byOwner: p.ZScore(ctx, s.keys.subscriptions(), m), byExpiry: p.ZScore(ctx, s.keys.lapse(), m),
				})
			}
			return nil
		})
		if errors.Is(err, goredis.Nil) || wrongType(err) {
			return nil // each command has its error
		}
		return err
	})
	return looks, err
}

// scoreIn returns the score in an index, and whether there is one.
func scoreIn(of *goredis.FloatCmd) (score float64, there bool) {
	score, err := of.Result()
	return score, err == nil
}

// fault says what is wrong with a subscription that is there, or nothing.
func (l *subscriptionLook) fault() string {
	if l.there.Val() == 0 {
		return "" // it is gone
	}
	owner, name, err := parseMember(l.member)
	if err != nil {
		return "has a key that names no owner"
	}
	if wrongType(l.fields.Err()) {
		return "is no hash"
	}
	if _, err := parseSubscription(owner, name, l.fields.Val()); err != nil {
		return "cannot be decoded: " + strings.TrimPrefix(err.Error(), errDamaged.Error()+": ")
	}
	switch score, there := scoreIn(l.byOwner); {
	case !there:
		return "is not in the index by owner, and so is not found"
	case score != 0:
		return fmt.Sprintf("has the score %v in the index by owner, expected 0, and so may not be found", score)
	}
	switch at, there := scoreIn(l.byExpiry); {
	case !there:
		return "is not in the index by expiry, and so would never be removed"
	case strconv.FormatInt(int64(at), 10) != l.fields.Val()["expires"]:
		return fmt.Sprintf("has the time %.0f in the index by expiry, and expires at %s", at, l.fields.Val()["expires"])
	}
	return ""
}
