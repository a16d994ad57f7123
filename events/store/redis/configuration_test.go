package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/store/redis"
)

// knows waits until the follower was told of a configuration.
func (f *follower) knows(t *testing.T, what string, is func(c redis.Configured) bool) (c redis.Configured) {
	t.Helper()
	await(t, what, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		c = f.configured
		if !is(c) {
			return fmt.Errorf("it was told %+v", c)
		}
		return nil
	})
	return c
}

// have reports whether the gateways of these names have these digests in these
// epochs: "one a 1".
func have(want ...string) func(c redis.Configured) bool {
	return func(c redis.Configured) bool {
		var got []string
		for _, g := range c.Gateways {
			got = append(got, fmt.Sprintf("%s %s %d", g.Name, g.Digest, g.Epoch))
		}
		return slices.Equal(got, want)
	}
}

// follows opens a store of a gateway with a name.
func follows(t *testing.T, sv *server, name string) (*redis.Store, *follower) {
	t.Helper()
	s := openNamed(t, sv.url(), name, time.Minute)
	f := new(follower)
	s.Follow(f)
	return s, f
}

// The configuration that came last is the newest one, for all; who has another one
// knows what is different.
func TestConfigurations(t *testing.T) {
	sv := start(t)
	one, two := redis.Configuration{Digest: "d1", Parts: map[string]string{"class a": "1", "class b": "1", "role r": "1"}},
		redis.Configuration{Digest: "d2", Parts: map[string]string{"class a": "1", "class b": "2", "class c": "1"}}
	a, fa := follows(t, sv, "a")
	if c := fa.knows(t, "a is known without a configuration", have("a  0")); c.Epoch != 0 || c.Digest != "" {
		t.Errorf("with none, Configured = %+v", c)
	}
	a.Configure(one)
	if c := fa.knows(t, "a's is the first", have("a d1 1")); c.Epoch != 1 || c.Name != "a" || c.Node != a.Node() || c.Differs != nil || time.Since(c.Since).Abs() > time.Hour {
		t.Errorf("Configured = %+v", c)
	}
	b, fb := follows(t, sv, "b")
	b.Configure(one)
	for _, f := range []*follower{fa, fb} {
		if c := f.knows(t, "b has the same", have("a d1 1", "b d1 1")); c.Epoch != 1 || c.Name != "a" {
			t.Errorf("Configured = %+v", c)
		}
	}
	b.Configure(two)
	for f, want := range map[*follower][]string{fa: {"class b", "class c", "role r"}, fb: nil} {
		c := f.knows(t, "b has another one", have("a d1 1", "b d2 2"))
		if c.Epoch != 2 || c.Name != "b" || c.Digest != "d2" || !slices.Equal(c.Differs, want) {
			t.Errorf("Configured = %+v, want what differs to be %q", c, want)
		}
	}

	// Whoever was forgotten and is back does not come with anything new.
	sv.do("ZREM", "{wireroom}:1:nodes", a.Node())
	sv.do("HDEL", "{wireroom}:1:gateways", a.Node())
	fb.knows(t, "a is back", have("a d1 1", "b d2 2"))

	// Redis loses everything: the epoch does not go back.
	sv.do("FLUSHALL")
	for _, f := range []*follower{fa, fb} {
		if c := f.knows(t, "it is as before", have("a d1 1", "b d2 2")); c.Epoch != 2 || c.Digest != "d2" {
			t.Errorf("Configured = %+v", c)
		}
	}
	a.Configure(two)
	fb.knows(t, "a has the newest, too", have("a d2 2", "b d2 2"))

	v, err := redis.OpenView(t.Context(), configOf(sv.url(), "wireroom"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if c, err := v.Configured(t.Context()); err != nil || c.Epoch != 2 || !have("a d2 2", "b d2 2")(c) {
		t.Errorf("of the view, Configured = %+v, %v", c, err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	fa.knows(t, "b is gone", have("a d2 2"))
	if n := sv.do("HLEN", "{wireroom}:1:gateways").(int64); n != 1 {
		t.Errorf("the store knows %d gateways, want 1", n)
	}
}

// What somebody else wrote in place of a configuration does not keep gateways from
// hearing each other, and goes when the next one comes.
func TestConfigurationNonsense(t *testing.T) {
	sv := start(t)
	a, fa := follows(t, sv, "a")
	sv.do("HSET", "{wireroom}:1:configuration", "epoch", "many", "digest", "d0", "time", "never", "parts", "none")
	sv.do("HSET", "{wireroom}:1:gateways", "nobody", "d 1 1 x", "other", "nonsense")
	a.Configure(redis.Configuration{Digest: "d1", Parts: map[string]string{"class a": strings.Repeat("x", 300<<10)}})
	if c := fa.knows(t, "a's is there", have("a d1 1")); c.Epoch != 1 {
		t.Errorf("Configured = %+v", c)
	}
	b, fb := follows(t, sv, "b")
	sv.do("HSET", "{wireroom}:1:gateways", a.Node(), "nonsense")
	b.Configure(redis.Configuration{Digest: "d2", Parts: map[string]string{}})
	fb.knows(t, "b's is the newest", have("a d1 1", "b d2 2"))
	if c := fa.knows(t, "a knows that", have("a d1 1", "b d2 2")); c.Differs == nil {
		t.Errorf("it is not known what is different, though all parts of the newest are")
	}
	if err := a.Heard(); err != nil {
		t.Error(err)
	}
}

// A gateway without a name gets one that others do not have.
func TestNames(t *testing.T) {
	sv := start(t)
	a, b := openFor(t, sv.url(), time.Minute), openFor(t, sv.url(), time.Minute)
	if a.Name() == b.Name() || len(a.Name()) < 6 || len(a.Name()) > 64 || strings.ContainsAny(a.Name(), " ./") {
		t.Errorf("the names are %q and %q", a.Name(), b.Name())
	}
	if s := openNamed(t, sv.url(), "front.1_a-b", time.Minute); s.Name() != "front.1_a-b" {
		t.Errorf("the name is %q, want that of the configuration", s.Name())
	}
}
