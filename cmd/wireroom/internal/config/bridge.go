package config

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/ingest/bridge"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Bridge is where and for whom programs without WAMP publish and call by
// HTTP.
type Bridge struct {
	bridge.Config        // with bounds of [Ingest]
	Publish       string // path; empty: nobody publishes
	Call          string // path; empty: nobody calls
}

// ownPaths are those that the gateway serves by itself.
var ownPaths = []string{"/", "/ws", "/RPC2", "/events", "/session", "/lp", "/healthz", "/readyz", "/metrics"}

func (c *Config) readBridge(o *object) {
	b := &Bridge{Config: bridge.DefaultConfig()}
	if o.sub("bridge", func(o *object) {
		o.string("publish", &b.Publish)
		o.string("call", &b.Call)
		b.checkPaths(o)
		o.list("keys", "list of mappings", "", func(n *yaml.Node, path string) {
			b.Keys = append(b.Keys, o.d.bridgeKey(n, path))
		})
		o.sub("anonymous", func(o *object) {
			who := new(bridge.Principal)
			o.string("realm", &who.Realm)
			o.string("role", &who.Role)
			o.required("role", "a role")
			b.Anonymous = who
		})
		o.duration("clock_skew", &b.ClockSkew, time.Second, maxTimeout)
		o.duration("call_timeout", &b.CallTimeout, 10*time.Millisecond, maxTimeout)
	}) && !o.d.describe {
		c.Bridge = b
	}
}

func (d *decoder) bridgeKey(n *yaml.Node, path string) (k bridge.Key) {
	d.object(n, path, func(o *object) {
		o.string("name", &k.Key)
		o.required("name", "a name for the log")
		var secret auth.Secret
		o.secret("secret", &secret)
		k.Secret = bridge.Secret(secret)
		o.string("realm", &k.Realm)
		o.string("role", &k.Role)
		o.required("role", "a role")
	})
	return k
}

// checkPaths reports paths that cannot be served.
func (b *Bridge) checkPaths(o *object) {
	if o.d.describe {
		return
	}
	for _, p := range []struct{ key, path string }{{"publish", b.Publish}, {"call", b.Call}} {
		switch {
		case p.path == "":
		case p.path[0] != '/' || path.Clean(p.path) != p.path || strings.ContainsAny(p.path, "{}%?# "):
			o.report(p.key, fmt.Errorf("expected a path, such as /%s, found %q", p.key, p.path))
		case slices.ContainsFunc(ownPaths, func(own string) bool { return p.path == own || own != "/" && strings.HasPrefix(p.path, own+"/") }):
			o.report(p.key, fmt.Errorf("expected a path of its own, found %q, at which there is something else", p.path))
		}
	}
	if b.Publish == "" && b.Call == "" {
		o.report("publish", errors.New("expected a path in publish, or in call, or in both, found none"))
	}
	if b.Publish != "" && b.Publish == b.Call {
		o.report("call", fmt.Errorf("expected another path than that of publish, found %q", b.Call))
	}
}

// check finds the realm of each key, and has the bridge look at the rest.
func (b *Bridge) check(c *Config, report func(path string, err error)) {
	b.MaxBody, b.MaxDepth, b.ReadTimeout = int64(c.Ingest.MaxBody), c.Ingest.MaxDepth, c.Ingest.Timeout
	for i := range b.Keys {
		c.checkPrincipal(&b.Keys[i].Principal, fmt.Sprintf("bridge.keys[%d]", i), report)
	}
	if b.Anonymous != nil {
		c.checkPrincipal(b.Anonymous, "bridge.anonymous", report)
	}
	b.Validate(func(field string, err error) { report(join("bridge", field), err) })
}

func (c *Config) checkPrincipal(who *bridge.Principal, path string, report func(path string, err error)) {
	realm := c.namedRealm(&who.Realm, path, report)
	if realm == nil || who.Role == "" {
		return // which was reported
	}
	if err := realm.hasRole(who.Role); err != nil {
		report(join(path, "role"), err)
	}
}

// namedRealm returns the realm that something at path belongs to: the one that
// it names, or else the first, whose name it gets. It is nil if there is none,
// which is reported.
func (c *Config) namedRealm(name *string, path string, report func(path string, err error)) *Realm {
	if len(c.Realms) == 0 {
		return nil
	}
	if *name == "" {
		*name = string(c.Realms[0].Name)
	}
	realm := c.Realm(wamp.URI(*name))
	if realm == nil {
		report(join(path, "realm"), fmt.Errorf("expected one of the realms %q, found %q", c.realmNames(), *name))
	}
	return realm
}
