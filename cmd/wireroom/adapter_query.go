package main

import (
	"errors"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// optionWhere is the option of a subscription that has a query.
const optionWhere = "_where"

// filter returns the filter of a subscription, or nil: the query that its options
// ask for, which it returns, too, and what the session's role sees. The bounds
// are those of [events.QueryConfig], of what comes of both.
func (g *governor) filter(s *router.Session, i router.Interest, options map[string]any) (_ *router.Filter, own *query.Query, err error) {
	own, err = g.where(s, i, options)
	where := own
	if err == nil {
		where, err = g.narrow(s, i, where)
	}
	if where == nil || err != nil {
		return nil, nil, err
	}
	of, err := g.audienceOf(s, i)
	if err != nil {
		return nil, nil, err
	}
	asker := events.Asker{Role: s.AuthRole(), Have: s.FilterIDs(), Sees: of.classes}
	standing, err := g.queries.Add(asker, where, of.scope, of.reached...)
	if err != nil {
		return nil, nil, whereError(err, "the query")
	}
	return &router.Filter{ID: standing.ID(), Text: where.Normal(), Of: where, Release: standing.Release}, own, nil
}

// where returns the query that the options of a subscription ask for, or nil.
func (g *governor) where(s *router.Session, i router.Interest, options map[string]any) (*query.Query, error) {
	value, hasWhere := options[optionWhere]
	channel, hasChannel := options[events.OptionChannel]
	if _, ok := options[optionDialect]; ok && !hasWhere {
		return nil, wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: expected beside %s only", optionDialect, optionWhere)
	}
	if !hasWhere && !hasChannel {
		return nil, nil
	}
	of, err := g.audienceOf(s, i)
	if err != nil {
		return nil, err
	}
	var parts []*query.Query
	if hasWhere {
		q, err := of.read(value, options, g.queries.Options(s.AuthRole()))
		if err != nil {
			return nil, err
		}
		parts = append(parts, q)
	}
	if hasChannel {
		if i.Match != wamp.Exact || i.Topic != wamp.URI(of.classes[0].Name()) {
			return nil, wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: expected the topic of an event class, found the %s topic %q", events.OptionChannel, i.Match, i.Topic)
		}
		q, err := of.classes[0].ChannelQuery(channel)
		if err != nil {
			return nil, wampError(err)
		}
		parts = append(parts, q)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return query.And(parts...), nil
}

// An audienceOf says of which classes a query may get events.
type audienceOf struct {
	classes []*events.Class // that the session sees, one at least
	reached []*events.Class // also those that others see, with whom it may share the subscription
	scope   *query.Query
	one     bool // it is about one class, whatever is configured meanwhile
}

// audienceOf returns what a query of the session for a topic or pattern is about.
// The error says that there is no such class, or that the session may not see it.
func (g *governor) audienceOf(s *router.Session, i router.Interest) (audienceOf, error) {
	cat := g.hub.Catalogue()
	if i.Match == wamp.Exact {
		class, _, ok := cat.Lookup(string(i.Topic))
		if !ok {
			return audienceOf{}, wamp.Errorf(wamp.URIOptionNotAllowed, "a query: expected the topic of an event class, found %q, which belongs to none", i.Topic)
		}
		if !g.sees(s, class) {
			return audienceOf{}, g.unseen(s, class)
		}
		only := []*events.Class{class}
		return audienceOf{classes: only, reached: only, scope: class.Scope(), one: true}, nil
	}
	var of audienceOf
	for _, c := range cat.Classes() {
		if !reaches(i.Topic, i.Match, c) {
			continue
		}
		of.reached = append(of.reached, c)
		if g.sees(s, c) {
			of.classes = append(of.classes, c)
		}
	}
	if len(of.classes) == 0 {
		return of, wamp.Errorf(wamp.URIOptionNotAllowed, "a query: expected a pattern that fits topics of event classes, found %q with match %s, which fits none that is for the role %q", i.Topic, i.Match, s.AuthRole())
	}
	of.scope = events.PatternScope(begin(i.Topic, i.Match))
	return of, nil
}

// begin returns what every topic that fits the pattern begins with.
func begin(pattern wamp.URI, match wamp.Match) string {
	text := string(pattern)
	if match == wamp.Prefix {
		return text
	}
	for i := range len(text) {
		if text[i] == '.' && (i == 0 || text[i-1] == '.') {
			return text[:i]
		}
	}
	return text
}

// read reads the query value, which is an option of a subscription beside others.
func (of audienceOf) read(value any, options map[string]any, limits query.Options) (*query.Query, error) {
	d, err := dialectOf(value, options)
	if err != nil {
		return nil, err
	}
	q, err := d.read(value, of.schema(), limits)
	if err == nil {
		err = of.check(q)
		_, isText := value.(string)
		if e, ok := errors.AsType[*query.Error](err); ok && !isText {
			err = &treeError{e}
		}
	}
	if err != nil {
		return nil, whereError(err, "option "+optionWhere)
	}
	return q, nil
}

// schema returns what is known of the fields of all events that there can be, or
// nil.
func (of audienceOf) schema() *query.Schema {
	if !of.one {
		return nil
	}
	return of.classes[0].Schema()
}

// check says what of a query can make no sense for events of any of the classes.
func (of audienceOf) check(q *query.Query) (err error) {
	for _, c := range of.classes {
		wrong := q.Check(c.Schema())
		if wrong == nil {
			return nil
		}
		if err == nil {
			err = wrong
		}
	}
	return err
}

// whereError tells a client what is wrong with its query, so that a page can
// underline it. what says which query.
func whereError(err error, what string) error {
	if e, ok := errors.AsType[*treeError](err); ok {
		return &wamp.Error{
			URI: queryURI(e.wrong), Text: what + ": " + e.Error(),
			Details: map[string]any{"pointer": e.wrong.Pointer, "reason": e.wrong.Text},
		}
	}
	if e, ok := errors.AsType[*query.Error](err); ok {
		details := map[string]any{"offset": e.Offset, "line": e.Line, "column": e.Column, "reason": e.Text}
		if e.Pointer != "" {
			details["pointer"] = e.Pointer
		}
		return &wamp.Error{URI: queryURI(e), Text: what + ": " + e.Error(), Details: details}
	}
	if e, ok := errors.AsType[*wamp.Error](err); ok {
		return &wamp.Error{URI: e.URI, Text: what + ": " + e.Text}
	}
	if e, ok := errors.AsType[*query.BudgetError](err); ok {
		return budgetError(e, what)
	}
	uri := wamp.URILimit
	if errors.Is(err, query.ErrNoAnchor) {
		uri = wamp.URIInvalidQuery
	}
	return wamp.Errorf(uri, "%s: %v", what, err)
}

func queryURI(e *query.Error) wamp.URI {
	if e.Limit {
		return wamp.URILimit
	}
	return wamp.URIInvalidQuery
}

// queryOf returns the query of a filter, or nil if there is none.
func queryOf(f *router.Filter) *query.Query {
	if f == nil {
		return nil
	}
	return f.Of.(*query.Query)
}
