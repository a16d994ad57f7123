package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Role says which URIs its members may use, and how. What no pattern names
// is forbidden.
type Role struct {
	Subscribe []Pattern `yaml:"subscribe"`
	Publish   []Pattern `yaml:"publish"`
	Call      []Pattern `yaml:"call"`
	Register  []Pattern `yaml:"register"`
}

// Validate reports each bad pattern, as "subscribe[0]" and so on.
func (r Role) Validate(report func(field string, err error)) {
	for action, patterns := range r.patterns() {
		for i, p := range patterns {
			if err := p.Validate(); err != nil {
				report(fmt.Sprintf("%s[%d]", Action(action), i), err)
			}
		}
	}
}

func (r Role) patterns() [numActions][]Pattern {
	return [numActions][]Pattern{r.Subscribe, r.Publish, r.Call, r.Register}
}

// Roles are the roles of one realm, by name.
type Roles map[string]Role

// Validate reports each bad name and pattern, as "member" and
// "member.subscribe[0]", in the order of the names.
func (r Roles) Validate(report func(field string, err error)) {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if err := checkRoleName(name); err != nil {
			report(name, err)
		}
		r[name].Validate(func(field string, err error) { report(name+"."+field, err) })
	}
}

// An Action is what a session wants to do with a URI. The values are those of
// the router's own type.
type Action uint8

// The actions that roles allow.
const (
	Subscribe Action = iota
	Publish
	Call
	Register

	numActions = 4
)

// String returns "subscribe", "publish", "call" or "register".
func (a Action) String() string {
	return [numActions]string{"subscribe", "publish", "call", "register"}[a]
}

// A Policy is the roles of all realms, made ready for use. It is immutable.
type Policy struct {
	realms map[wamp.URI]map[string]*permissions
}

type permissions [numActions]*PatternSet

// NewPolicy returns the policy with the roles of each realm, or an error that
// names every bad pattern.
func NewPolicy(realms map[wamp.URI]Roles) (*Policy, error) {
	p := &Policy{realms: make(map[wamp.URI]map[string]*permissions, len(realms))}
	var errs []error
	for _, realm := range slices.Sorted(maps.Keys(realms)) {
		realms[realm].Validate(func(field string, err error) {
			errs = append(errs, fmt.Errorf("realm %s: roles.%s: %w", realm, field, err))
		})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for realm, roles := range realms {
		compiled := make(map[string]*permissions, len(roles))
		for name, role := range roles {
			perm := new(permissions)
			for action, patterns := range role.patterns() {
				set, err := NewPatternSet(patterns)
				if err != nil {
					return nil, fmt.Errorf("realm %s: roles.%s.%s: %w", realm, name, Action(action), err)
				}
				perm[action] = set
			}
			compiled[name] = perm
		}
		p.realms[realm] = compiled
	}
	return p, nil
}

// HasRole reports whether the realm has a role of that name.
func (p *Policy) HasRole(realm wamp.URI, role string) bool {
	return p.realms[realm][role] != nil
}

// Authorize reports whether a session of the role may do action on uri, which
// for [Subscribe] and [Register] is a pattern under match. A pattern is
// allowed only if every URI that it can match is ([PatternSet.Covers]).
// Realms, roles and actions that are not known may do nothing. It does not
// allocate.
//
// What the router offers under wamp. is for those only who are given it by
// name, such as wamp.*: with it one can end other sessions, and learn who is
// there. A subscription that * allows and that would match some of it as well
// is allowed; what such a subscriber gets is for the router to ask about, topic
// by topic.
func (p *Policy) Authorize(realm wamp.URI, role string, action Action, uri wamp.URI, match wamp.Match) bool {
	perm := p.realms[realm][role]
	if perm == nil || action >= numActions {
		return false
	}
	if uri.Reserved() {
		return perm[action].coversReserved(uri, match)
	}
	return perm[action].Covers(uri, match)
}
