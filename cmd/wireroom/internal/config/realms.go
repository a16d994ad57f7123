package config

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Realm is what a configuration file says of one realm. Realms have nothing
// in common: neither roles nor users nor classes nor logs.
//
// A file has its realms either in the short form, one realm whose keys stand
// at the top of the file, or in the long form, each under its name in realms.
// One function reads both. A new key of realms is a new field here, read by
// [Realm.read] or, if it belongs to auth, by [Realm.readAuth], with its
// default in defaultRealm and what other parts have to say to it in
// [Realm.check]; its paths for problems begin with Realm.at. Then it works in
// both forms, and docs/configuration.md needs one row more in each of them.
type Realm struct {
	Name wamp.URI

	Identity auth.RoleConfig  // which role a client without one gets
	Users    auth.UsersConfig // in the order of their file

	// Authenticators are procedures that say who somebody is, by method.
	Authenticators map[string]wamp.URI

	// AuthenticatorRealms are other realms into which these may send clients.
	AuthenticatorRealms []wamp.URI

	Roles   auth.Roles
	Classes []events.ClassConfig // in the order of the file
	History []router.HistoryConfig

	// RoleLimits has the limits of the sessions of each role that has other
	// ones than the gateway's sessions.
	RoleLimits map[string]*router.Limits

	// RoleQueries has what bounds the queries of each role that has other
	// bounds than all.
	RoleQueries map[string]*events.RoleQueries

	// Rows has which events members of a role see, of each role that does not
	// see all that it may subscribe to.
	Rows map[string][]Row

	at          string                        // path of the realm's keys; "" in the short form
	usersReport func(field string, err error) // reports problems with users, wherever they stand
}

// defaultRealm returns what holds of a realm where a file says nothing.
func defaultRealm(name, at string) Realm {
	return Realm{Name: wamp.URI(name), Identity: auth.DefaultRoleConfig(), at: at}
}

// Realm returns the realm of that name, or nil.
func (c *Config) Realm(name wamp.URI) *Realm {
	if i := slices.IndexFunc(c.Realms, func(r Realm) bool { return r.Name == name }); i >= 0 {
		return &c.Realms[i]
	}
	return nil
}

// readRealms reads the long form.
func (c *Config) readRealms(o *object) {
	if o.has("realms") {
		c.Realms = nil
	}
	o.each("realms", "realm", func(name string, n *yaml.Node, path string) {
		r := defaultRealm(name, path)
		o.d.object(n, path, func(o *object) {
			o.again(func() {
				o.sub("auth", r.readAuth)
				r.read(o, c)
			})
		})
		if !o.d.describe {
			checkRealmName(r.Name, func(err error) { o.d.reporter("")(path, err) })
			c.Realms = append(c.Realms, r)
		}
	})
	if o.has("realms") && len(c.Realms) == 0 {
		o.report("realms", errors.New("expected at least one realm, found none"))
	}
}

// readName reads the name of the realm in the short form.
func (r *Realm) readName(o *object) {
	o.uri("realm", &r.Name)
	checkRealmName(r.Name, func(err error) { o.report("realm", err) })
}

// maxRealmName is the longest name in bytes: a client of the router cannot say
// HELLO with a longer one.
const maxRealmName = 1024

func checkRealmName(name wamp.URI, report func(err error)) {
	switch {
	case !name.Valid():
		report(fmt.Errorf("expected a URI, that is words joined by single dots, without spaces and #, found %q", name))
	case len(name) > maxRealmName:
		report(fmt.Errorf("expected a URI of at most %d bytes, found %d", maxRealmName, len(name)))
	case name.Reserved():
		report(fmt.Errorf(`expected a URI that is not under "wamp.", found %q`, name))
	}
}

// read reads the keys of a realm, apart from those in auth. all is what holds
// for roles that do not say.
func (r *Realm) read(o *object, all *Config) {
	r.readRoles(o, all)
	o.each("classes", "class", func(name string, n *yaml.Node, path string) {
		r.Classes = append(r.Classes, o.d.class(name, n, path))
	})
	r.readHistory(o)
}

// readAuth reads the keys in auth that belong to a realm.
func (r *Realm) readAuth(o *object) {
	r.readUsers(o)
	r.readAuthenticators(o)
	o.string("anonymous_role", &r.Identity.Anonymous)
	o.string("default_role", &r.Identity.Default)
	o.validate(r.Identity.Validate)
}

func (r *Realm) readRoles(o *object, all *Config) {
	r.Roles = auth.Roles{}
	o.each("roles", "role", func(name string, n *yaml.Node, path string) {
		var role auth.Role
		o.d.object(n, path, func(o *object) {
			o.patterns("subscribe", &role.Subscribe)
			o.patterns("publish", &role.Publish)
			o.patterns("call", &role.Call)
			o.patterns("register", &role.Register)
			o.patterns("presence", &role.Presence)
			o.where("where", &role.Where)
			o.disclose("disclose", &role.Disclose)
			o.uri("authorizer", &role.Authorizer)
			o.inherit(func() {
				r.readRoleLimits(name, o, all.Router.Limits)
				r.readRoleQueries(name, o, all.Queries.RoleQueries)
			})
		})
		r.Roles[name] = role
	})
	o.required("roles", "a mapping of roles")
	r.Roles.Validate(o.d.reporter(join(r.at, "roles")))
}

// readRoleLimits reads what sessions of a role may use, where that is not what
// all may.
func (r *Realm) readRoleLimits(role string, o *object, all router.Limits) {
	l := all
	readQueue(o, &l)
	o.sub("limits", func(o *object) { readSessionLimits(o, &l) })
	readLinger(o, &l)
	if l == all {
		return
	}
	if r.RoleLimits == nil {
		r.RoleLimits = map[string]*router.Limits{}
	}
	r.RoleLimits[role] = &l
}

// check looks at what concerns several parts of the realm, and has the rooms
// look at theirs.
func (r *Realm) check(report func(path string, err error)) {
	events.CheckClasses(r.Classes, func(class, path string, err error) {
		report(join(join(join(r.at, "classes"), class), path), err)
	})
	r.checkHistory(report)
	for _, user := range r.Users {
		for i, role := range user.Roles {
			if err := r.hasRole(role); err != nil {
				r.usersReport(fmt.Sprintf("%s.roles[%d]", user.Name, i), err)
			}
		}
		if len(user.Roles) == 0 && r.Identity.Default == "" {
			r.usersReport(user.Name+".roles", errors.New("expected a role, as there is no auth.default_role, found none"))
		}
	}
	r.checkAuthorizers(report)
	r.checkAuthenticators(report)
	if r.Identity.Default != "" {
		if err := r.hasRole(r.Identity.Default); err != nil {
			report(join(r.at, "auth.default_role"), err)
		}
	}
	for _, class := range r.Classes {
		for i, role := range class.Access.Roles {
			if err := r.hasRole(role); err != nil {
				report(join(r.at, fmt.Sprintf("classes.%s.access[%d]", class.Name, i)), err)
			}
		}
	}
}
