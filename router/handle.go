package router

import (
	"strings"

	"github.com/wireroom/wireroom/router/wamp"
)

// handle carries out a message of a joined peer. A request that fails is
// answered with ERROR; only what ends the session is returned.
func (s *Session) handle(m wamp.Message) error {
	if err := s.checkPassthru(m); err != nil {
		return err
	}
	switch m := m.(type) {
	case *wamp.Publish:
		return s.publish(m)
	case *wamp.Subscribe:
		return s.subscribe(m)
	case *wamp.Unsubscribe:
		s.unsubscribe(m)
	case *wamp.EventReceived:
		return s.eventReceived(m)
	case *wamp.Call:
		return s.call(m)
	case *wamp.Yield:
		return s.realm.dealer.yield(s.ws, s, m)
	case *wamp.ErrorMessage:
		if m.RequestType != wamp.TypeInvocation {
			return wamp.Errorf(wamp.URIProtocolViolation, "ERROR: request type %d cannot be answered by a client", m.RequestType)
		}
		return s.realm.dealer.fail(s.ws, s, m)
	case *wamp.Cancel:
		s.realm.dealer.cancel(s.ws, s, m)
	case *wamp.Register:
		return s.register(m)
	case *wamp.Unregister:
		s.unregister(m)
	case *wamp.Goodbye:
		s.goodbye()
		return errEnded
	case *wamp.Abort:
		s.goodbyeSilently()
		return errEnded
	default:
		return wamp.Errorf(wamp.URIProtocolViolation, "%v is not for a client to send once it has joined", m.Type())
	}
	return nil
}

// goodbyeSilently ends the session of a peer that said ABORT.
func (s *Session) goodbyeSilently() {
	if s.ending.CompareAndSwap(false, true) {
		s.leave()
		s.ws.dirty = s.closeQuietly(s.ws.dirty)
	}
}

// fault answers a request with ERROR. Reader only.
func (s *Session) fault(t wamp.Type, request wamp.ID, err error) {
	s.ws.send(s, s.errorFrame(t, request, err))
}

// errorFrame returns the ERROR message for err, framed. An error that is no
// [wamp.Error] is logged, and the peer learns only that it happened.
func (s *Session) errorFrame(t wamp.Type, request wamp.ID, err error) []byte {
	e := wamp.AsError(err)
	if e.Err != nil {
		s.router.log.Error("request failed", "session", s.id, "request", t.String(), "err", err)
	}
	var args []any
	if e.Text != "" || e.Details != nil {
		args = []any{e.Text}
	}
	payload, perr := wamp.NewPayload(s.peer.Serializer, args, e.Details)
	if perr != nil {
		s.router.log.Error("error cannot be encoded", "err", perr)
	}
	return seal(s.peer.Framing, s.peer.Serializer, &wamp.ErrorMessage{
		RequestType: t, Request: request, Error: e.URI, Payload: payload,
	}, payload.Len())
}

// checkURI returns an error if uri cannot be used for action.
func checkURI(uri wamp.URI, match wamp.Match) error {
	switch {
	case len(uri) > maxURI:
		return wamp.Errorf(wamp.URIInvalidURI, "the URI has %d bytes; at most %d are allowed", len(uri), maxURI)
	case match == wamp.Wildcard && strings.Count(string(uri), ".") >= maxComponents:
		return wamp.Errorf(wamp.URIInvalidURI, "the pattern has more than %d components", maxComponents)
	case !uri.ValidPattern(match):
		return wamp.Errorf(wamp.URIInvalidURI, "%q is no valid URI for match %q", clip(string(uri)), match)
	}
	return nil
}

// checkOwnURI is checkURI for a URI that a client wants to speak or answer for.
func checkOwnURI(uri wamp.URI) error { return checkOwnPattern(uri, wamp.Exact) }

// checkOwnPattern is checkURI for a pattern of such URIs.
func checkOwnPattern(uri wamp.URI, match wamp.Match) error {
	if err := checkURI(uri, match); err != nil {
		return err
	}
	if ownURI(uri) {
		return wamp.Errorf(wamp.URIInvalidURI, "%q: URIs under \"wamp.\" and \"wireroom.\" belong to the router", clip(string(uri)))
	}
	return nil
}
