package main

import (
	"context"
	"slices"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Histories implements [router.Historian]: the logs of the classes that the
// session may see, and that a subscription to the pattern gets events of.
func (g *governor) Histories(s *router.Session, i router.Interest, filter *router.Filter) ([]router.History, error) {
	cat := g.hub.Catalogue()
	where, err := g.narrow(s, i, queryOf(filter))
	if err != nil {
		return nil, err
	}
	if i.Match == wamp.Exact {
		class, _, ok := cat.Lookup(string(i.Topic))
		if !ok {
			return nil, nil
		}
		if !g.sees(s, class) {
			return nil, g.unseen(s, class)
		}
		return g.histories(where, class)
	}
	var classes []*events.Class
	for _, c := range cat.Classes() {
		if g.sees(s, c) && reaches(i.Topic, i.Match, c) {
			classes = append(classes, c)
		}
	}
	return g.histories(where, classes...)
}

// reaches reports whether a subscription to the pattern may get events of the
// class.
func reaches(pattern wamp.URI, match wamp.Match, c *events.Class) bool {
	topic := wamp.URI(c.Name())
	return topic.Fits(pattern, match) || c.HasChannels() && wamp.Overlap(pattern, match, topic+".", wamp.Prefix)
}

// histories returns the logs of those of the classes that have one, or what of
// them satisfies where, unless that is nil.
func (g *governor) histories(where *query.Query, classes ...*events.Class) (list []router.History, err error) {
	for _, c := range classes {
		if !c.Retain().Retained() {
			continue
		}
		past, err := g.hub.Past(c.Name(), where)
		if err != nil {
			return nil, wampError(err)
		}
		list = append(list, classHistory{past})
	}
	return list, nil
}

// A classHistory is the log of a class, whose places are offsets:
// [router.History] by way of [events.Past].
type classHistory struct{ past *events.Past }

// Last implements [router.History].
func (h classHistory) Last() uint64 {
	_, offset := h.past.Last()
	return offset
}

// Seek implements [router.History].
func (h classHistory) Seek(ctx context.Context, t time.Time, through uint64) (uint64, error) {
	after, err := h.past.Seek(ctx, t, through)
	return after, pastError(err)
}

// Place implements [router.History].
func (h classHistory) Place(id wamp.ID) uint64 {
	epoch, _ := h.past.Last()
	return numberingOf(h.past.Class().Name(), epoch).offset(id)
}

// Read implements [router.History].
func (h classHistory) Read(ctx context.Context, r router.HistoryRange) ([]router.PastEvent, error) {
	class := h.past.Class()
	channel := ""
	if name := class.Name(); len(r.Topic) > len(name) {
		channel = string(r.Topic[len(name)+1:]) // nobody asks a class for a topic that is not its own
	}
	list, err := h.past.Read(ctx, channel, r.After, r.Through, r.Reverse, r.Limit, r.Bytes)
	if err != nil {
		return nil, pastError(err)
	}
	if r.Reverse {
		slices.Reverse(list)
	}
	page := make([]router.PastEvent, len(list))
	for i := range list {
		e := &list[i]
		page[i] = router.PastEvent{Place: e.Offset, Time: e.Time, Publication: publicationOf(&e.Event)}
		page[i].Publication.Topic = wamp.URI(class.Name())
		if e.Channel != "" {
			page[i].Publication.Channel = wamp.URI(class.Topic(e.Channel))
		}
	}
	return page, nil
}

// pastError is wampError for who reads.
func pastError(err error) error {
	if _, ok := unavailable(err); ok {
		return &wamp.Error{URI: wamp.URIUnavailableHere, Text: "the past cannot be read at the moment", Err: err}
	}
	return err
}
