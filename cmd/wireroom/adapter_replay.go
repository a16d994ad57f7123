package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// notYet are options of a subscription that would change what a subscriber
// gets, and that this version lacks. They are refused, not overlooked.
var notYet = []string{"_persistent", "_ack"}

// Subscribe implements [router.Governor]: it refuses subscriptions to classes
// that the session may not see, and returns the filter that _where and _channel
// ask for, and the replay that _last or _since do. Whose events a session gets by
// a pattern is checked at delivery.
func (g *governor) Subscribe(s *router.Session, i router.Interest, options *wamp.SubscribeOptions) (terms router.Terms, err error) {
	for _, name := range notYet {
		if _, ok := options.Extra[name]; ok {
			return terms, wamp.Errorf(wamp.URIOptionNotAllowed, "option %s is not supported by this version", name)
		}
	}
	if class, _, ok := g.hub.Catalogue().Lookup(string(i.Topic)); ok && i.Match == wamp.Exact && !g.sees(s, class) {
		return terms, g.unseen(s, class)
	}
	if terms.Filter, err = g.filter(s, i, options.Extra); err != nil {
		return terms, err
	}
	terms.Replay, err = g.replay(i, options, queryOf(terms.Filter))
	return terms, err
}

// replay returns the replay that the options ask for, or nil: of the events that
// satisfy where, unless it is nil.
func (g *governor) replay(i router.Interest, options *wamp.SubscribeOptions, where *query.Query) (router.Replay, error) {
	start, replay, err := events.ParseStart(options.Extra)
	if err != nil {
		return nil, wampError(err)
	}
	class, channel, isClass := g.hub.Catalogue().Lookup(string(i.Topic))
	if i.Match != wamp.Exact || !isClass {
		if replay {
			return nil, wamp.Errorf(wamp.URIOptionNotAllowed,
				"options _last and _since: expected the topic of a retained event class, found the %s topic %q", i.Match, i.Topic)
		}
		return nil, nil
	}
	if !replay {
		return nil, nil
	}
	if !class.Retain().Retained() {
		return nil, wamp.Errorf(wamp.URIOptionNotAllowed, "options _last and _since: the class %s is not retained, so there is no past", class.Name())
	}
	start = start.At(g.hub.Mark(class.Name())) // the subscription is not live from now on
	return func(feed *router.Feed) {
		to := &replayed{feed: feed, topic: wamp.URI(class.Name())}
		err := g.hub.Replay(feed.Context(), class.Name(), start, events.Selection{Channel: channel, Where: where}, to)
		if err == nil && to.gap != nil {
			tellGap(feed, class.Name(), to.gap)
		}
		if err == nil || feed.Context().Err() != nil || errors.Is(err, context.Canceled) {
			return
		}
		// The subscriber must not take what it has for all there is. A
		// session that joins again asks again.
		g.log.Error("replay failed", slog.String("class", class.Name()), slog.Any("session", feed.Session().ID()), slog.Any("err", err))
		feed.Session().End(&wamp.Error{URI: wamp.URIUnavailableHere, Text: "the past of " + class.Name() + " cannot be read at the moment", Err: err})
	}, nil
}

// sees reports whether the session may receive events of the class.
func (g *governor) sees(s *router.Session, class *events.Class) bool {
	return s.Trusted() || class.Access().Allows(s.AuthRole(), s.AuthRole() != g.anonymous)
}

// unseen is why it may not.
func (g *governor) unseen(s *router.Session, class *events.Class) error {
	return wamp.Errorf(wamp.URINotAuthorized, "class %s is not for the role %q", class.Name(), s.AuthRole())
}

// A replayed subscription receives the past: [events.Subscriber] by way of
// [router.Feed].
type replayed struct {
	feed  *router.Feed
	topic wamp.URI
	gap   *events.Recovery // to be told with the next event; nil: nothing is missing
}

// Recover implements [events.Subscriber].
func (r *replayed) Recover(got events.Recovery) {
	if got.Complete {
		return
	}
	if before := r.gap; before != nil { // not told yet: tell both as one
		if got.LostFrom = before.LostFrom; before.LostThrough == 0 {
			got.LostThrough = 0
		}
	}
	r.gap = &got
}

// Send implements [events.Subscriber].
func (r *replayed) Send(_ context.Context, e *events.Event) error {
	p := publicationOf(e)
	p.Topic = r.topic
	if r.gap != nil {
		p.Fields = appendGap(p.Fields, r.gap)
		r.gap = nil
	}
	return r.feed.Send(&p)
}

// Live implements [events.Subscriber].
func (r *replayed) Live() { r.feed.Live() }

// appendGap adds what says that events before this one are missing.
func appendGap(fields []wamp.Field, gap *events.Recovery) []wamp.Field {
	fields = append(fields, wamp.BoolField("_recovered", false))
	if gap.LostThrough > 0 {
		fields = append(fields, wamp.UintField("_lost_from", gap.LostFrom), wamp.UintField("_lost_through", gap.LostThrough))
	}
	return fields
}

// tellGap tells a subscriber that events are missing when there was no past
// event to tell it with: by an EVENT without data.
func tellGap(feed *router.Feed, class string, gap *events.Recovery) {
	fields := []wamp.Field{wamp.StringField("_class", class), wamp.StringField("_epoch", gap.Epoch)}
	feed.Tell(&router.Publication{
		Topic:     wamp.URI(class),
		Payload:   wamp.Payload{Serializer: wamp.JSON},
		Fields:    appendGap(fields, gap),
		ShowTopic: true,
	})
}
