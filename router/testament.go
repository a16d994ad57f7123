package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// A testamentScope is when a testament is published.
type testamentScope uint8

const (
	whenDetached  testamentScope = iota // the session has lost its connection
	whenDestroyed                       // the session is over
	numTestamentScopes
)

// Testaments are what a session wants published when it has ended (WAMP
// "Session Testament"). Both scopes come at once unless the session can be
// resumed: then those of the detached scope come when it goes away.
type testaments struct {
	byScope [numTestamentScopes][]testament
	count   int
	bytes   int
	before  chan struct{} // closed when those that came when it went away last are published; nil: none did
}

type testament struct {
	p    *Publication
	size int
}

// testamentProcedures are those of WAMP "Session Testament".
func (r *Realm) testamentProcedures() map[wamp.URI]metaProcedure {
	return map[wamp.URI]metaProcedure{
		"wamp.session.add_testament":    addTestament,
		"wamp.session.flush_testaments": flushTestaments,
	}
}

// scope returns the scope that the call names.
func (a *metaArgs) scope() (testamentScope, error) {
	switch name, given, err := a.option("scope"); {
	case err != nil:
		return 0, err
	case !given, name == "destroyed":
		return whenDestroyed, nil
	case name == "detached":
		return whenDetached, nil
	}
	return 0, wamp.Errorf(wamp.URIInvalidArgument, `scope: expected "destroyed" or "detached"`)
}

// testament returns what the call wants published. It must be something that
// the session could publish now.
func (a *metaArgs) testament() (testament, error) {
	s := a.caller
	topic, err := a.text(0, "topic")
	if err != nil {
		return testament{}, err
	}
	args, isList := a.at(1).([]any)
	kwargs, isDict := a.at(2).(map[string]any)
	options, isOptions := a.dict["publish_options"].(map[string]any)
	switch {
	case !isList && a.at(1) != nil:
		return testament{}, wamp.Errorf(wamp.URIInvalidArgument, "argument 2, args: expected a list")
	case !isDict && a.at(2) != nil:
		return testament{}, wamp.Errorf(wamp.URIInvalidArgument, "argument 3, kwargs: expected a dictionary")
	case !isOptions && a.dict["publish_options"] != nil:
		return testament{}, wamp.Errorf(wamp.URIInvalidArgument, "publish_options: expected a dictionary")
	}
	// As a message, it is read and checked like any other.
	parts := []any{uint64(wamp.TypePublish), 1, options, topic}
	if isList || isDict {
		parts = append(parts, args)
	}
	if isDict {
		parts = append(parts, kwargs)
	}
	msg, err := wamp.AppendValue(nil, s.peer.Serializer, parts)
	if err != nil {
		return testament{}, err
	}
	dec := wamp.Decoder{MaxDepth: s.router.cfg.MaxDepth}
	decoded, err := dec.Decode(s.peer.Serializer, msg)
	if err != nil {
		return testament{}, invalidArgument(err)
	}
	m := decoded.(*wamp.Publish)
	if err = checkOwnURI(m.Topic); err == nil {
		var who Disclosure
		if who, err = s.allowed(ActionPublish, m.Topic, wamp.Exact, m); err == nil {
			asked := m.Options.DiscloseMe
			err = who.settle(&asked) // and again when the time has come
		}
	}
	if err == nil {
		if wrong := s.checkPassthru(m); wrong != nil {
			err = invalidArgument(wrong)
		}
	}
	if err != nil {
		return testament{}, err
	}
	p := Publication{Topic: m.Topic, Payload: m.Payload, From: s, Options: &m.Options}
	return testament{p: p.Clone(), size: len(msg)}, nil
}

func addTestament(a *metaArgs) ([]any, error) {
	scope, err := a.scope()
	if err != nil {
		return nil, err
	}
	t, err := a.testament()
	if err != nil {
		return nil, err
	}
	s := a.caller
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil, nil // nobody waits for the answer
	}
	if s.testaments == nil {
		s.testaments = new(testaments)
	}
	all := s.testaments
	switch {
	case all.count >= s.limits.MaxTestaments:
		return nil, wamp.Errorf(wamp.URILimit, "the session has %d testaments already, which is the limit", all.count)
	case all.bytes+t.size > s.limits.MaxTestamentBytes:
		return nil, wamp.Errorf(wamp.URILimit, "the session's testaments would take %d bytes; at most %d are allowed", all.bytes+t.size, s.limits.MaxTestamentBytes)
	}
	all.byScope[scope] = append(all.byScope[scope], t)
	all.count++
	all.bytes += t.size
	return nil, nil
}

func flushTestaments(a *metaArgs) ([]any, error) {
	scope, err := a.scope()
	if err != nil {
		return nil, err
	}
	s := a.caller
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.testaments
	if all == nil {
		return nil, nil
	}
	all.take(scope)
	return nil, nil
}

// take removes the testaments of a scope and returns them.
func (t *testaments) take(scope testamentScope) []testament {
	taken := t.byScope[scope]
	for _, will := range taken {
		t.count--
		t.bytes -= will.size
	}
	t.byScope[scope] = nil
	return taken
}

// detached publishes the testaments of the detached scope of a session that has
// gone away. If it goes away again, they are not published again.
func (s *Session) detached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.testaments // nil if it has left meanwhile
	if all == nil || len(all.byScope[whenDetached]) == 0 {
		return
	}
	now := &testaments{before: all.before}
	now.byScope[whenDetached] = all.take(whenDetached)
	done := make(chan struct{})
	all.before = done
	s.realm.run(func() {
		defer close(done)
		now.execute(s)
	})
}

// execute publishes testaments of a session that has left, or gone away: those of the
// detached scope first (WAMP "Session Testament"), each as if the session
// published it now. It may wait for the [Governor], and for those before.
func (t *testaments) execute(s *Session) {
	if t.before != nil {
		<-t.before
	}
	for _, list := range t.byScope {
		for _, will := range list {
			p := will.p
			who, err := s.stillAllowed(ActionPublish, p.Topic, &wamp.Publish{Options: *p.Options, Topic: p.Topic})
			if err != nil || who.settle(&p.Options.DiscloseMe) != nil {
				s.router.stats.refused.Add(1) // the role had the right when it was added
				continue
			}
			governed := s.realm.gov != nil && s.realm.gov.Governs(p.Topic)
			if p.Options.Retain && (governed || s.realm.retention.keep(p) != nil) {
				s.router.stats.refused.Add(1)
				continue
			}
			if governed {
				s.realm.gov.Publish(p, func(_ wamp.ID, err error) {
					if err != nil {
						s.router.stats.refused.Add(1)
					}
				})
				continue
			}
			s.realm.Publish(p)
			s.realm.published(p)
		}
	}
}
