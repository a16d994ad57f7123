package auth

import "github.com/wireroom/wireroom/router/wamp"

// Presence reports whether members of the role may know who is on the topic, if
// they may subscribe to it. It does not allocate, as all that follow.
func (p *Policy) Presence(realm wamp.URI, role string, topic wamp.URI) bool {
	perm := p.realms[realm][role]
	return perm != nil && perm.presence.Covers(topic, wamp.Exact)
}

// AnyPresence reports whether members of some role of the realm may know who is on
// the topic.
func (p *Policy) AnyPresence(realm, topic wamp.URI) bool {
	return p.presence[realm].Covers(topic, wamp.Exact)
}

// HasPresence reports whether there are topics of which members of some role may
// know who is on them.
func (p *Policy) HasPresence(realm wamp.URI) bool { return p.presence[realm] != nil }

// Discloses returns what the role says of who calls or publishes to uri, whether
// or not that is allowed.
func (p *Policy) Discloses(realm wamp.URI, role string, action Action, uri wamp.URI) Disclosure {
	perm := p.realms[realm][role]
	if perm == nil {
		return DiscloseOnRequest
	}
	return perm.discloses(action, uri)
}
