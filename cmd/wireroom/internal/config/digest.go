package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Digest returns what stands for all that several gateways over one store must have
// alike, and for each part of it, by a name for people: what realms, roles, classes,
// histories, sessions and queues are like. Listeners, TLS, users, keys and other
// secrets are not in it, nor is what depends on the machine. Another version of the
// gateway may give another digest for the same file.
func (c *Config) Digest() (digest string, parts map[string]string) {
	queues := c.Router
	queues.Flushers = 0
	parts = map[string]string{
		"sessions": digestOf(
			c.Sessions.Cookie, c.Sessions.TTL, c.Sessions.Max, c.Sessions.Rotate, c.Sessions.Grace, c.Sessions.Devices, c.Persistent,
		),
		"queues and limits": digestOf(queues),
		"queries":           digestOf(c.Queries.RoleQueries, c.Queries.Index, c.Queries.Waste),
		"presence":          digestOf(c.Presence),
	}
	for i := range c.Realms {
		c.Realms[i].digest(parts)
	}
	return digestOf(parts), parts // maps are written in the order of their keys
}

// digest adds the parts of a realm.
func (r *Realm) digest(parts map[string]string) {
	realm := "realm " + string(r.Name)
	parts[realm] = digestOf(r.Identity, r.Authenticators, r.AuthenticatorRealms)
	for name, role := range r.Roles {
		parts[realm+": role "+name] = digestOf(struct {
			Role    auth.Role
			Limits  *router.Limits
			Queries *events.RoleQueries
		}{role, r.RoleLimits[name], r.RoleQueries[name]})
	}
	for i := range r.Classes {
		parts[realm+": class "+r.Classes[i].Name] = digestOf(&r.Classes[i])
	}
	histories := map[wamp.URI][]router.HistoryConfig{} // one topic may have several, by match
	for _, h := range r.History {
		histories[h.Topic] = append(histories[h.Topic], h)
	}
	for topic, h := range histories {
		parts[realm+": history of "+string(topic)] = digestOf(h)
	}
}

// digestOf returns 32 hexadecimal digits that stand for the exported fields of values.
func digestOf(values ...any) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			fmt.Fprintf(h, "%T: %v", v, err) // such as a number that JSON has not
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
