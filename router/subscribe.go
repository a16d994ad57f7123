package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// subscribe handles SUBSCRIBE. Only what ends the session is returned.
func (s *Session) subscribe(m *wamp.Subscribe) error {
	match := m.Options.Match
	err := checkURI(m.Topic, match)
	if err == nil && m.Options.NodeKey != "" {
		err = wamp.Errorf(wamp.URIOptionNotAllowed, "nkey: sharded subscriptions are not offered here")
	}
	if err == nil {
		_, err = s.allowed(ActionSubscribe, m.Topic, match, m)
	}
	if err == errEnded {
		return err
	}
	if err == nil && m.Options.GetRetained {
		err = s.checkRetained(m.Topic, m.Options.Match)
	}
	var replay Replay
	if gov := s.realm.gov; err == nil && gov != nil {
		replay, err = gov.Subscribe(s, m.Topic, &m.Options)
	}
	if err == nil {
		err = s.addSubscription(m, replay)
	}
	if err != nil {
		s.fault(wamp.TypeSubscribe, m.Request, err)
	}
	return nil
}

// addSubscription makes the session a member of the subscription, or answers
// with the membership that it has.
func (s *Session) addSubscription(m *wamp.Subscribe, replay Replay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	if sub := s.realm.broker.find(m.Topic, m.Options.Match); sub != nil && s.subs[sub.id] != nil {
		if replay != nil && s.subs[sub.id].isReplaying() {
			return wamp.Errorf(wamp.URIOptionNotAllowed, "a replay of the subscription is under way: wait for its end, or unsubscribe")
		}
		s.acknowledge(m, s.subs[sub.id])
		if replay != nil {
			s.replay(s.subs[sub.id], replay)
		}
		return nil
	}
	if most := s.limits.MaxSubscriptions; len(s.subs) >= most {
		return wamp.Errorf(wamp.URILimit, "the session has %d subscriptions already, which is the limit", most)
	}
	if s.subs == nil {
		s.subs = make(map[wamp.ID]*member)
	}
	mem := &member{session: s}
	if replay != nil {
		mem.phase = replaying
	}
	s.realm.broker.add(mem, m.Topic, m.Options.Match)
	result := s.acknowledgeLocked(m, mem)
	s.out.mu.Unlock()
	s.subs[mem.sub.id] = mem
	s.ws.pushed(s, result)
	if replay != nil {
		s.replay(mem, replay)
	}
	return nil
}

// acknowledge queues SUBSCRIBED, and what the peer wants of the past.
func (s *Session) acknowledge(m *wamp.Subscribe, mem *member) {
	s.out.mu.Lock()
	result := s.acknowledgeLocked(m, mem)
	s.out.mu.Unlock()
	s.ws.pushed(s, result)
}

// acknowledgeLocked is acknowledge, for a caller that holds the outbox's lock.
func (s *Session) acknowledgeLocked(m *wamp.Subscribe, mem *member) pushed {
	result := s.out.pushLocked(entry{frame: s.frame(&wamp.Subscribed{Request: m.Request, Subscription: mem.sub.id})}, 0)
	if m.Options.GetRetained && (result == queued || result == flushIt) {
		result = s.sendRetainedLocked(mem, result)
	}
	return result
}

// unsubscribe handles UNSUBSCRIBE.
func (s *Session) unsubscribe(m *wamp.Unsubscribe) {
	s.mu.Lock()
	mem := s.subs[m.Subscription]
	delete(s.subs, m.Subscription)
	s.mu.Unlock()
	if mem == nil {
		s.fault(wamp.TypeUnsubscribe, m.Request,
			wamp.Errorf(wamp.URINoSuchSubscription, "the session has no subscription %d", m.Subscription))
		return
	}
	mem.leave() // so that no event can follow UNSUBSCRIBED
	s.realm.broker.remove(mem)
	s.reply(&wamp.Unsubscribed{Request: m.Request})
}
