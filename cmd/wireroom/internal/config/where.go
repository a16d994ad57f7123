package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Row says which events of some classes members of a role see.
type Row struct {
	Pattern auth.Pattern
	Query   *query.Query // may ask for the session
	Classes []string     // that the pattern reaches, in the order of the file; at least one
}

// where reads which events members see: a query, or queries for patterns.
func (o *object) where(key string, v *map[auth.Pattern]string) {
	const kind = "query, or mapping of <pattern>"
	n, path := o.take(key, kind, "")
	if n == nil {
		return
	}
	const expected = "expected a query, or a mapping of patterns to queries"
	switch {
	case isScalar(n, "!!str"):
		*v = map[auth.Pattern]string{"*": n.Value}
		o.d.at[path+".*"] = n
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		*v = o.d.wheres(n, path)
	case n.Kind == yaml.MappingNode:
		o.d.reportf(n, path, "%s, found an empty one", expected)
	default: // where something was to be hidden, nothing is no answer
		o.d.reportf(n, path, "%s, found %s", expected, describeNode(n))
	}
}

func (d *decoder) wheres(n *yaml.Node, path string) map[auth.Pattern]string {
	queries := map[auth.Pattern]string{}
	names := &object{d: d, path: path, node: n, items: map[string]item{}}
	if !names.load() {
		return queries
	}
	for _, name := range names.order {
		p := join(path, name)
		value, ok := d.visit(names.items[name].value, p)
		switch {
		case !ok:
		case !isScalar(value, "!!str"):
			d.reportf(value, p, "expected a query, found %s", describeNode(value))
		default:
			queries[auth.Pattern(name)] = value.Value
		}
	}
	return queries
}

// checkRows reads the queries of all roles, checks them against the classes that
// their patterns reach, and says of which claims they are.
func (r *Realm) checkRows(jwt *auth.JWTConfig, report func(path string, err error)) {
	catalogue, err := events.NewCatalogue(r.Classes)
	if err != nil {
		catalogue = nil // the problems with classes are reported
	}
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		for _, p := range slices.Sorted(maps.Keys(r.Roles[name].Where)) {
			row, err := r.row(name, p, catalogue, jwt)
			if err != nil {
				report(join(r.at, fmt.Sprintf("roles.%s.where.%s", name, p)), err)
				continue
			}
			if r.Rows == nil {
				r.Rows = map[string][]Row{}
			}
			r.Rows[name] = append(r.Rows[name], *row)
		}
	}
}

// row reads the query of a role for a pattern. catalogue may be nil: then nobody
// knows the classes.
func (r *Realm) row(role string, p auth.Pattern, catalogue *events.Catalogue, jwt *auth.JWTConfig) (*Row, error) {
	set, err := auth.NewPatternSet([]auth.Pattern{p})
	if err != nil {
		return nil, err
	}
	options := query.DefaultOptions()
	options.Session = true
	q, err := query.Parse(r.Roles[role].Where[p], options)
	if err != nil {
		return nil, fmt.Errorf("the query, %w", err)
	}
	if err := r.checkParts(role, q.SessionParts(), jwt); err != nil {
		return nil, err
	}
	row := &Row{Pattern: p, Query: q}
	if catalogue == nil {
		return row, nil
	}
	for _, c := range catalogue.Classes() {
		if !reaches(set, c) {
			continue
		}
		if err := q.Check(c.Schema()); err != nil {
			return nil, fmt.Errorf("the query, for the class %s, %w", c.Name(), err)
		}
		row.Classes = append(row.Classes, c.Name())
	}
	if len(row.Classes) == 0 {
		return nil, errors.New("expected a pattern that reaches an event class, found one that reaches none: queries are about the events of classes")
	}
	return row, nil
}

// checkParts reports what sessions of the role never have.
func (r *Realm) checkParts(role string, parts []string, jwt *auth.JWTConfig) error {
	for _, part := range parts {
		switch {
		case part == "role":
		case role == r.Identity.Anonymous:
			return fmt.Errorf("expected a query without session.%s, which sessions of the role %s never have: nobody knows who they are", part, role)
		case jwt == nil && part != "authid":
			return fmt.Errorf("expected a query without session.%s, which no session has: there is no auth.jwt", part)
		}
	}
	return nil
}

// reaches reports whether the patterns fit the topic of the class or of a channel
// of it.
func reaches(set *auth.PatternSet, c *events.Class) bool {
	topic := wamp.URI(c.Name())
	return set.Touches(topic, wamp.Exact) || c.HasChannels() && set.Touches(topic+".", wamp.Wildcard)
}

// checkClaims has JWTs' claims kept that queries of any realm's roles ask for.
func (c *Config) checkClaims(report func(path string, err error)) {
	if c.JWT == nil {
		return
	}
	names := map[string]bool{}
	for i := range c.Realms {
		for _, rows := range c.Realms[i].Rows {
			for _, row := range rows {
				for _, part := range row.Query.SessionParts() {
					if name, ok := strings.CutPrefix(part, "claims."); ok {
						names[name] = true
					}
				}
			}
		}
	}
	c.JWT.Claims = slices.Sorted(maps.Keys(names))
	c.JWT.Validate(func(field string, err error) {
		if field == "claims" {
			report("roles", fmt.Errorf("claims of JWTs that queries ask for: %w", err))
		}
	})
}
