package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
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
	events.CheckClasses(c.Classes, func(class, path string, err error) {
		report(join(join("classes", class), path), err)
	})
	c.checkRoles(report)
}

// checkRoles reports roles that are named and not defined.
func (c *Config) checkRoles(report func(path string, err error)) {
	unknown := func(path, role string) {
		if _, ok := c.Roles[role]; !ok {
			report(path, noRole(c.Roles, role))
		}
	}
	for _, user := range c.Users {
		for i, role := range user.Roles {
			if _, ok := c.Roles[role]; !ok {
				c.usersReport(fmt.Sprintf("%s.roles[%d]", user.Name, i), noRole(c.Roles, role))
			}
		}
		if len(user.Roles) == 0 && c.Identity.Default == "" {
			c.usersReport(user.Name+".roles", errors.New("expected a role, as there is no auth.default_role, found none"))
		}
	}
	if c.Identity.Default != "" {
		unknown("auth.default_role", c.Identity.Default)
	}
	for _, class := range c.Classes {
		for i, role := range class.Access.Roles {
			unknown(fmt.Sprintf("classes.%s.access[%d]", class.Name, i), role)
		}
	}
	for i, key := range c.Keys {
		for j, role := range key.Tokens {
			if role != "*" {
				unknown(fmt.Sprintf("ingest.keys[%d].tokens[%d]", i, j), role)
			}
		}
	}
}

func noRole(roles auth.Roles, role string) error {
	return fmt.Errorf("expected one of the roles %q, found %q", slices.Sorted(maps.Keys(roles)), role)
}

// check reports a certificate that cannot be used. It never quotes the key.
func (t *TLS) check(o *object) {
	if t.Cert == "" {
		o.report("cert", errors.New("expected a certificate in PEM, in cert or cert_file, found none"))
	}
	if t.Key == "" {
		o.report("key", errors.New("expected a private key in PEM, in key or key_file, found none"))
	}
	if t.Cert == "" || t.Key == "" {
		return
	}
	if _, err := t.Certificate(); err != nil {
		o.report("cert", fmt.Errorf("expected a certificate and its private key in PEM: %s", strings.TrimPrefix(err.Error(), "tls: ")))
	}
}

// Certificate returns the certificate with its key.
func (t *TLS) Certificate() (tls.Certificate, error) {
	return tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
}
