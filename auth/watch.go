package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// maxDue is how many leases are looked at before others get a turn.
	maxDue = 256

	// askTimeout bounds how long the store is asked about a token whose lease
	// is due. If it cannot be asked, that is tried again after askAgain, until
	// patience is over: the token may have been renewed at another gateway.
	askTimeout = 2 * time.Second
	askAgain   = 5 * time.Second
	askPause   = time.Second // after which it is asked about any token again
	patience   = time.Minute

	// longestSleep is after how long the first deadline is compared with the
	// clock again, which may have been set, or have gone on while the computer
	// slept.
	longestSleep = time.Minute
)

// Run ends sessions when their tokens and JWTs end, until ctx is done. Without
// it they go on. It is to be called once.
func (s *Sessions) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var away time.Time
	for {
		now := time.Now()
		due, next, more := s.leases.due(now, maxDue)
		away = s.look(ctx, due, now, away)
		var later <-chan time.Time
		if more {
			timer.Reset(min(time.Until(next), longestSleep)) // since Go 1.23 nothing of before is left in its channel
			later = timer.C
		}
		select {
		case <-later:
		case <-s.leases.wake:
		case <-ctx.Done():
			return
		}
	}
}

// look ends the sessions of the leases, unless their tokens were renewed. The store
// is not asked before the time away, which it returns: once it could not be, many
// others wait to hear the same, and those who need no store must not wait for that.
func (s *Sessions) look(ctx context.Context, due []*Lease, now, away time.Time) time.Time {
	for _, l := range due {
		t := s.leases.termsOf(l)
		if t.client == "" {
			s.expire(l, t, now)
			continue
		}
		err := errStoreAway
		var token *Token
		if !now.Before(away) {
			token, err = s.ask(ctx, t.token)
			if err != nil && !errors.Is(err, ErrNoToken) {
				away = time.Now().Add(askPause)
			}
		}
		switch {
		case err == nil && s.live(token, now):
			s.leases.extend(l, t, s.end(token), time.Time{})
		case errors.Is(err, ErrNoToken) && now.Before(t.expires):
			if s.leases.gone(l, t.token) { // another gateway has revoked it
				s.stats.ended.Add(1)
				l.holder.End(revoked(textRevoked))
			}
		case err == nil, errors.Is(err, ErrNoToken), now.Sub(t.expires) >= patience:
			s.expire(l, t, now)
		default:
			s.leases.extend(l, t, t.expires, now.Add(askAgain))
			if !errors.Is(err, errStoreAway) && ctx.Err() == nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "cannot ask whether a client token was renewed: its sessions go on for a moment", slog.Any("err", err))
			}
		}
	}
	return away
}

var errStoreAway = errors.New("the store is away")

func (s *Sessions) ask(ctx context.Context, hash [32]byte) (*Token, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t, err := s.store.Token(ctx, hash)
	if err == nil && t.left() {
		return nil, errLeft
	}
	return t, err
}

// expire ends the session of a lease that is over by its terms, if it is that
// still.
func (s *Sessions) expire(l *Lease, was *Terms, now time.Time) {
	if s.leases.expired(l, was, now) {
		s.stats.expired.Add(1)
		l.holder.End(&wamp.Error{URI: wamp.URISessionExpired, Text: "the credential of this session has expired: join again"})
	}
}

// extend has a lease that was due, and has had no other terms since, looked at
// when its token ends, or at the time again, if it is given.
func (ls *leases) extend(l *Lease, was *Terms, end, again time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.over || l.terms != was {
		return
	}
	if !end.Equal(was.expires) {
		t := *was
		t.expires = end
		l.terms = &t
	}
	if l.place >= 0 { // it came to be in doubt meanwhile
		return
	}
	if again.IsZero() {
		again = end
	}
	ls.armLocked(l, again)
}

// expired releases a lease that was due, unless it was renewed since.
func (ls *leases) expired(l *Lease, was *Terms, now time.Time) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.over || l.terms != was && (l.terms.expires.IsZero() || l.terms.expires.After(now)) {
		return false
	}
	ls.releaseLocked(l)
	return true
}
