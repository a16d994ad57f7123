package main

import (
	"context"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// optionAgain is an option that only the gateway itself can give, by a value of
// the type [comingBack]: the subscription must be there already.
const optionAgain = "_reattach"

// comingBack is the name of the persistent subscription, which may be one that no
// client could give.
type comingBack string

// Reattach implements [router.Reattacher]: for a client that comes back, its
// persistent subscriptions are as if it had subscribed to them again. Who can have
// none gets none.
func (g *governor) Reattach(ctx context.Context, s *router.Session, names []string) ([]router.Reattached, error) {
	owner, err := ownerOf(s)
	if err != nil {
		return nil, nil
	}
	var all []events.Persistent
	if names == nil || len(names) > 0 {
		if all, err = g.kept.keeper.List(ctx, owner); err != nil {
			g.log.Warn("a client does not get its persistent subscriptions back", "err", err)
			return nil, err
		}
	}
	if names == nil {
		kept := make([]router.Reattached, len(all))
		for i := range all {
			kept[i] = g.reattached(&all[i])
		}
		return kept, nil
	}
	byName := make(map[string]*events.Persistent, len(all))
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	kept := make([]router.Reattached, 0, min(len(names), len(all)))
	named := make(map[string]bool, len(names))
	for _, name := range names {
		if named[name] {
			continue
		}
		named[name] = true
		if p := byName[name]; p != nil {
			kept = append(kept, g.reattached(p))
		} else {
			kept = append(kept, router.Reattached{
				Err: persistentError(events.ErrNotPersistent), Details: map[string]any{"name": name},
			})
		}
	}
	return kept, nil
}

// reattached returns what the client would have to send for the subscription.
func (g *governor) reattached(p *events.Persistent) router.Reattached {
	options := map[string]any{optionPersistent: true, optionAck: ackOf(p), optionAgain: comingBack(p.Name)}
	set(options, optionWhere, p.Where)
	class, _, _ := g.hub.Catalogue().Lookup(p.Class)
	if class != nil && p.For < class.Persistent() { // or it is as long as the class allows now
		options[events.OptionExpires] = p.For.String()
	}
	return router.Reattached{
		Subscribe: wamp.Subscribe{Topic: wamp.URI(p.Topic()), Options: wamp.SubscribeOptions{Extra: options}},
		Details:   persistentDict(p),
	}
}
