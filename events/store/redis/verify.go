package redis

import (
	"context"
	"errors"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// verifyPage is how many members of an index are looked at at once.
const verifyPage = 512

// Verify reads everything, and calls fault for each thing that is not as it must
// be: where it is, and what is wrong. It calls record for every record that can
// be read, which may not be kept; log by log, in order. The error says why it did
// not come to an end; damage is none. What a gateway changes meanwhile is not
// taken for damage: what seems wrong is looked at twice.
func (v *View) Verify(ctx context.Context, fault func(where, what string), record func(r *events.Record)) error {
	c := &verifier{v: v, fault: fault, record: record}
	classes, err := v.scan(ctx, "meta:")
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(classes))
	for _, class := range classes {
		known[class] = true
		if err := c.class(ctx, class); err != nil {
			return err
		}
	}
	for _, kind := range []string{"log:", "ids:", "channels:"} {
		names, err := v.scan(ctx, kind)
		if err != nil {
			return err
		}
		for _, class := range names {
			if known[class] {
				continue
			}
			if b, err := v.Bounds(ctx, class); err != nil {
				return err
			} else if b.Epoch == "" {
				fault("log "+class, "there is a key "+v.s.keys.base+kind+class+" and none that says where the log stands")
			}
		}
	}
	for _, check := range []func(context.Context) error{c.tokens, c.expiry, c.users, c.subscriptions} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A verifier is one run of Verify.
type verifier struct {
	v      *View
	fault  func(where, what string)
	record func(r *events.Record)
}

// class checks a log and its indexes. If it is not as it should be, it may be
// that the log was trimmed meanwhile: then it is not told.
func (c *verifier) class(ctx context.Context, class string) error {
	b, _, err := c.v.log(ctx, class)
	if errors.Is(err, errDamaged) {
		c.fault("log "+class, "what is known of it cannot be decoded")
		return nil
	}
	if err != nil || b.Epoch == "" {
		return err
	}
	l := &logCheck{verifier: c, class: class, keys: c.v.s.keys.of(class), bounds: b}
	if err := l.records(ctx); err != nil {
		return err
	}
	if err := l.ids(ctx); err != nil {
		return err
	}
	if err := l.channels(ctx); err != nil {
		return err
	}
	now, err := c.v.Bounds(ctx, class)
	if err != nil {
		return err
	}
	for _, f := range l.faults {
		if f.offset == 0 || f.offset >= now.First {
			c.fault(f.where, f.what)
		}
	}
	return nil
}

// wrongType reports whether a key is of another type than it must be.
func wrongType(err error) bool {
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[goredis.Error](err); ok {
		return strings.HasPrefix(e.Error(), "WRONGTYPE")
	}
	return false
}
