package router

import (
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// subscriptionIDs finds subscriptions by ID, for the meta API alone. It is
// divided like the topics, and apart from them, so that nobody who publishes
// meets its locks.
type subscriptionIDs [brokerShards]struct {
	mu   sync.RWMutex // guards byID; taken after the lock of the topic's shard
	byID map[wamp.ID]*subscription
}

func (ids *subscriptionIDs) init() {
	for i := range ids {
		ids[i].byID = make(map[wamp.ID]*subscription)
	}
}

func (ids *subscriptionIDs) put(sub *subscription) {
	part := &ids[sub.id%brokerShards]
	part.mu.Lock()
	defer part.mu.Unlock()
	part.byID[sub.id] = sub
}

func (ids *subscriptionIDs) delete(sub *subscription) {
	part := &ids[sub.id%brokerShards]
	part.mu.Lock()
	defer part.mu.Unlock()
	delete(part.byID, sub.id)
}

// find returns the subscription with the ID, or nil.
func (ids *subscriptionIDs) find(id wamp.ID) *subscription {
	part := &ids[id%brokerShards]
	part.mu.RLock()
	defer part.mu.RUnlock()
	return part.byID[id]
}

// all returns every subscription.
func (ids *subscriptionIDs) all() (subs []*subscription) {
	for i := range ids {
		part := &ids[i]
		part.mu.RLock()
		for _, sub := range part.byID {
			subs = append(subs, sub)
		}
		part.mu.RUnlock()
	}
	return subs
}

// subscribers returns the sessions that are subscribed.
func (b *broker) subscribers(sub *subscription) []wamp.ID {
	mu := b.lock(sub.topic, sub.match, sub.filter)
	mu.RLock()
	defer mu.RUnlock()
	list := sub.members()
	ids := make([]wamp.ID, 0, max(len(list)-sub.gone, 0))
	for _, m := range list {
		if !m.removed {
			ids = append(ids, m.session.id)
		}
	}
	return ids
}

// describe returns what the meta API tells of a subscription.
func (sub *subscription) describe() map[string]any {
	about := map[string]any{
		"id":      sub.id,
		"created": isoTime(time.UnixMilli(sub.created)),
		"uri":     sub.topic,
		"match":   sub.match.String(),
	}
	if sub.filter != nil {
		about["_where"] = sub.filter.Text
	}
	return about
}

// subscriptionProcedures are those of WAMP "Subscriptions Meta API".
func (r *Realm) subscriptionProcedures() map[wamp.URI]metaProcedure {
	b := &r.broker
	return map[wamp.URI]metaProcedure{
		"wamp.subscription.list":              b.listSubscriptions,
		"wamp.subscription.lookup":            b.lookUpSubscription,
		"wamp.subscription.match":             b.matchSubscriptions,
		"wamp.subscription.get":               b.getSubscription,
		"wamp.subscription.list_subscribers":  b.listSubscribers,
		"wamp.subscription.count_subscribers": b.countSubscribers,
		"wamp.subscription.remove_subscriber": r.removeSubscriber,
	}
}

// An idLists holds IDs by matching policy.
type idLists [wamp.Wildcard + 1][]wamp.ID

// result returns the lists as the meta API has them: in order, and never null.
func (l *idLists) result() []any {
	dict := make(map[string]any, len(l))
	for m, ids := range l {
		slices.Sort(ids)
		if ids == nil {
			ids = []wamp.ID{}
		}
		dict[wamp.Match(m).String()] = ids
	}
	return []any{dict}
}

func (b *broker) listSubscriptions(*metaArgs) ([]any, error) {
	var lists idLists
	for _, sub := range b.ids.all() {
		lists[sub.match] = append(lists[sub.match], sub.id)
	}
	return lists.result(), nil
}

func (b *broker) lookUpSubscription(a *metaArgs) ([]any, error) {
	topic, match, err := a.uri(0, "topic", true)
	if err != nil {
		return nil, err
	}
	if sub := b.find(topic, match, nil); sub != nil {
		return []any{sub.id}, nil
	}
	return []any{nil}, nil
}

func (b *broker) matchSubscriptions(a *metaArgs) ([]any, error) {
	topic, _, err := a.uri(0, "topic", false)
	if err != nil {
		return nil, err
	}
	ids := []wamp.ID{}
	for _, sub := range b.match(nil, topic, "") {
		ids = append(ids, sub.id)
	}
	slices.Sort(ids)
	return []any{ids}, nil
}

// subscription returns the subscription whose ID is the first argument.
func (b *broker) subscription(a *metaArgs) (*subscription, error) {
	id, err := a.id(0, "subscription")
	if err != nil {
		return nil, err
	}
	sub := b.ids.find(id)
	if sub == nil {
		return nil, wamp.Errorf(wamp.URINoSuchSubscription, "there is no subscription %d", id)
	}
	return sub, nil
}

func (b *broker) getSubscription(a *metaArgs) ([]any, error) {
	sub, err := b.subscription(a)
	if err != nil {
		return nil, err
	}
	return []any{sub.describe()}, nil
}

func (b *broker) listSubscribers(a *metaArgs) ([]any, error) {
	sub, err := b.subscription(a)
	if err != nil {
		return nil, err
	}
	return []any{b.subscribers(sub)}, nil
}

func (b *broker) countSubscribers(a *metaArgs) ([]any, error) {
	sub, err := b.subscription(a)
	if err != nil {
		return nil, err
	}
	return []any{len(b.subscribers(sub))}, nil
}
