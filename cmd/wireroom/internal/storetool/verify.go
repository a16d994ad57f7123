package storetool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wireroom/wireroom/events"
)

// A Finding is something in a store that is not as it should be.
type Finding struct {
	Where string `json:"where"`
	What  string `json:"what"`

	// Warning says that the store is sound, but somebody may want to know.
	Warning bool `json:"warning,omitempty"`
}

// A Verified says what was looked at.
type Verified struct {
	Logs          uint64 `json:"logs"`
	Events        uint64 `json:"events"`
	Tokens        uint64 `json:"tokens"`
	Subscriptions uint64 `json:"subscriptions"`
	Faults        uint64 `json:"faults"`
	Warnings      uint64 `json:"warnings"`
}

// Verify reads everything in a store, and tells of what is wrong. class returns
// the class that a log is of, or nil: then nobody can say whether its events
// fit.
func Verify(ctx context.Context, s Source, class func(log string) *events.Class, tell func(Finding), p Progress) (v Verified, err error) {
	found := func(f Finding) {
		if f.Warning {
			v.Warnings++
		} else {
			v.Faults++
		}
		tell(f)
	}
	current := ""
	var of *events.Class
	fault := func(where, what string) { found(Finding{Where: where, What: what}) }
	err = s.Verify(ctx, fault, func(r *events.Record) {
		if r.Class != current || v.Events == 0 {
			current, of = r.Class, class(r.Class)
			p.Part("events of "+r.Class, 0)
		}
		v.Events++
		p.Add(1)
		where := fmt.Sprintf("log %s, offset %d", r.Class, r.Offset)
		switch {
		case !json.Valid(r.Data):
			fault(where, "its data is no JSON")
		case of != nil:
			if _, err := of.Check(r.Data); err != nil {
				found(Finding{where, "does not fit its class any more: " + err.Error(), true})
			}
		}
	})
	if err != nil {
		return v, err
	}
	bounds := make(map[string]events.Bounds)
	logs, err := logsOf(ctx, s)
	if err != nil {
		if v.Faults > 0 {
			return v, nil // it is told of
		}
		return v, err
	}
	for _, l := range logs {
		bounds[l.class] = l.bounds
	}
	v.Logs = uint64(len(logs))
	p.Part("tokens", 0)
	if v.Tokens, err = countTokens(ctx, s, p); err != nil {
		if v.Faults == 0 {
			fault("tokens", "cannot be read to their end: "+err.Error())
		}
	}
	p.Part("persistent subscriptions", 0)
	err = eachPersistent(ctx, s, func(sub *events.Persistent) error {
		v.Subscriptions++
		p.Add(1)
		where := fmt.Sprintf("subscription %.100q of %.100q", sub.Name, sub.Owner)
		b, ok := bounds[sub.Class]
		last := sub.Position.Offset
		for _, span := range sub.Acked {
			if span.From <= last || span.Through < span.From {
				fault(where, fmt.Sprintf("what is acknowledged behind its position is not in order: %d to %d behind %d", span.From, span.Through, last))
			}
			last = max(last, span.Through)
		}
		switch {
		case !ok:
			found(Finding{where, "is of the log " + sub.Class + ", which is not there", true})
		case b.Epoch == sub.Position.Epoch && last >= b.Next:
			now, err := s.Bounds(ctx, sub.Class) // a gateway may run
			if err != nil {
				return err
			}
			if now.Epoch == sub.Position.Epoch && last >= now.Next {
				fault(where, fmt.Sprintf("has acknowledged the offset %d of the log %s, which goes up to %d", last, sub.Class, now.Next-1))
			}
		}
		return nil
	})
	if err != nil && context.Cause(ctx) == nil {
		fault("persistent subscriptions", "cannot be read to their end: "+err.Error())
		err = nil
	}
	return v, err
}
