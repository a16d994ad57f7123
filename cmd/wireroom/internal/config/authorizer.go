package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

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
