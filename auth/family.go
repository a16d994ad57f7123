package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A standing is what a secret is worth in its family.
type standing uint8

const (
	inForce   standing = iota
	successor          // it follows the one in force, and nobody has shown it before
	outgoing           // its successor has come back, and its grace is not over
	replaced           // long ago: only who has copied it can still show it
	unknown            // of a token that is left behind: it never followed there
)

// errLeft says that a client has logged in since, and got another token.
var errLeft = fmt.Errorf("%w: its client has logged in since", ErrNoToken)

// errStolen says that somebody showed a secret that was replaced.
var errStolen = errors.New("a secret that was replaced long ago was shown again; the client token is revoked")

// standing returns what the secret with the hash, whose key is that of t, is
// worth at now.
func (t *Token) standing(hash [32]byte, now time.Time) standing {
	c, none := &t.Secrets, [32]byte{}
	switch {
	case t.left() && hash == c.Next && c.Next != none:
		return outgoing
	case t.left() && hash != c.Previous:
		return unknown
	case hash == c.Current, c.Current == none && hash == t.Hash: // the latter is from before there were families
		return inForce
	case c.Next != none && hash == c.Next:
		return successor
	case c.Previous != none && hash == c.Previous && now.Before(c.Until):
		return outgoing
	}
	return replaced
}

// leave leaves a token of nobody behind, in whose place its client gets that of the
// user. It is good for nothing any more, but until a grace has passed its secret
// is known as that of a client that has logged in: requests of other tabs, that
// were under way meanwhile, must not bring a cookie in place of the user's, and a
// login whose answer was lost must find the client again.
func (t *Token) leave(user, realm string, now time.Time, grace time.Duration) {
	c, none := &t.Secrets, [32]byte{}
	if c.Next == none && now.Before(c.Until) {
		c.Next = c.Previous // where the successor would be, if there were one
	}
	if c.Previous = c.Current; c.Previous == none {
		c.Previous = t.Hash // from before there were families
	}
	c.Current, c.Until = none, wall(now.Add(grace))
	if c.Until.Before(t.Expires) {
		t.Expires = c.Until
	}
	t.User, t.Realm = user, realm
}

// left reports whether the token was left behind.
func (t *Token) left() bool {
	none := [32]byte{}
	return t.Secrets.Current == none && t.Secrets.Previous != none
}

// wall returns the time without the reading of the clock that goes on evenly: when
// tokens end is compared with the time of day, here and by those who read it in
// the store, also after the clock was set.
func wall(t time.Time) time.Time { return t.Round(0) }

// takeOver puts the successor in force: it has come back, so its holder has it.
func (c *Secrets) takeOver(now time.Time, grace time.Duration) {
	c.Previous, c.Until = c.Current, wall(now.Add(grace))
	c.Current, c.Since = c.Next, wall(now)
	c.Next = [32]byte{}
}

// offer draws a successor of the secret in force.
func (c *Secrets) offer(secret Secret) {
	rand.Read(c.Salt[:]) // never fails
	c.Next = secret.next(c.Salt).Hash()
}

// offered returns what the holder of the secret is to use from now on: its
// successor, or the secret itself if there is none.
func (c *Secrets) offered(secret Secret) Secret {
	if c.Current == ([32]byte{}) {
		return secret
	}
	next := secret.next(c.Salt)
	switch hash := next.Hash(); {
	case hash == c.Next, hash == c.Current:
		return next
	}
	return secret
}

// find returns the live token that the secret is of. The error wraps
// [ErrNoToken], [ErrExpired] or errStolen, or is a failure of the store. With
// errLeft, which wraps ErrNoToken, comes the token that was left behind.
//
// A secret that was replaced ends its whole family, since one of those who have
// its secrets is not who was given the first.
func (s *Sessions) find(ctx context.Context, secret Secret, now time.Time) (*Token, standing, error) {
	t, err := s.store.Token(ctx, secret.Key())
	if err != nil {
		return nil, 0, fmt.Errorf("look up client token: %w", err)
	}
	if !s.live(t, now) {
		return nil, 0, fmt.Errorf("%w: client token of %s", ErrExpired, t.Client)
	}
	st := t.standing(secret.Hash(), now)
	switch {
	case st == unknown:
		return nil, 0, fmt.Errorf("look up client token: %w", ErrNoToken)
	case t.left():
		return t, 0, errLeft
	case st != replaced:
		return t, st, nil
	}
	s.stats.stolen.Add(1)
	s.log.LogAttrs(ctx, slog.LevelWarn, "a client token was used that was replaced long ago: revoked with all that came of it",
		slog.String("client", t.Client), slog.String("user", t.User), slog.String("agent", t.Agent))
	if err := s.remove(ctx, t, Revocation{Client: t.Client, Text: "the client token was used twice"}); err != nil {
		return nil, 0, err
	}
	return nil, 0, fmt.Errorf("%w: client %s", errStolen, t.Client)
}

// worthless reports whether an error of find says that the secret is nothing
// any more.
func worthless(err error) bool {
	return errors.Is(err, ErrNoToken) || errors.Is(err, ErrExpired) || errors.Is(err, errStolen)
}

// maxAttempts is how often a change is tried again because another one came
// before it. One that came before mostly leaves nothing to change.
const maxAttempts = 32

// update changes the token that the secret is of, unless change finds that there
// is nothing to change. Others may change it at the same time, here or at other
// gateways; so change may be called several times, each time with the token as
// it is then, in which a secret that comes back for the first time is in force
// already. Errors are those of find.
func (s *Sessions) update(ctx context.Context, secret Secret, now time.Time, change func(t *Token, st standing) bool) (*Token, error) {
	for range maxAttempts {
		t, st, err := s.find(ctx, secret, now)
		if err != nil {
			return t, err // with errLeft it is not nil
		}
		changed := false
		if st == successor {
			t.Secrets.takeOver(now, s.cfg.Grace)
			st, changed = inForce, true
		}
		if !change(t, st) && !changed {
			return t, nil
		}
		version := t.Version
		t.Version++
		err = s.store.ReplaceToken(ctx, t, version)
		switch {
		case err == nil:
			return t, nil
		case !errors.Is(err, ErrTokenChanged):
			return nil, fmt.Errorf("store client token: %w", err)
		}
	}
	return nil, fmt.Errorf("store client token: it was changed %d times meanwhile", maxAttempts)
}

// use returns the token of a secret that its holder joins with, and writes down
// that it was seen. Errors are those of find.
func (s *Sessions) use(ctx context.Context, secret Secret, now time.Time) (*Token, error) {
	t, st, err := s.find(ctx, secret, now)
	if err != nil || st != successor && now.Sub(t.LastSeen) < s.pause() {
		return t, err
	}
	seen, err := s.update(ctx, secret, now, func(t *Token, _ standing) bool {
		later := now.Sub(t.LastSeen) >= s.pause()
		if later {
			t.LastSeen = now
		}
		return later
	})
	if err != nil && !worthless(err) && ctx.Err() == nil {
		// The secret is good whether or not that is written down.
		s.log.LogAttrs(ctx, slog.LevelWarn, "cannot write down that a client token was used", slog.String("client", t.Client), slog.Any("err", err))
		return t, nil
	}
	return seen, err
}

// pause is how much time passes at least between two times that are written
// down of a token.
func (s *Sessions) pause() time.Duration { return min(s.cfg.TTL/10, time.Hour) }

// renew moves the expiry of a token on, if it is worth to be written, and draws
// a successor of its secret, if it is time for that. It reports whether it
// changed anything, and whether it drew one. proven is when the holder last showed
// who they are.
func (s *Sessions) renew(t *Token, secret Secret, st standing, proven, now time.Time, agent string) (changed, rotated bool) {
	created := t.Created
	if proven.After(created) {
		created = proven
	}
	seen := t.LastSeen
	if expires := s.expiry(now, created); expires.Sub(t.Expires) >= s.pause() {
		t.Created, t.Expires, t.LastSeen = created, expires, now
		changed = true
	}
	// Not if the secret in force may have been sent a moment ago: that answer
	// could be overtaken by the one with the successor.
	c := &t.Secrets
	due := s.cfg.Rotate > 0 && c.Current != [32]byte{} && c.Next == [32]byte{} && now.Sub(c.Since) >= s.cfg.Rotate && now.Sub(seen) >= s.cfg.Grace
	if due && st == inForce {
		c.offer(secret)
		t.LastSeen = now
		changed, rotated = true, true
	}
	if changed && agent != "" {
		t.Agent = agent
	}
	return changed, rotated
}
