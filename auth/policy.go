package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Role says which URIs its members may use, and how. What no pattern names
// is forbidden, or asked about.
type Role struct {
	Subscribe []Pattern `yaml:"subscribe"`
	Publish   []Pattern `yaml:"publish"`
	Call      []Pattern `yaml:"call"`
	Register  []Pattern `yaml:"register"`

	// Where limits what members see of the events of the classes that a pattern
	// reaches: to those of which the query is true. It is a text to this
	// package, and allows nothing: that is for Subscribe.
	Where map[Pattern]string `yaml:"where"`

	// Presence are topics of which members may know who is on them, as far as they
	// may subscribe to them.
	Presence []Pattern `yaml:"presence"`

	Disclose Disclose `yaml:"disclose"`

	// Authorizer is a procedure that is asked about what no pattern allows;
	// empty: that is forbidden.
	Authorizer wamp.URI `yaml:"authorizer"`
}

// Validate reports each bad pattern, as "subscribe[0]", "where.a.b",
// "disclose.caller.a.b" and so on.
func (r Role) Validate(report func(field string, err error)) {
	for action, patterns := range r.patterns() {
		for i, p := range patterns {
			if err := p.Validate(); err != nil {
				report(fmt.Sprintf("%s[%d]", Action(action), i), err)
			}
		}
	}
	for i, p := range r.Presence {
		if err := p.Validate(); err != nil {
			report(fmt.Sprintf("presence[%d]", i), err)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(r.Where)) {
		if err := p.Validate(); err != nil {
			report(fmt.Sprintf("where.%s", p), err)
		} else if wamp.URI(p).Reserved() {
			report(fmt.Sprintf("where.%s", p), errors.New(`expected a pattern of classes, found one of what the router tells under "wamp."`))
		}
	}
	r.Disclose.validate(func(field string, err error) { report("disclose."+field, err) })
	if r.Authorizer != "" {
		if err := CheckProcedure(r.Authorizer); err != nil {
			report("authorizer", err)
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
	realms   map[wamp.URI]map[string]*permissions
	presence map[wamp.URI]*PatternSet // of all roles of a realm
}

// Permissions are a role, made ready for use.
type permissions struct {
	may       [numActions]*PatternSet
	presence  *PatternSet
	caller    *disclosureTree
	publisher *disclosureTree
	toCallee  Disclosure

	authorizer wamp.URI
}

// NewPolicy returns the policy with the roles of each realm, or an error that
// names every bad pattern.
func NewPolicy(realms map[wamp.URI]Roles) (*Policy, error) {
	p := &Policy{
		realms:   make(map[wamp.URI]map[string]*permissions, len(realms)),
		presence: make(map[wamp.URI]*PatternSet, len(realms)),
	}
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
		var anybody []Pattern
		for name, role := range roles {
			perm := new(permissions)
			for action, patterns := range role.patterns() {
				set, err := NewPatternSet(patterns)
				if err != nil {
					return nil, fmt.Errorf("realm %s: roles.%s.%s: %w", realm, name, Action(action), err)
				}
				perm.may[action] = set
			}
			var err error
			if perm.presence, err = NewPatternSet(role.Presence); err != nil {
				return nil, fmt.Errorf("realm %s: roles.%s.presence: %w", realm, name, err)
			}
			anybody = append(anybody, role.Presence...)
			perm.authorizer = role.Authorizer
			perm.caller, perm.publisher = newDisclosureTree(role.Disclose.Caller), newDisclosureTree(role.Disclose.Publisher)
			if role.Disclose.ToCallee != nil {
				perm.toCallee = disclosure(*role.Disclose.ToCallee)
			}
			compiled[name] = perm
		}
		p.realms[realm] = compiled
		if len(anybody) > 0 {
			p.presence[realm], _ = NewPatternSet(anybody) // each was taken above
		}
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
	return perm != nil && perm.allow(action, uri, match)
}

// Decide is Authorize, and says besides who is disclosed by what it allows: by
// a call or publication the session itself, and by a registration its callers.
func (p *Policy) Decide(realm wamp.URI, role string, action Action, uri wamp.URI, match wamp.Match) (allowed bool, who Disclosure) {
	perm := p.realms[realm][role]
	if perm == nil || !perm.allow(action, uri, match) {
		return false, DiscloseOnRequest
	}
	return true, perm.discloses(action, uri)
}

// Authorizer returns the procedure that is to be asked about what the role is
// not allowed by [Policy.Decide], empty if there is none, and what is disclosed
// if that allows it and says nothing of disclosure.
func (p *Policy) Authorizer(realm wamp.URI, role string, action Action, uri wamp.URI) (procedure wamp.URI, who Disclosure) {
	perm := p.realms[realm][role]
	if perm == nil || perm.authorizer == "" {
		return "", DiscloseOnRequest
	}
	return perm.authorizer, perm.discloses(action, uri)
}

// MayRegister reports whether the role may offer the procedure itself.
func (r Role) MayRegister(procedure wamp.URI) bool {
	set, err := NewPatternSet(r.Register)
	return err == nil && set.Covers(procedure, wamp.Exact)
}

// CheckProcedure returns an error if the URI is no procedure that a client can
// register.
func CheckProcedure(uri wamp.URI) error {
	switch {
	case !uri.Valid():
		return fmt.Errorf("expected a procedure, words joined by single dots, without spaces and #, found %q", uri)
	case uri.Reserved() || strings.HasPrefix(string(uri), "wireroom."):
		return fmt.Errorf(`expected a procedure that a client can register, which is not under "wamp." and "wireroom.", found %q`, uri)
	}
	return nil
}

func (p *permissions) allow(action Action, uri wamp.URI, match wamp.Match) bool {
	switch {
	case action >= numActions:
		return false
	case uri.Reserved():
		return p.may[action].coversReserved(uri, match)
	default:
		return p.may[action].Covers(uri, match)
	}
}

func (p *permissions) discloses(action Action, uri wamp.URI) Disclosure {
	switch action {
	case Call:
		return p.caller.find(string(uri))
	case Publish:
		return p.publisher.find(string(uri))
	case Register:
		return p.toCallee
	default:
		return DiscloseOnRequest
	}
}
