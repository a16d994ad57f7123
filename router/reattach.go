package router

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// maxReattach is how many subscriptions HELLO may name.
const maxReattach = 10_000

// A reattachAsk is what HELLO says about subscriptions that are to be attached
// again.
type reattachAsk struct {
	names []string // nil: all that there are
}

// readReattach adds what HELLO.Details say about subscriptions that are to be
// attached again, if anything, to what they say about resumption, which is nil if
// that is nothing.
func readReattach(details map[string]any, ask *resumeAsk) (*resumeAsk, error) {
	const key = "_reattach"
	var names []string
	switch v := details[key].(type) {
	case nil:
		return ask, nil
	case bool:
		if !v {
			return ask, nil
		}
	case []any:
		if len(v) > maxReattach {
			return nil, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.%s: expected at most %d names, found %d", key, maxReattach, len(v))
		}
		names = make([]string, len(v))
		for i, name := range v {
			var ok bool
			if names[i], ok = name.(string); !ok {
				return nil, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.%s[%d]: expected string", key, i)
			}
		}
	default:
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.%s: expected bool, or a list of names", key)
	}
	if ask == nil {
		ask = new(resumeAsk)
	}
	ask.reattach = &reattachAsk{names}
	return ask, nil
}

// welcomeBack is welcome for a peer that wants its subscriptions back. Whatever
// is queued for it meanwhile comes after WELCOME.
func (s *Session) welcomeBack(g *Grant, more map[string]any, again *reattachAsk) error {
	if err := s.welcomed(g, nil); err != nil {
		return err
	}
	began := make(chan struct{})
	defer close(began)
	frame, fits := s.welcomeWith(s, g, more, s.reattach(again, began))
	if s.out.release(frame) {
		s.ws.dirty = append(s.ws.dirty, s) // also if the session has ended meanwhile: then the end follows WELCOME
	}
	if !fits {
		s.tooLong()
	}
	return nil
}

// settleBack is welcomeBack for the session lasts, which can be resumed, and on
// whose seat the connection s is about to sit down. The replays begin with end,
// which must be called then.
func (s *Session) settleBack(lasts *Session, g *Grant, more map[string]any, again *reattachAsk) (end func()) {
	s.mu.Lock() // the peer has done its part of the authentication
	stopTimer(s.hello)
	s.hello = nil
	s.mu.Unlock()
	began := make(chan struct{})
	s.busy.Store(true) // for the link, which knows of this session only
	lasts.ws = s.ws
	frame, fits := s.welcomeWith(lasts, g, more, lasts.reattach(again, began))
	lasts.ws = nil
	s.busy.Store(false)
	lasts.lasting().welcome(frame)
	return func() {
		if !fits {
			lasts.tooLong()
		}
		close(began)
	}
}

// welcomeWith returns WELCOME of the session joined, whose peer is that of s, with
// what became of the peer's subscriptions. It reports false if the peer does not
// take a message as long as that: then WELCOME is without.
func (s *Session) welcomeWith(joined *Session, g *Grant, more map[string]any, list []any) (frame []byte, fits bool) {
	const key = "_subscriptions"
	if list != nil {
		more[key] = list
	}
	encode := func() []byte {
		return joined.welcomeFrame(encodeWelcome(s.peer.Serializer, s.realm.name, g, g.AuthID, more))
	}
	if frame = encode(); s.takes(frame) || list == nil {
		return frame, true
	}
	delete(more, key)
	return encode(), false
}

// reattach makes the subscriptions that are kept for the session's client, and
// returns what became of each, or nil if that is not known. Their replays wait
// until began is closed, so that the queue has room when the peer begins to read.
func (s *Session) reattach(again *reattachAsk, began <-chan struct{}) []any {
	keeper, ok := s.realm.gov.(Reattacher)
	if !ok {
		return nil
	}
	patience := s.router.cfg.HelloTimeout
	until := time.Now().Add(patience)
	var kept []Reattached
	err := s.Wait(func(ctx context.Context) (err error) {
		ctx, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		kept, err = keeper.Reattach(ctx, s, again.names)
		return err
	})
	if err != nil || kept == nil {
		return nil
	}
	list := make([]any, len(kept))
	for i := range kept {
		k := &kept[i]
		id, err := wamp.ID(0), k.Err
		switch {
		case err != nil:
		case time.Now().After(until):
			err = wamp.Errorf(wamp.URITimeout, "the other subscriptions took %v: subscribe to this one", patience)
		default:
			id, err = s.regain(&k.Subscribe, began)
		}
		if err != nil {
			e := wamp.AsError(err)
			k.Details["error"], k.Details["message"] = string(e.URI), e.Text
		} else if id != 0 {
			k.Details["subscription"] = id
		}
		list[i] = k.Details
	}
	return list
}

// regain does what subscribe does for a client that comes back. The ID is 0 if
// the session has ended.
func (s *Session) regain(m *wamp.Subscribe, began <-chan struct{}) (wamp.ID, error) {
	terms, err := s.terms(m)
	defer func() { terms.giveBack() }()
	if err == errEnded {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if replay := terms.Replay; replay != nil {
		terms.Replay = func(feed *Feed) {
			select {
			case <-began:
				replay(feed)
			case <-feed.Context().Done():
			}
		}
	}
	return s.addSubscription(m, &terms)
}
