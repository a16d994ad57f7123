package main

import (
	"context"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// providePersistent offers what clients need of their persistent subscriptions:
// to acknowledge events, and to see and remove what they own. Nobody sees those
// of another owner.
func providePersistent(realm *router.Realm, g *governor) {
	realm.Provide("wireroom.ack", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		at, err := g.acknowledge(r)
		return nil, at, err
	})
	realm.Provide("wireroom.subscription.list", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		owner, err := ownerOf(r.Session)
		if err != nil {
			return nil, nil, err
		}
		var all []events.Persistent
		err = r.Session.Wait(func(ctx context.Context) (err error) {
			all, err = g.kept.keeper.List(ctx, owner)
			return err
		})
		if err != nil {
			return nil, nil, persistentError(err)
		}
		list, ids := make([]any, len(all)), g.kept.ids(r.Session)
		for i := range all {
			list[i] = persistentDictWith(&all[i], ids)
		}
		return nil, map[string]any{"subscriptions": list}, nil
	})
	realm.Provide("wireroom.subscription.get", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		owner, name, err := ownName(r)
		if err != nil {
			return nil, nil, err
		}
		var p *events.Persistent
		err = r.Session.Wait(func(ctx context.Context) (err error) {
			p, err = g.kept.keeper.Get(ctx, owner, name)
			return err
		})
		if err != nil {
			return nil, nil, persistentError(err)
		}
		m := persistentDictWith(p, g.kept.ids(r.Session))
		setAcked(m, p)
		return nil, m, nil
	})
	realm.Provide("wireroom.subscription.remove", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		owner, name, err := ownName(r)
		if err != nil {
			return nil, nil, err
		}
		err = r.Session.Wait(func(ctx context.Context) error { return g.kept.keeper.Remove(ctx, owner, name) })
		if err != nil {
			return nil, nil, persistentError(err)
		}
		return nil, nil, nil
	})
}

// ownName returns whose persistent subscription a call is about, and its name.
func ownName(r *router.Request) (owner, name string, err error) {
	if owner, err = ownerOf(r.Session); err != nil {
		return "", "", err
	}
	args, err := r.Payload.DecodeArgs()
	if err != nil {
		return "", "", err
	}
	named, err := r.Payload.DecodeKwArgs()
	if err != nil {
		return "", "", err
	}
	v := named["name"]
	if len(args) == 1 && v == nil {
		v = args[0]
	}
	name, ok := v.(string)
	if !ok || name == "" || len(name) > events.MaxPersistentName || len(args) > 1 {
		return "", "", wamp.Errorf(wamp.URIInvalidArgument, "expected the name of a persistent subscription as the only argument, or as name")
	}
	return owner, name, nil
}

// persistentDict describes a persistent subscription to its owner.
func persistentDict(p *events.Persistent) map[string]any {
	m := map[string]any{
		"name": p.Name, "topic": p.Topic(), "class": p.Class, "ack": ackOf(p),
		"_epoch": p.Position.Epoch, "_offset": p.Position.Offset,
		"created": p.Created.UTC().Format(time.RFC3339), "expires": p.Expires.UTC().Format(time.RFC3339),
		"expires_after": int64(p.For / time.Second),
	}
	set(m, "where", p.Where)
	return m
}

// setAcked adds what is acknowledged behind the position. Lists are without it,
// as that of one client could have a hundred thousand of these otherwise.
func setAcked(m map[string]any, p *events.Persistent) {
	if len(p.Acked) == 0 {
		return
	}
	acked := make([]any, len(p.Acked))
	for i, span := range p.Acked {
		acked[i] = []any{span.From, span.Through}
	}
	m["acked"] = acked
}

// ackOf returns the option _ack of a persistent subscription.
func ackOf(p *events.Persistent) string {
	if p.Explicit {
		return "explicit"
	}
	return "auto"
}

// persistentDictWith is persistentDict for a session whose subscriptions have the
// IDs.
func persistentDictWith(p *events.Persistent, ids map[string]wamp.ID) map[string]any {
	m := persistentDict(p)
	if id, ok := ids[p.Name]; ok {
		m["subscription"] = id
	}
	return m
}

// maxAcks is how many subscriptions one call can be about, and maxOffsets how
// many single events of each.
const (
	maxAcks    = 1000
	maxOffsets = events.MaxAckedSpans
)

// acknowledge is wireroom.ack. It returns the position, if that is about one
// subscription.
func (g *governor) acknowledge(r *router.Request) (map[string]any, error) {
	args, err := r.Payload.DecodeArgs()
	if err != nil {
		return nil, err
	}
	named, err := r.Payload.DecodeKwArgs()
	if err != nil {
		return nil, err
	}
	if len(args) > 0 {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected keyword arguments only, found %s", count(len(args), "positional argument", "positional arguments"))
	}
	several, ok := named["acks"]
	if !ok {
		return g.ackOne(r.Session, named)
	}
	list, ok := several.([]any)
	if !ok || len(named) > 1 || len(list) > maxAcks {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "acks: expected a list of at most %d dictionaries, and nothing besides", maxAcks)
	}
	for i, v := range list {
		one, ok := v.(map[string]any)
		if !ok {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "acks[%d]: expected a dictionary", i)
		}
		if _, err := g.ackOne(r.Session, one); err != nil {
			if e := wamp.AsError(err); e.Err == nil {
				e := *e
				e.Text = "acks[" + strconv.Itoa(i) + "]: " + e.Text
				return nil, &e
			}
			return nil, err
		}
	}
	return nil, nil
}

// ackOne acknowledges events of one subscription.
func (g *governor) ackOne(s *router.Session, ack map[string]any) (map[string]any, error) {
	held, err := g.acked(s, ack)
	if err != nil {
		return nil, err
	}
	epoch, isText := ack["_epoch"].(string)
	if _, has := ack["_epoch"]; has && !isText {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "_epoch: expected a text")
	}
	var through uint64
	v, hasThrough := ack["_offset"]
	if hasThrough {
		if through, err = offsetOf("_offset", v); err != nil {
			return nil, err
		}
	}
	single, hasSingle := ack["offsets"]
	list, isList := single.([]any)
	switch {
	case !hasThrough && !hasSingle:
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected _offset, up to which everything is acknowledged, or offsets, a list of single ones, found neither")
	case hasSingle && (!isList || len(list) > maxOffsets):
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "offsets: expected a list of at most %d offsets", maxOffsets)
	}
	offsets := make([]uint64, len(list))
	for i, v := range list {
		if offsets[i], err = offsetOf("offsets["+strconv.Itoa(i)+"]", v); err != nil {
			return nil, err
		}
	}
	if err := held.Ack(epoch, through, offsets); err != nil {
		return nil, persistentError(err)
	}
	at, _ := held.Position()
	return map[string]any{"_epoch": at.Epoch, "_offset": at.Offset}, nil
}

// acked returns the subscription that an acknowledgement is for.
func (g *governor) acked(s *router.Session, ack map[string]any) (*events.Held, error) {
	id, byID := ack["subscription"]
	name, byName := ack["name"]
	switch {
	case byID == byName:
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected either subscription, an ID, or name")
	case byName:
		name, ok := name.(string)
		if !ok {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "name: expected a text")
		}
		if at := g.kept.of(s); at != nil {
			if held := at.Held(name); held != nil {
				return held, nil
			}
		}
		return nil, wamp.Errorf(wamp.URINoSuchSubscription, "the session has no persistent subscription %q: subscribe first", name)
	}
	n, err := offsetOf("subscription", id)
	if err != nil {
		return nil, err
	}
	if held := g.kept.heldAs(s, wamp.ID(n)); held != nil {
		return held, nil
	}
	return nil, wamp.Errorf(wamp.URINoSuchSubscription, "the session has no persistent subscription with the ID %d", n)
}

// offsetOf returns an integer of at least 1.
func offsetOf(what string, v any) (uint64, error) {
	switch v := v.(type) {
	case int64:
		if v >= 1 {
			return uint64(v), nil
		}
	case uint64:
		if v >= 1 {
			return v, nil
		}
	case float64:
		if v >= 1 && v <= 1<<53 && v == float64(uint64(v)) {
			return uint64(v), nil
		}
	}
	return 0, wamp.Errorf(wamp.URIInvalidArgument, "%s: expected an integer of at least 1, found %v", what, v)
}
