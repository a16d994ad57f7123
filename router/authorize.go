package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// decide returns what the authorizer says, who is not asked about parts of the
// program itself.
func (s *Session) decide(action Action, uri wamp.URI, match wamp.Match, m wamp.Message) Decision {
	if s.trusted {
		return Decision{Allow: true}
	}
	return s.realm.rules.Authorize(s, action, uri, match, m)
}

// allowed returns an error if the session may not do action on uri, as m asks,
// and errEnded if the session ended before that was known. Reader only.
func (s *Session) allowed(action Action, uri wamp.URI, match wamp.Match, m wamp.Message) (Disclosure, error) {
	d, err := s.ask(action, uri, match, m)
	return d.Disclose, err
}

// ask is allowed for who needs all that was decided.
func (s *Session) ask(action Action, uri wamp.URI, match wamp.Match, m wamp.Message) (Decision, error) {
	d := s.decide(action, uri, match, m)
	if d.Ask == nil {
		return s.judge(d, nil, action, uri)
	}
	s.router.stats.asked.Add(1)
	// Others must not wait for the answer. The workspace is kept, since m
	// lives there.
	s.ws.flush(&s.router.flushers)
	var err error
	ended := s.idle(func(done <-chan struct{}) bool {
		d, err = d.Ask(tenure{context.Background(), done})
		select {
		case <-done: // so that nobody is refused because another connection has taken the session
			return false
		default:
			return !s.ending.Load()
		}
	})
	if ended != nil {
		return Decision{}, ended
	}
	return s.judge(d, err, action, uri)
}

// stillAllowed is allowed for a session that has left, whose reader is no more.
func (s *Session) stillAllowed(action Action, uri wamp.URI, m wamp.Message) (Disclosure, error) {
	d := s.decide(action, uri, wamp.Exact, m)
	var err error
	if d.Ask != nil {
		d, err = d.Ask(context.Background())
	}
	d, err = s.judge(d, err, action, uri)
	return d.Disclose, err
}

// judge returns what a decision means.
func (s *Session) judge(d Decision, err error, action Action, uri wamp.URI) (Decision, error) {
	switch {
	case err != nil:
		return Decision{}, err
	case !d.Allow:
		return Decision{}, wamp.Errorf(wamp.URINotAuthorized, "role %q may not %v %q", s.authrole, action, uri)
	}
	return d, nil
}

// settle decides whether who asked is disclosed, by discloseMe, which is what
// was asked for.
func (d Disclosure) settle(discloseMe *bool) error {
	switch {
	case d == DiscloseAlways:
		*discloseMe = true
	case d == DiscloseNever && *discloseMe:
		return wamp.Errorf(wamp.URIDiscloseMe, "disclose_me: the role does not allow that")
	}
	return nil
}

// A tenure is the context of what is done for a session: it is done when the
// session ends. It makes nothing that it does not need, and starts no
// goroutine.
type tenure struct {
	context.Context
	ended <-chan struct{}
}

// Done implements [context.Context].
func (t tenure) Done() <-chan struct{} { return t.ended }

// Err implements [context.Context].
func (t tenure) Err() error {
	select {
	case <-t.ended:
		return context.Canceled
	default:
		return nil
	}
}
