package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// subscribe handles SUBSCRIBE. Only what ends the session is returned.
func (s *Session) subscribe(m *wamp.Subscribe) error {
	terms, err := s.terms(m)
	if err == nil {
		_, err = s.addSubscription(m, &terms)
	}
	terms.giveBack()
	if err == errEnded {
		return err
	}
	if err != nil {
		s.fault(wamp.TypeSubscribe, m.Request, err)
	}
	return nil
}

// terms returns what a subscriber who asks by m gets, or why nothing. With an
// error there may be a filter, too, which is to be released.
func (s *Session) terms(m *wamp.Subscribe) (terms Terms, err error) {
	if r, ok := s.realm.gov.(Resolver); ok && m.Options.Match == wamp.Exact && ownURI(m.Topic) {
		if err := r.Resolve(m); err != nil {
			return terms, err
		}
	}
	match := m.Options.Match
	if err := checkURI(m.Topic, match); err != nil {
		return terms, err
	}
	if m.Options.NodeKey != "" {
		return terms, wamp.Errorf(wamp.URIOptionNotAllowed, "nkey: sharded subscriptions are not offered here")
	}
	d, err := s.ask(ActionSubscribe, m.Topic, match, m)
	if err != nil {
		return terms, err
	}
	if m.Options.GetRetained {
		if err := s.checkRetained(m.Topic, match); err != nil {
			return terms, err
		}
	}
	interest := Interest{Topic: m.Topic, Match: match, Where: d.Where}
	if err := s.realm.broker.admit(s, interest); err != nil {
		return terms, err
	}
	if gov := s.realm.gov; gov != nil {
		terms, err = gov.Subscribe(s, interest, &m.Options)
	}
	if err == nil && terms.Filter != nil && m.Options.GetRetained {
		err = wamp.Errorf(wamp.URIOptionNotAllowed, "get_retained: nobody knows which retained events pass a filter: expected a subscription to all events of the topic")
	}
	return terms, err
}

// giveBack gives back what of the terms was not taken.
func (t *Terms) giveBack() {
	if t.Filter != nil {
		t.Filter.Release()
	}
	if t.Watch != nil {
		t.Watch.Ended()
	}
}

// addSubscription makes the session a member of the subscription, or answers
// with the membership that it has, and returns its ID: 0 if the session has
// left. What it has taken of the terms it takes out of them. Without a request
// in m there is no answer.
func (s *Session) addSubscription(m *wamp.Subscribe, terms *Terms) (wamp.ID, error) {
	replay, watch := terms.Replay, terms.Watch
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return 0, nil
	}
	if sub := s.realm.broker.find(m.Topic, m.Options.Match, terms.Filter); sub != nil && s.subs[sub.id] != nil {
		mem := s.subs[sub.id]
		switch {
		case replay != nil && mem.isReplaying():
			return 0, wamp.Errorf(wamp.URIOptionNotAllowed, "a replay of the subscription is under way: wait for its end, or unsubscribe")
		case watch != nil && mem.watched:
			return 0, wamp.Errorf(wamp.URIOptionNotAllowed, "the session has this very subscription already as a persistent one, by another name")
		case watch != nil:
			watch.Begun(sub.id)
			terms.Watch = nil
		}
		s.acknowledge(m, mem)
		if replay != nil {
			s.replay(mem, replay, watch)
		}
		return sub.id, nil
	}
	if most := s.limits.MaxSubscriptions; len(s.subs) >= most {
		return 0, wamp.Errorf(wamp.URILimit, "the session has %d subscriptions already, which is the limit", most)
	}
	if s.subs == nil {
		s.subs = make(map[wamp.ID]*member)
	}
	mem := &member{session: s}
	if replay != nil {
		mem.phase = replaying
	}
	if s.realm.broker.add(mem, m.Topic, m.Options.Match, terms.Filter) {
		terms.Filter = nil
	}
	result := s.acknowledgeLocked(m, mem)
	s.out.mu.Unlock()
	s.subs[mem.sub.id] = mem
	s.ws.pushed(s, result)
	if watch != nil {
		watch.Begun(mem.sub.id)
		terms.Watch = nil
	}
	if replay != nil {
		s.replay(mem, replay, watch)
	}
	return mem.sub.id, nil
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
	if m.Request == 0 { // WELCOME tells
		return refused
	}
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
