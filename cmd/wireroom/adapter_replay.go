package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Subscribe implements [router.Governor]: it refuses subscriptions to classes
// that the session may not see, and returns the filter that _where and _channel
// ask for, the replay that _last or _since do, and what makes the subscription a
// persistent one. Whose events a session gets by a pattern is checked at delivery.
func (g *governor) Subscribe(s *router.Session, i router.Interest, options *wamp.SubscribeOptions) (terms router.Terms, err error) {
	wish, err := readWish(options.Extra)
	if err != nil {
		return terms, err
	}
	if class, _, ok := g.hub.Catalogue().Lookup(string(i.Topic)); ok && i.Match == wamp.Exact && !g.sees(s, class) {
		return terms, g.unseen(s, class)
	}
	filter, own, err := g.filter(s, i, options.Extra)
	if err != nil {
		return terms, err
	}
	terms.Filter = filter
	start, since, err := events.ParseStart(options.Extra)
	if err != nil {
		return terms, wampError(err)
	}
	if !since && wish == nil {
		return terms, nil
	}
	p, err := g.past(i, since)
	if err != nil {
		return terms, err
	}
	p.selection.Where = queryOf(filter)
	p.start = start.At(g.hub.Mark(p.class.Name())) // the subscription is not live from now on
	where := ""
	if own != nil {
		where = own.Normal()
	}
	if wish == nil {
		held := g.heldLike(s, p, where)
		if held != nil {
			var ok bool
			if p.start, ok = held.Rewind(p.start); !ok {
				return terms, errReplaying
			}
		}
		terms.Replay = g.replay(p, held)
		return terms, nil
	}
	wish.where = where
	return g.attach(s, terms, p, since, wish)
}

// A past is what a subscription is to get before what is published.
type past struct {
	class     *events.Class
	selection events.Selection
	start     events.Start
}

// past returns what there is of the past of a topic. since says whether it was
// asked for by _last or _since.
func (g *governor) past(i router.Interest, since bool) (*past, error) {
	what := "option _persistent"
	if since {
		what = "options _last and _since"
	}
	class, channel, isClass := g.hub.Catalogue().Lookup(string(i.Topic))
	if i.Match != wamp.Exact || !isClass {
		return nil, wamp.Errorf(wamp.URIOptionNotAllowed,
			"%s: expected the topic of a retained event class, found the %s topic %q", what, i.Match, i.Topic)
	}
	if !class.Retain().Retained() {
		return nil, wamp.Errorf(wamp.URIOptionNotAllowed, "%s: the class %s is not retained, so there is no past", what, class.Name())
	}
	return &past{class: class, selection: events.Selection{Channel: channel}}, nil
}

// replay returns the replay of the past. held is the persistent subscription
// that it is for, or nil.
func (g *governor) replay(p *past, held *events.Held) router.Replay {
	return func(feed *router.Feed) {
		to := newReplayed(feed, p, held)
		g.brought(p, to, g.bring(p, to))
	}
}

// bring replays the past once.
func (g *governor) bring(p *past, to *replayed) error {
	return g.hub.Replay(to.feed.Context(), p.class.Name(), p.start, p.selection, to)
}

// brought ends a replay that is over, with an error or without. A subscriber must
// not take what it has for all there is: with an error its session ends, and asks
// again when it is back.
func (g *governor) brought(p *past, to *replayed, err error) {
	feed, name := to.feed, p.class.Name()
	if err == nil && to.gap != nil {
		tellGap(feed, name, to.gap)
	}
	if err == nil || feed.Context().Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	g.log.Error("replay failed", slog.String("class", name), slog.Any("session", feed.Session().ID()), slog.Any("err", err))
	feed.Session().End(&wamp.Error{URI: wamp.URIUnavailableHere, Text: "the past of " + name + " cannot be read at the moment", Err: err})
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
	held  *events.Held     // whose position moves with what is sent; nil: it is no persistent subscription
	gap   *events.Recovery // to be told with the next event; nil: nothing is missing
}

func newReplayed(feed *router.Feed, p *past, held *events.Held) *replayed {
	return &replayed{feed: feed, topic: wamp.URI(p.class.Name()), held: held}
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
func (r *replayed) Send(ctx context.Context, e *events.Event) error {
	for {
		room, err := r.Offer(e, nil)
		r.Flush()
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Offer implements [events.Offered]. Those who are sent the same share the frame,
// unless they are told of a gap with it.
func (r *replayed) Offer(e *events.Event, made *events.Made) (room <-chan struct{}, err error) {
	if r.held != nil && r.held.Had(e) {
		return nil, nil
	}
	var copies *router.Copies
	if made != nil && r.gap == nil {
		copies = made.By(func() any { return new(router.Copies) }).(*router.Copies)
	}
	if r.held != nil {
		r.held.Sending(e)
	}
	room, err = r.feed.Offer(copies, func() *router.Publication {
		p := publicationOf(e)
		p.Topic = r.topic
		if r.gap != nil {
			p.Fields = appendGap(p.Fields, r.gap)
		}
		return &p
	})
	if room != nil {
		return room, nil
	}
	r.gap = nil
	if err == nil && r.held != nil {
		r.held.Sent(e)
	}
	return nil, err
}

// Flush implements [events.Offered].
func (r *replayed) Flush() { r.feed.Flush() }

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
	feed.Tell(gapOf(class, gap))
}

// gapOf returns the event without data that says that events are missing.
func gapOf(class string, gap *events.Recovery) *router.Publication {
	fields := []wamp.Field{wamp.StringField("_class", class), wamp.StringField("_epoch", gap.Epoch)}
	return &router.Publication{
		Topic:     wamp.URI(class),
		Payload:   wamp.Payload{Serializer: wamp.JSON},
		Fields:    appendGap(fields, gap),
		ShowTopic: true,
	}
}
