package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// fieldPaths says under which path of the file the rooms' fields stand, where
// they do not stand under their own names.
var fieldPaths = map[string]string{
	"max_message":     "limits.message",
	"ping_interval":   "timeouts.ping_interval",
	"ping_timeout":    "timeouts.ping_timeout",
	"close_timeout":   "timeouts.goodbye",
	"upgrade_timeout": "timeouts.upgrade",
	"deflate_min":     "compression.min_size",
	"proxies":         "listen.proxy.from",
}

// check looks at what concerns several parts of the file, and has the rooms
// look at theirs.
func (c *Config) check(d *decoder) {
	if d.describe {
		return
	}
	report := d.reporter("")
	c.Transport.CloseTimeout = c.Router.GoodbyeTimeout
	c.Transport.Validate(func(field string, err error) {
		if path, ok := fieldPaths[field]; ok {
			field = path
		}
		report(field, err)
	})
	for i := range c.Realms {
		c.Realms[i].check(report)
		c.Realms[i].checkRows(c.JWT, report)
		c.checkAuthenticatorRealms(&c.Realms[i], report)
	}
	c.checkClaims(report)
	c.checkKeys(report)
	c.checkCertificates()
	c.certificates = placeCertificates(d, c.Listen.TLS)
	if c.Bridge != nil {
		c.Bridge.check(c, report)
	}
	c.checkWebhooks(report)
}

// checkCertificates reports users whose certificates nobody would ask for.
func (c *Config) checkCertificates() {
	if c.Listen.TLS != nil && c.Listen.TLS.ClientCA.Text != "" {
		return
	}
	for i := range c.Realms {
		for _, user := range c.Realms[i].Users {
			if len(user.TLS) > 0 {
				c.Realms[i].usersReport(user.Name+".tls", errors.New("expected none, as there is no listen.tls.client_ca, found some"))
			}
		}
	}
}

// checkKeys finds the realm of each ingest key, and reports roles that it
// lacks.
func (c *Config) checkKeys(report func(path string, err error)) {
	if len(c.Realms) == 0 {
		return // which was reported
	}
	for i := range c.Keys {
		key := &c.Keys[i]
		if key.Realm == "" {
			key.Realm = c.Realms[0].Name
		}
		realm := c.Realm(key.Realm)
		if realm == nil {
			report(fmt.Sprintf("ingest.keys[%d].realm", i), fmt.Errorf("expected one of the realms %q, found %q", c.realmNames(), key.Realm))
			continue
		}
		for j, role := range key.Tokens {
			if role == "*" {
				continue
			}
			if err := realm.hasRole(role); err != nil {
				report(fmt.Sprintf("ingest.keys[%d].tokens[%d]", i, j), err)
			}
		}
	}
}

func (c *Config) realmNames() []string {
	names := make([]string, len(c.Realms))
	for i := range c.Realms {
		names[i] = string(c.Realms[i].Name)
	}
	return names
}

// hasRole returns what is wrong if the realm does not have the role.
func (r *Realm) hasRole(role string) error {
	if _, ok := r.Roles[role]; ok {
		return nil
	}
	roles := slices.Sorted(maps.Keys(r.Roles))
	if r.at == "" {
		return fmt.Errorf("expected one of the roles %q, found %q", roles, role)
	}
	return fmt.Errorf("expected one of the roles %q of the realm %s, found %q", roles, r.Name, role)
}
