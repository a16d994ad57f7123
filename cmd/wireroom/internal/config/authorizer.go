package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// checkAuthorizers reports procedures that decide on rights, and that anybody
// could offer, or nobody.
func (r *Realm) checkAuthorizers(report func(path string, err error)) {
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		if procedure := r.Roles[name].Authorizer; procedure != "" {
			if err := r.checkGuard(procedure); err != nil {
				report(join(r.at, fmt.Sprintf("roles.%s.authorizer", name)), err)
			}
		}
	}
}

// readAuthenticators reads which procedures say who somebody is.
func (r *Realm) readAuthenticators(o *object) {
	o.sub("authenticators", func(o *object) {
		for _, method := range auth.LookupMethods {
			var procedure wamp.URI
			o.uri(method, &procedure)
			if procedure == "" {
				continue
			}
			if r.Authenticators == nil {
				r.Authenticators = map[string]wamp.URI{}
			}
			r.Authenticators[method] = procedure
			if err := auth.CheckProcedure(procedure); err != nil {
				o.report(method, err)
			}
		}
	})
	var realms []string
	o.strings("authenticator_realms", "realms", &realms, "")
	for _, name := range realms {
		r.AuthenticatorRealms = append(r.AuthenticatorRealms, wamp.URI(name))
	}
}

// checkAuthenticatorRealms reports realms into which no client can be sent.
func (c *Config) checkAuthenticatorRealms(r *Realm, report func(path string, err error)) {
	var names []wamp.URI
	for i := range c.Realms {
		if c.Realms[i].Name != r.Name {
			names = append(names, c.Realms[i].Name)
		}
	}
	for i, name := range r.AuthenticatorRealms {
		at := join(r.at, fmt.Sprintf("auth.authenticator_realms[%d]", i))
		switch {
		case len(names) == 0:
			report(at, fmt.Errorf("expected none, as there is no other realm than %s, found %q", r.Name, name))
		case !slices.Contains(names, name):
			report(at, fmt.Errorf("expected one of the other realms %q, found %q", names, name))
		case len(r.Authenticators) == 0:
			report(at, fmt.Errorf("expected auth.authenticators beside it, which send clients there, found none"))
		}
	}
}

// checkAuthenticators reports procedures that anybody could offer, or nobody,
// and users who would not be found because the application is asked instead.
func (r *Realm) checkAuthenticators(report func(path string, err error)) {
	for _, method := range auth.LookupMethods {
		procedure := r.Authenticators[method]
		if procedure == "" {
			continue
		}
		at := join(r.at, "auth.authenticators."+method)
		if err := r.checkGuard(procedure); err != nil {
			report(at, err)
		}
		for _, user := range r.Users {
			if method == auth.MethodCRA && user.CRA != nil || method == auth.MethodSCRAM && user.SCRAM != nil || method == auth.MethodCryptosign && len(user.Cryptosign) > 0 {
				report(at, fmt.Errorf("expected no users with %s besides, who would not be looked for, found %q", method, user.Name))
				break
			}
		}
	}
}

// checkGuard returns an error if the procedure, which is to decide for the
// gateway, is not for those to offer who should.
func (r *Realm) checkGuard(procedure wamp.URI) error {
	if r.Roles[r.Identity.Anonymous].MayRegister(procedure) {
		return fmt.Errorf("expected a procedure that the role %s may not register, found one that it may: everybody could give themselves every right", r.Identity.Anonymous)
	}
	for _, role := range r.Roles {
		if role.MayRegister(procedure) {
			return nil
		}
	}
	return errors.New("expected a procedure that some role may register, found one that no role's patterns allow")
}
