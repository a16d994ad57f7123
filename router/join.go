package router

import (
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// routerRoles is what the router announces: exactly what it does.
var routerRoles = map[string]any{
	"broker": map[string]any{"features": map[string]any{
		"event_history":                 true,
		"event_retention":               true,
		"pattern_based_subscription":    true,
		"payload_passthru_mode":         true,
		"publisher_exclusion":           true,
		"publisher_identification":      true,
		"session_meta_api":              true,
		"subscriber_blackwhite_listing": true,
		"subscription_meta_api":         true,
		"subscription_revocation":       true,
		"x_acknowledged_event_delivery": true,
	}},
	"dealer": map[string]any{"features": map[string]any{
		"call_canceling":               true,
		"call_reroute":                 true,
		"call_timeout":                 true,
		"caller_identification":        true,
		"pattern_based_registration":   true,
		"payload_passthru_mode":        true,
		"progressive_call_invocations": true,
		"progressive_call_results":     true,
		"registration_meta_api":        true,
		"registration_revocation":      true,
		"session_meta_api":             true,
		"shared_registration":          true,
		"testament_meta_api":           true,
	}},
}

// features are what a peer can announce that the router acts on.
var features = [...]struct {
	name string
	bit  uint16
}{
	{"callee.call_canceling", featureCancel},
	{"callee.progressive_call_results", featureProgress},
	{"callee.call_timeout", featureCallTimeout},
	{"callee.call_reroute", featureReroute},
	{"callee.progressive_call_invocations", featureStream},
	{"caller.progressive_call_invocations", featureCallerStreams},
	{"callee.registration_revocation", featureRevokeRegistration},
	{"callee.payload_passthru_mode", featureCalleePassthru},
	{"subscriber.subscription_revocation", featureRevokeSubscription},
	{"subscriber.x_acknowledged_event_delivery", featureReceipts},
	{"publisher.x_acknowledged_event_delivery", featureReceipts},
	{"caller.payload_passthru_mode", featureCallerPassthru},
	{"publisher.payload_passthru_mode", featurePublisherPassthru},
}

// featuresOf returns which of the announced features the router acts on.
func featuresOf(announced map[string]bool) (f uint16) {
	for _, known := range features {
		if announced[known.name] {
			f |= known.bit
		}
	}
	if f&featureCancel == 0 {
		f &^= featureStream // WAMP "Progressive Call Invocations" asks for both
	}
	return f
}

// awaitHello gives the peer the hello timeout for its first message.
func (s *Session) awaitHello() { s.expect("HELLO", s.router.cfg.HelloTimeout) }

// expect ends the session if the message does not come within the timeout.
func (s *Session) expect(what string, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return
	}
	stopTimer(s.hello)
	var timer *time.Timer
	timer = time.AfterFunc(timeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.hello == timer { // or the message came at the last moment
			s.End(wamp.Errorf(wamp.URITimeout, "no %s came within %v", what, timeout))
		}
	})
	s.hello = timer
}

// join handles a message of a peer that has no session yet.
func (s *Session) join(m wamp.Message) error {
	switch m := m.(type) {
	case *wamp.Hello:
		if s.challenge != nil {
			return wamp.Errorf(wamp.URIProtocolViolation, "HELLO came where AUTHENTICATE was expected")
		}
		return s.greet(*m)

	case *wamp.Authenticate:
		c := s.challenge
		if c == nil {
			return wamp.Errorf(wamp.URIProtocolViolation, "AUTHENTICATE came before HELLO")
		}
		s.challenge = nil
		s.expect("end of the authentication", s.router.cfg.AuthTimeout) // it came in time
		ctx := newTerm(s.router.cfg.AuthTimeout)
		defer ctx.finish()
		grant, err := c.Answer(ctx, m.Signature, m.Extra)
		if err != nil {
			return s.refuse(err)
		}
		return s.welcome(grant)

	case *wamp.Abort:
		s.ending.Store(true)
		s.ws.dirty = s.closeQuietly(s.ws.dirty)
		return errEnded

	default:
		return wamp.Errorf(wamp.URIProtocolViolation, "%v came before the session was established", m.Type())
	}
}

// greet handles HELLO. It has a copy, since the decoder's may be used by others
// while the session waits for its turn.
func (s *Session) greet(m wamp.Hello) error {
	if !m.Realm.Valid() || len(m.Realm) > maxURI {
		return wamp.Errorf(wamp.URIInvalidURI, "HELLO: %q is no valid realm", clip(string(m.Realm)))
	}
	realm := s.router.Realm(m.Realm)
	if realm == nil {
		return errNoRealm(m.Realm)
	}
	ask, err := readAsk(m.Details)
	if err != nil {
		return err
	}
	if ask, err = readReattach(m.Details, ask); err != nil {
		return err
	}
	if s.returns, _, err = detail[bool](m.Details, "_subscriptions", "bool"); err != nil {
		return err
	}
	if ask != nil {
		s.tied.Store(&tie{ask: ask})
	}
	s.mu.Lock() // for RemoveRealm, which looks for those who join
	s.realm = realm
	s.mu.Unlock()
	s.features = featuresOf(m.Features)
	if g, ok := s.peer.Identity.(*Grant); ok {
		s.id = realm.draw()
		return s.welcome(g)
	}
	if err := s.awaitTurn(); err != nil {
		return err
	}
	ctx := newTerm(s.router.cfg.HelloTimeout)
	defer ctx.finish()
	s.id = realm.draw()
	grant, challenge, err := s.router.auth.Authenticate(ctx, Joining{Realm: m.Realm, Hello: &m, Peer: &s.peer, Session: s.id})
	switch {
	case err != nil:
		return s.refuse(err)
	case challenge != nil:
		s.challenge = challenge
		s.expect("AUTHENTICATE", s.router.cfg.AuthTimeout)
		extra := challenge.Extra
		if extra == nil {
			extra = map[string]any{}
		}
		s.reply(&wamp.Challenge{Method: challenge.Method, Extra: extra})
		return nil
	}
	return s.welcome(grant)
}

// refuse returns what the peer is told of an authentication that failed.
func (s *Session) refuse(err error) error {
	e := wamp.AsError(err)
	s.router.log.Info("peer refused", "peer", s.peer.RemoteAddr, "err", err)
	return e
}

func (s *Session) welcome(g *Grant) error {
	if g.Realm != "" && g.Realm != s.realm.name {
		if err := s.redirect(g.Realm); err != nil {
			return err
		}
	}
	if a := s.asked(); a != nil {
		return s.welcomeLasting(g, a)
	}
	if more := s.greeting(g); more != nil {
		return s.welcomed(g, encodeWelcome(s.peer.Serializer, s.realm.name, g, g.AuthID, more))
	}
	s.ws.details = s.realm.welcomes.append(s.ws.details[:0], s.peer.Serializer, s.realm.name, g)
	return s.welcomed(g, s.ws.details)
}

// greeting returns what WELCOME tells a client that comes back, or nil.
func (s *Session) greeting(g *Grant) map[string]any {
	greeter, ok := s.realm.gov.(Greeter)
	if !s.returns || !ok {
		return nil
	}
	ctx := newTerm(s.router.cfg.HelloTimeout)
	defer ctx.finish()
	return greeter.Greet(ctx, s.realm, g)
}

// redirect has the peer join another realm than it asked for. It keeps the ID
// that was drawn for it, which it may have been told, unless somebody has that
// ID there.
func (s *Session) redirect(name wamp.URI) error {
	realm := s.router.Realm(name)
	if realm == nil {
		return errNoRealm(name)
	}
	s.mu.Lock() // as in greet
	s.realm = realm
	s.mu.Unlock()
	return nil
}

func errNoRealm(name wamp.URI) error {
	return wamp.Errorf(wamp.URINoSuchRealm, "there is no realm %q here", clip(string(name)))
}

// welcomed makes the session a member of its realm, with these Details of
// WELCOME, which are not kept.
func (s *Session) welcomed(g *Grant, details wamp.Encoded) error {
	if err := s.enter(g, details); err != nil {
		return err
	}
	s.router.stats.joined.Add(1)
	return nil
}

// enter makes the session a member of its realm and queues WELCOME, unless the
// session or the realm is ending already. Without details nothing is written to
// the peer until [Session.release]; in a session that can be resumed, until the
// peer sits down, for which the caller has to have the duty to flush.
func (s *Session) enter(g *Grant, details wamp.Encoded) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left || s.ending.Load() {
		return errEnded
	}
	stopTimer(s.hello)
	s.hello = nil
	s.authid, s.authrole, s.authmethod, s.provider = g.AuthID, g.AuthRole, g.AuthMethod, g.Provider
	s.trusted = g.Trusted
	if g.Limits != nil {
		s.limits = g.Limits
		s.out.resize(g.Limits.QueueBytes)
	}
	s.meter = newMeter(s.limits)
	s.peer.ChannelID = nil // and with it what TLS remembers of its handshake
	s.peer.Identity = nil  // nor is that needed any more: its place serves those that have particulars
	if g.Claims != "" || g.Client != "" || g.Tenure != nil {
		s.peer.Identity = &particulars{claims: g.Claims, client: g.Client, tenure: g.Tenure}
	}
	if g.Tenure != nil {
		if err := g.Tenure.Begin(s); err != nil {
			return err
		}
	}
	if !s.realm.admit(s) {
		if g.Tenure != nil {
			g.Tenure.End()
		}
		return s.realm.errClosed()
	}
	l := s.lasting()
	switch {
	case details != nil && l != nil:
		l.welcome(s.welcomeFrame(details))
	case details != nil:
		s.ws.send(s, s.welcomeFrame(details))
	case l == nil:
		s.out.withhold()
	}
	s.joined.Store(true)
	s.realm.meta.note(metaEvent{topic: sessionJoined, session: s})
	return nil
}

// welcomeFrame returns WELCOME with these Details.
func (s *Session) welcomeFrame(details wamp.Encoded) []byte {
	return seal(s.peer.Framing, s.peer.Serializer, &wamp.Welcome{Session: s.id, Ready: details}, len(details))
}

// closeQuietly ends the session without a word of WAMP.
func (s *Session) closeQuietly(dirty []*Session) []*Session {
	if _, flush, _ := s.out.close(false, nil, s.closeFrame(nil)); flush {
		return append(dirty, s)
	}
	return dirty
}

// maxURI is the longest URI in bytes that the router takes. The specification
// names no limit; a longer one is nobody's topic.
const maxURI = 1024

// maxComponents is how many components a wildcard pattern may have. Each takes
// memory of its own, and many that are alike cost each publication that fits
// their beginnings.
const maxComponents = 32

// clip shortens what a peer sent for use in a message to it.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
