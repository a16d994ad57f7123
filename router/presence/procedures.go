package presence

import (
	"context"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	maxList      = 1000      // members in one answer
	maxListBytes = 256 << 10 // of one answer, about
)

// provide offers the procedures. Like all others they are for those whose role may
// call them.
func (k *Keeper) provide() {
	k.realm.Provide("wireroom.presence.list", k.list)
	k.realm.Provide("wireroom.presence.count", k.count)
}

// list is wireroom.presence.list(topic), with the keyword arguments limit, after
// and gateways.
func (k *Keeper) list(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
	topic, err := k.asked(r)
	if err != nil {
		return nil, nil, err
	}
	named, err := r.Payload.DecodeKwArgs()
	if err != nil {
		return nil, nil, err
	}
	limit, err := number(named, "limit", 1, maxList, maxList)
	if err != nil {
		return nil, nil, err
	}
	after, err := number(named, "after", 0, int64(wamp.MaxID), 0)
	if err != nil {
		return nil, nil, err
	}
	gateways, ok := named["gateways"].(bool)
	switch {
	case !ok && named["gateways"] != nil:
		return nil, nil, wamp.Errorf(wamp.URIInvalidArgument, "gateways: expected true or false")
	case gateways && k.peers == nil:
		return nil, nil, wamp.Errorf(wamp.URIInvalidArgument, "gateways: expected only where several gateways share a store; this one has its own")
	case gateways && !r.Session.Trusted() && !k.rules.Locates(r.Session):
		return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "role %q may not know at which gateways members are", r.Session.AuthRole())
	}
	members, seq, more := k.List(topic, uint64(after), int(limit), gateways)
	// The answer must fit the caller's queue.
	room := min(maxListBytes, r.Session.QueueBytes()/2)
	list := make([]any, 0, len(members))
	for i := range members {
		if room -= members[i].size(); room < 0 && i > 0 {
			more = true
			break
		}
		list = append(list, members[i].describe(true))
	}
	return nil, map[string]any{"members": list, "seq": seq, "more": more, "complete": k.complete()}, nil
}

// count is wireroom.presence.count(topic).
func (k *Keeper) count(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
	topic, err := k.asked(r)
	if err != nil {
		return nil, nil, err
	}
	members, sessions := k.Count(topic)
	return nil, map[string]any{"members": members, "sessions": sessions, "complete": k.complete()}, nil
}

// asked returns the topic that the call is about, or an error if the caller may
// not know who is there.
func (k *Keeper) asked(r *router.Request) (wamp.URI, error) {
	args, err := r.Payload.DecodeArgs()
	if err != nil {
		return "", err
	}
	var name string
	if len(args) == 1 {
		name, _ = args[0].(string)
	}
	if name == "" {
		return "", wamp.Errorf(wamp.URIInvalidArgument, "expected a topic as the only argument")
	}
	topic, s := wamp.URI(name), r.Session
	if err := k.allowed(s, topic); err != nil {
		return "", err
	}
	if !s.Trusted() && !k.rules.Subscribes(s, topic) && !k.isOn(s, topic) {
		return "", wamp.Errorf(wamp.URINotAuthorized, "role %q may not subscribe %q, so it may not know who is there", s.AuthRole(), clip(topic))
	}
	return topic, nil
}

// isOn reports whether the session is on the topic.
func (k *Keeper) isOn(s *router.Session, name wamp.URI) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topics[name]
	if t == nil {
		return false
	}
	_, ok := t.sessions[s]
	return ok
}

// number returns a keyword argument, which must be an integer in low to high if it
// is there.
func number(named map[string]any, name string, low, high, otherwise int64) (int64, error) {
	v := named[name]
	if v == nil {
		return otherwise, nil
	}
	n, ok := v.(int64)
	if !ok || n < low || n > high {
		return 0, wamp.Errorf(wamp.URIInvalidArgument, "%s: expected an integer in %d to %d", name, low, high)
	}
	return n, nil
}
