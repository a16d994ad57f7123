package transport

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// say gives the session a message of the client. What comes of it is in the box.
func (s *subscriber) say(m wamp.Message) {
	_ = s.sess.Receive(m.Append(nil, wamp.JSON)) // the session says why
	s.sess.Flush()
}

// setUp joins the realm and subscribes to the topics.
func (s *subscriber) setUp() *webProblem {
	timer := time.NewTimer(s.es.cfg.SetupTimeout)
	defer timer.Stop()
	if no := s.join(timer.C); no != nil {
		return no
	}
	return s.subscribe(timer.C)
}

// subscriberRoles is what a subscriber announces.
var subscriberRoles = map[string]any{"subscriber": map[string]any{"features": map[string]any{
	"pattern_based_subscription": true, "publisher_identification": true, "subscription_revocation": true,
}}}

func (s *subscriber) join(timeout <-chan time.Time) *webProblem {
	details := map[string]any{"roles": subscriberRoles}
	if s.q.token != "" {
		details["authmethods"] = []any{"ticket"}
	}
	s.say(&wamp.Hello{Realm: s.q.realm, Details: details})
	dec := new(wamp.Decoder)
	for {
		frame, no := s.next(timeout)
		if no != nil {
			return no
		}
		m, err := dec.Decode(wamp.JSON, WebSocket.Open(frame))
		switch m := m.(type) {
		case *wamp.Welcome:
			return nil
		case *wamp.Challenge:
			if s.q.token == "" || m.Method != "ticket" {
				return &webProblem{status: http.StatusUnauthorized, uri: wamp.URINoAuthMethod, detail: "a token is needed here"}
			}
			s.say(&wamp.Authenticate{Signature: s.q.token, Extra: map[string]any{}})
		case *wamp.Abort:
			return notJoined(m.Reason, m.Details)
		case *wamp.Goodbye:
			return notJoined(m.Reason, m.Details)
		default:
			return s.confused(m, err)
		}
	}
}

// subscribe asks for all topics, and returns when all are there.
func (s *subscriber) subscribe(timeout <-chan time.Time) *webProblem {
	s.subs = make(map[wamp.ID]int, len(s.q.topics))
	s.positions = make([]LogPosition, len(s.q.topics))
	for i, topic := range s.q.topics {
		select { // whoever decides about the topics may take long for each
		case <-s.over:
			return problemOver
		case <-timeout:
			return s.tooSlow()
		case <-s.r.Context().Done():
			return problemGone
		default:
		}
		options := s.q.options(i)
		s.place(i, &options)
		s.say(&wamp.Subscribe{Request: wamp.ID(i + 1), Options: options, Topic: wamp.URI(topic)})
	}
	dec := new(wamp.Decoder)
	mayHold := s.mayHold()
	for len(s.subs) < len(s.q.topics) {
		frame, no := s.next(timeout)
		if no != nil {
			return no
		}
		msg := WebSocket.Open(frame)
		if bytes.HasPrefix(msg, eventHead) {
			if s.heldBytes > mayHold {
				return &webProblem{status: http.StatusServiceUnavailable, retry: time.Second, detail: fmt.Sprintf(
					"more than %d bytes of events came before all topics were subscribed to; ask for fewer past events, or for fewer topics", mayHold)}
			}
			s.held = append(s.held, frame)
			s.heldBytes += len(frame)
			continue
		}
		m, err := dec.Decode(wamp.JSON, msg)
		switch m := m.(type) {
		case *wamp.Subscribed:
			s.subs[m.Subscription] = int(m.Request) - 1
		case *wamp.ErrorMessage:
			return notSubscribed(s.q.topics[min(max(int(m.Request), 1), len(s.q.topics))-1], m)
		case *wamp.Abort:
			return notJoined(m.Reason, m.Details)
		case *wamp.Goodbye:
			return notJoined(m.Reason, m.Details)
		default:
			return s.confused(m, err)
		}
	}
	return nil
}

// mayHold returns how many bytes of events may come before all topics are
// subscribed to, a larger event apart: what the session's queue and the mailbox
// can have in them when the last topic is decided about.
func (s *subscriber) mayHold() int { return s.sess.QueueBytes() + mailboxBytes }

// place notes from where on a topic's events are to come, if it has a log: a
// client that loses the stream at once comes back for what it missed.
func (s *subscriber) place(i int, options *wamp.SubscribeOptions) {
	if s.q.match != wamp.Exact {
		return
	}
	var at LogPosition
	ok := false
	if s.es.cfg.Position != nil {
		at, ok = s.es.cfg.Position(s.q.realm, wamp.URI(s.q.topics[i]))
	}
	switch from := s.q.from(i); {
	case from.Epoch != "" && !ok:
		options.Extra = nil // the log is gone; begin tells
	case from.Epoch != "":
		s.positions[i] = from
	case ok && options.Extra == nil && goodEpoch(at.Epoch):
		s.positions[i] = at
	}
}

// next waits for what the session says.
func (s *subscriber) next(timeout <-chan time.Time) (frame []byte, no *webProblem) {
	for {
		frames, last := s.box.take(nil, 1)
		switch {
		case len(frames) > 0:
			return frames[0], nil
		case last:
			return nil, &webProblem{status: http.StatusServiceUnavailable, detail: "the session ended before the stream began"}
		}
		select {
		case <-s.box.wake:
		case <-s.over:
			return nil, problemOver
		case <-timeout:
			return nil, s.tooSlow()
		case <-s.r.Context().Done():
			return nil, problemGone
		}
	}
}

// Why a stream does not begin.
var (
	problemOver = &webProblem{status: http.StatusServiceUnavailable, detail: "the server is shutting down"}
	problemGone = &webProblem{status: http.StatusRequestTimeout, detail: "the client has gone"}
)

func (s *subscriber) tooSlow() *webProblem {
	return &webProblem{status: http.StatusServiceUnavailable, detail: fmt.Sprintf("the stream could not begin within %v", s.es.cfg.SetupTimeout)}
}

// confused is the answer when the router says what it should not.
func (s *subscriber) confused(m wamp.Message, err error) *webProblem {
	s.es.log.Error("unexpected message for an event stream", "message", fmt.Sprintf("%T", m), "err", err)
	return &webProblem{status: http.StatusInternalServerError, uri: wamp.URIInternal}
}
