package main

import (
	"context"
	"maps"
	"slices"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Rows are which events the members of one role see: of some classes those of
// which a query is true, whichever way they come. A nil pointer is a role that
// sees all that it may subscribe to. It is immutable, and goes from the
// authorizer to the governor as [router.Decision.Where].
type rows struct {
	role      string
	anonymous bool                    // nobody knows who the members are
	topics    *auth.PatternSet        // that the queries are for
	classes   map[string]*query.Query // that these topics are of; the queries may ask for the session
}

// newRows returns the rows of those roles that do not see all.
func newRows(cfg *config.Realm) (map[string]*rows, error) {
	all := make(map[string]*rows, len(cfg.Rows))
	for role, list := range cfg.Rows {
		r := &rows{role: role, anonymous: role == cfg.Identity.Anonymous, classes: make(map[string]*query.Query)}
		var patterns []auth.Pattern
		for _, row := range list {
			patterns = append(patterns, row.Pattern)
			for _, class := range row.Classes {
				if q := r.classes[class]; q != nil {
					r.classes[class] = query.And(q, row.Query) // whoever wrote one of them counts on it
				} else {
					r.classes[class] = row.Query
				}
			}
		}
		var err error
		if r.topics, err = auth.NewPatternSet(patterns); err != nil {
			return nil, err
		}
		all[role] = r
	}
	return all, nil
}

// hides reports whether a topic is one that the queries are for and that has no
// events of which they could be true.
func (r *rows) hides(cat *events.Catalogue, topic wamp.URI) bool {
	if r == nil || topic.Reserved() || !r.topics.Touches(topic, wamp.Exact) {
		return false
	}
	_, _, isClass := cat.Lookup(string(topic))
	return !isClass
}

// narrow has a decision that allows a subscription be about the rows only,
// whoever has decided.
func (r *rows) narrow(d router.Decision) router.Decision {
	if r == nil {
		return d
	}
	if ask := d.Ask; ask != nil {
		d.Ask = func(ctx context.Context) (router.Decision, error) {
			d, err := ask(ctx)
			d.Where = r
			return d, err
		}
		return d
	}
	d.Where = r
	return d
}

// query returns what the session sees of what it is interested in, or nil if that
// is all. The error says that it never sees anything of it.
//
// What a pattern brings of the classes that it reaches is as if each of them had
// been subscribed to. It brings nothing else then: events that are of no class
// satisfy no query.
func (r *rows) query(s *router.Session, i router.Interest, cat *events.Catalogue) (*query.Query, error) {
	if r == nil || i.Topic.Reserved() {
		return nil, nil
	}
	who := r.who(s)
	if i.Match == wamp.Exact {
		class, _, ok := cat.Lookup(string(i.Topic))
		if !ok {
			return nil, nil // which is not hidden: see hides
		}
		q, err := r.of(class.Name(), who)
		if err != nil || q == nil {
			return nil, err
		}
		return q, r.nothing(q, i)
	}
	return r.ofPattern(who, i, cat)
}

// narrow returns what the session sees of where, which is nil for all events that
// it is interested in; nil again if it sees these all.
func (g *governor) narrow(s *router.Session, i router.Interest, where *query.Query) (*query.Query, error) {
	r, _ := i.Where.(*rows)
	q, err := r.query(s, i, g.hub.Catalogue())
	switch {
	case err != nil:
		return nil, err
	case q == nil:
		return where, nil
	case where == nil:
		return q, nil
	}
	return query.And(q, where), nil
}

// ofPattern is query for a prefix or wildcard.
func (r *rows) ofPattern(who *query.Session, i router.Interest, cat *events.Catalogue) (*query.Query, error) {
	narrows := r.topics.Touches(i.Topic, i.Match)
	reached := 0
	classes := make(map[string][]string) // by the normal form of their query
	queries := make(map[string]*query.Query)
	for _, c := range cat.Classes() {
		if !reaches(i.Topic, i.Match, c) {
			continue
		}
		reached++
		narrows = narrows || r.classes[c.Name()] != nil
		q, err := r.of(c.Name(), who)
		if err != nil {
			return nil, err
		}
		text := ""
		if q != nil {
			text = q.Normal()
		}
		classes[text], queries[text] = append(classes[text], c.Name()), q
	}
	if !narrows {
		return nil, nil
	}
	var parts []*query.Query
	for _, text := range slices.Sorted(maps.Keys(classes)) {
		switch q := queries[text]; {
		case q == nil:
			parts = append(parts, query.OfClasses(classes[text]...))
		case len(classes[text]) == reached:
			parts = append(parts, q)
		default:
			parts = append(parts, query.And(query.OfClasses(classes[text]...), q))
		}
	}
	if len(parts) == 0 {
		return nil, wamp.Errorf(wamp.URINotAuthorized, "role %q sees only events of classes of what it may subscribe to, and %q fits none", r.role, i.Topic)
	}
	q := query.Or(parts...)
	return q, r.nothing(q, i)
}

// of returns which events of a class the session sees, or nil if that is all.
func (r *rows) of(class string, who *query.Session) (*query.Query, error) {
	q := r.classes[class]
	if q == nil {
		return nil, nil
	}
	q, err := q.Bind(who)
	if err != nil {
		return nil, wamp.Errorf(wamp.URINotAuthorized, "role %q: which events of %s it sees cannot be said for this session: %v", r.role, class, err)
	}
	if t, ok := q.Constant(); ok && t == query.True {
		return nil, nil
	}
	return q, nil
}

// nothing returns an error if the query is true of no event.
func (r *rows) nothing(q *query.Query, i router.Interest) error {
	if t, ok := q.Constant(); ok && t != query.True {
		return wamp.Errorf(wamp.URINotAuthorized, "role %q sees nothing of %q in this session: nobody knows of it what the role's query asks for, or it is not what the query wants", r.role, i.Topic)
	}
	return nil
}

// who returns what the queries may ask for. Only of sessions that somebody stands
// behind is it known who that is: the others have names that were drawn for them.
func (r *rows) who(s *router.Session) *query.Session {
	who := &query.Session{Role: s.AuthRole()}
	if !r.anonymous && s.AuthMethod() != auth.MethodAnonymous {
		who.AuthID = s.AuthID()
	}
	if claims := s.Claims(); claims != "" {
		who.Claims = []byte(claims)
	}
	return who
}
