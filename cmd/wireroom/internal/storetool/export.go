package storetool

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/archive"
)

// An ExportConfig says what goes into an archive.
type ExportConfig struct {
	// Logs says of which logs, and that nothing else goes with them; nil:
	// all of the store.
	Logs func(class string) bool

	// Since leaves out events of before.
	Since time.Time

	// Secret says which tokens hold a secret of the gateway's own, and stay.
	Secret func(hash [32]byte) bool
}

// An Exported says what an archive was given.
type Exported struct {
	archive.Counts

	// Renewed are the logs that have a new epoch in the archive, as the next
	// gateway would have begun one in the store: Redis may have lost the end
	// of them.
	Renewed []string
}

// Export writes an archive of a store. Subscriptions come before the logs, so
// that no position is beyond its log if a gateway runs meanwhile.
func Export(ctx context.Context, s Source, w *archive.Writer, c ExportConfig, p Progress) (e Exported, err error) {
	if c.Logs == nil {
		p.Part("tokens", 0)
		err = eachToken(ctx, s, func(t *auth.Token) error {
			if c.Secret(t.Hash) {
				return nil
			}
			p.Add(1)
			return w.Token(t)
		})
		if err != nil {
			return e, err
		}
		p.Part("persistent subscriptions", 0)
		err = eachPersistent(ctx, s, func(sub *events.Persistent) error {
			p.Add(1)
			return w.Subscription(sub)
		})
		if err != nil {
			return e, err
		}
	}
	logs, err := logsOf(ctx, s)
	if err != nil {
		return e, err
	}
	for _, l := range logs {
		if c.Logs != nil && !c.Logs(l.class) {
			continue
		}
		if err := exportLog(ctx, s, w, l, c.Since, p); err != nil {
			return e, err
		}
		if l.stale {
			e.Renewed = append(e.Renewed, l.class)
		}
	}
	if err := w.End(); err != nil {
		return e, err
	}
	e.Counts = w.Counts()
	return e, nil
}

func exportLog(ctx context.Context, s Source, w *archive.Writer, l log, since time.Time, p Progress) error {
	// Tokens and subscriptions took their time: what the log has now is more.
	b, err := s.Bounds(ctx, l.class)
	if err != nil || b.Epoch == "" {
		return err
	}
	if l.stale {
		b = renewed(b)
	}
	if !since.IsZero() {
		if b.First, err = firstFrom(ctx, s, l.class, b, since); err != nil {
			return err
		}
	}
	p.Part("events of "+l.class, b.Next-b.First)
	if err := w.Log(l.class, b); err != nil {
		return err
	}
	for next := b.First; next < b.Next; {
		records, err := s.Records(ctx, l.class, next-1, b.Next-1)
		if err != nil {
			return err
		}
		if len(records) == 0 || records[0].Offset != next {
			// A gateway has trimmed the log, unless it is damaged.
			now, err := s.Bounds(ctx, l.class)
			if err != nil {
				return err
			}
			if now.First <= next {
				return fmt.Errorf("the log %s lacks the event with the offset %d; see what else is wrong with: wireroom store verify", l.class, next)
			}
			b.First = min(now.First, b.Next)
			next = b.First
			if err := w.LogAgain(l.class, b); err != nil {
				return err
			}
			continue
		}
		for i := range records {
			if records[i].Offset != next {
				return fmt.Errorf("the log %s lacks the event with the offset %d; see what else is wrong with: wireroom store verify", l.class, next)
			}
			if err := w.Event(&records[i]); err != nil {
				return err
			}
			next++
		}
		p.Add(len(records))
	}
	return nil
}

// renewed returns the bounds of a log in which a new epoch begins.
func renewed(b events.Bounds) events.Bounds {
	b.Epoch, b.Base = rand.Text()[:12], b.Next-1
	return b
}

// firstFrom returns the offset of the first record that is not before t, or that
// of the next one to come.
func firstFrom(ctx context.Context, s Source, class string, b events.Bounds, t time.Time) (uint64, error) {
	low, high := b.First, b.Next
	for low < high {
		middle := low + (high-low)/2
		r, err := recordAt(ctx, s, class, middle)
		if err != nil {
			return 0, err
		}
		if r == nil || r.Time.Before(t) { // none: it was trimmed
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// recordAt returns the record at an offset, or nil.
func recordAt(ctx context.Context, s Source, class string, offset uint64) (*events.Record, error) {
	records, err := s.Records(ctx, class, offset-1, offset)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return &records[0], nil
}
