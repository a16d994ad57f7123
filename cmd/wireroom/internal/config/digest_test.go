package config_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

var digestYAML = strings.Replace(`
store: redis://localhost
redis: {node: one}
listen: {http: 127.0.0.1:1}
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
  users: {ada: {roles: [member], ticket_sha256: "%s"}}
roles:
  anonymous: {subscribe: ["a.*"]}
  member: {subscribe: ["*"], where: "n > 1"}
ingest:
  keys: [{name: shop, secret: a-key-that-is-only-for-these-tests, classes: ["*"]}]
classes:
  a.b: {fields: {n: {type: int, enum: [1, 2]}, x: {type: string}}, retain: {events: 5}, persistent: {expires: 1h}}
  c.d: {fields: {n: {type: number, min: 1}}}
history:
  - {topic: old.times, events: 5}
`, "%s", strings.Repeat("0", 64), 1)

func digestFor(t *testing.T, text string) (string, map[string]string) {
	t.Helper()
	c, problems := config.Parse("x.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c.Digest()
}

// Whatever gateways must have alike makes another digest, and names its part; and
// nothing else does.
func TestDigest(t *testing.T) {
	digest, parts := digestFor(t, digestYAML)
	if len(digest) != 32 {
		t.Errorf("the digest is %q", digest)
	}
	if again, _ := digestFor(t, digestYAML); again != digest {
		t.Errorf("the same has two digests, %s and %s", digest, again)
	}
	for _, test := range []struct {
		name, old, new string
		want           []string
	}{
		{"another name", "node: one", "node: two", nil},
		{"another address", "127.0.0.1:1", "127.0.0.1:2", nil},
		{"another store", "redis://localhost", "redis://other", nil},
		{"another secret", "a-secret-that", "another-that", nil},
		{"another password", strings.Repeat("0", 64), strings.Repeat("1", 64), nil},
		{"another key", "a-key-that", "another-key-that", nil},
		{"another pattern", `["a.*"]`, `["b.*"]`, []string{"realm realm1: role anonymous"}},
		{"another row", "n > 1", "n > 2", []string{"realm realm1: role member"}},
		{"limits of a role", `subscribe: ["*"],`, `subscribe: ["*"], queue: {bytes: 64KiB},`, []string{"realm realm1: role member"}},
		{"one role more", "  member:", "  more: {}\n  member:", []string{"realm realm1: role more"}},
		{"another value", "[1, 2]", "[1, 3]", []string{"realm realm1: class a.b"}},
		{"no number", "{type: number, min: 1}", "{type: number, enum: [1]}", []string{"realm realm1: class c.d"}},
		{"another log", "events: 5}, persistent", "events: 6}, persistent", []string{"realm realm1: class a.b"}},
		{"not persistent", ", persistent: {expires: 1h}", "", []string{"realm realm1: class a.b"}},
		{"one class less", "  c.d: {fields: {n: {type: number, min: 1}}}\n", "", []string{"realm realm1: class c.d"}},
		{"another history", "old.times, events: 5", "old.times, events: 6", []string{"realm realm1: history of old.times"}},
		{"another queue", "listen:", "queue: {bytes: 64KiB}\nlisten:", []string{"queues and limits"}},
		{"other tokens", "listen:", "sessions: {ttl: 100h}\nlisten:", []string{"sessions"}},
		{"fewer subscriptions", "listen:", "sessions: {subscriptions: 5}\nlisten:", []string{"sessions"}},
		{"fewer queries", "listen:", "queries: {number: 5}\nlisten:", []string{"queries"}},
		{"longer presence", "listen:", "presence: {linger: 9s}\nlisten:", []string{"presence"}},
		{"other ways in", "auth:\n", "auth:\n  anonymous_role: member\n", []string{"realm realm1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(digestYAML, test.old, test.new, 1)
			if text == digestYAML {
				t.Fatal("nothing is changed")
			}
			other, otherParts := digestFor(t, text)
			all := maps.Clone(parts)
			maps.Copy(all, otherParts)
			var got []string
			for name := range all {
				if parts[name] != otherParts[name] {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) || (other == digest) != (len(test.want) == 0) {
				t.Errorf("the digest is another one: %v; what differs is %q, want %q", other != digest, got, test.want)
			}
		})
	}
}
