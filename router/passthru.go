package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// checkPassthru refuses a payload that is passed through (WAMP "Payload
// Passthru Mode") by a peer that has not announced it in the role in which it
// speaks, or in another form than the mode has. The router looks at the form
// only, never into the payload.
func (s *Session) checkPassthru(m wamp.Message) error {
	var p *wamp.Passthru
	var payload *wamp.Payload
	var feature uint16
	switch m := m.(type) {
	case *wamp.Publish:
		p, payload, feature = &m.Options.Passthru, &m.Payload, featurePublisherPassthru
	case *wamp.Call:
		p, payload, feature = &m.Options.Passthru, &m.Payload, featureCallerPassthru
	case *wamp.Yield:
		p, payload, feature = &m.Passthru, &m.Payload, featureCalleePassthru
	case *wamp.ErrorMessage:
		p, payload, feature = &m.Passthru, &m.Payload, featureCalleePassthru
	default:
		return nil
	}
	if p.Len() == 0 {
		return nil
	}
	return s.refusePassthru(m, p, payload, feature)
}

// refusePassthru does what checkPassthru says for a message that has attributes
// of the mode.
func (s *Session) refusePassthru(m wamp.Message, p *wamp.Passthru, payload *wamp.Payload, feature uint16) error {
	switch {
	case p.EncAlgo != "" || p.EncSerializer != "" || p.EncKey != "":
		return wamp.Errorf(wamp.URIProtocolViolation, "%v: payload transparency (enc_algo, enc_serializer, enc_key) is not announced here", m.Type())
	case p.Scheme == "":
		return wamp.Errorf(wamp.URIProtocolViolation, "%v: payload passthru: ppt_serializer, ppt_cipher or ppt_keyid without ppt_scheme", m.Type())
	case s.features&feature == 0:
		return wamp.Errorf(wamp.URIProtocolViolation, "%v: payload passthru (ppt_scheme), which the peer has not announced", m.Type())
	}
	err := p.Check(payload)
	if m, ok := m.(*wamp.ErrorMessage); ok && err != nil && payload.Opaque == nil {
		// Clients that cannot read an INVOCATION say so in plain words and
		// with its attributes, such as wampy. Taking that for a violation
		// would let any caller have them thrown out.
		m.Passthru = wamp.Passthru{}
		return nil
	}
	if err != nil {
		return wamp.Errorf(wamp.URIProtocolViolation, "%v: %s", m.Type(), wamp.AsError(err).Text)
	}
	return nil
}

// errPassthruUnread is why somebody cannot be given a payload that is passed
// through: WAMP "Payload Passthru Mode" works only between two who announced it.
func errPassthruUnread(who string) error {
	return wamp.Errorf(wamp.URIFeatureNotSupported, "%s has not announced payload passthru (ppt_scheme)", who)
}

// refuseResult answers a YIELD whose payload is passed through to a caller that
// has not announced that: both sides are told.
func (c *call) refuseResult(ws *workspace, callee *Session, m *wamp.Yield) {
	err := errPassthruUnread("the caller")
	ws.send(callee, callee.errorFrame(wamp.TypeYield, m.Request, err))
	if m.Progress {
		c.cut(ws, err, wamp.KillNoWait, wamp.URIFeatureNotSupported)
		return
	}
	c.fault(ws, err, true)
}
