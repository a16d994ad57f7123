package config_test

import (
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
)

// A role has what all sessions have, but for what it says itself; wherever in
// the file that stands.
func TestRoleLimits(t *testing.T) {
	c, problems := config.Parse("wireroom.yaml", []byte(`
roles:
  anonymous:
    subscribe: ["*"]
    queue: {bytes: 64KiB, when_full: drop-oldest}
    limits: {subscriptions: 5, messages_per_second: 10, bytes_per_second: 8KiB, testaments: 0}
    linger: 0s
  member: {subscribe: ["*"]}
  same: {subscribe: ["*"], queue: {bytes: 2MiB}, limits: {}, linger: 20ms}
  latest: {subscribe: ["*"], queue: {when_full: keep-latest}}
queue: {bytes: 2MiB}
limits: {subscriptions: 50, registrations: 60, calls: 70, publishing: 80, messages_per_second: 1000, testaments: 9, testament_bytes: 1KiB}
linger: 20ms
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	all := router.Limits{
		QueueBytes: 2 << 20, WhenFull: router.Disconnect,
		MaxSubscriptions: 50, MaxRegistrations: 60, MaxCalls: 70, MaxPublishing: 80,
		MaxTestaments: 9, MaxTestamentBytes: 1 << 10,
		MessageRate: 1000, Linger: 20 * time.Millisecond,
	}
	if c.Router.Limits != all {
		t.Errorf("limits of all: %+v, want %+v", c.Router.Limits, all)
	}
	anonymous, latest := all, all
	anonymous.QueueBytes, anonymous.WhenFull = 64<<10, router.DropOldest
	anonymous.MaxSubscriptions, anonymous.MessageRate, anonymous.ByteRate, anonymous.Linger = 5, 10, 8<<10, 0
	anonymous.MaxTestaments = 0
	latest.WhenFull = router.KeepLatest
	for role, want := range map[string]router.Limits{"anonymous": anonymous, "latest": latest} {
		if got := c.Realms[0].RoleLimits[role]; got == nil || *got != want {
			t.Errorf("limits of the role %s: %+v, want %+v", role, got, want)
		}
	}
	if len(c.Realms[0].RoleLimits) != 2 {
		t.Errorf("%d roles have limits of their own, want anonymous and latest only: %v", len(c.Realms[0].RoleLimits), c.Realms[0].RoleLimits)
	}
}

// What a realm keeps of what was said, and what is told of sessions.
func TestRealmLimits(t *testing.T) {
	const roles = `roles: {anonymous: {subscribe: ["*"]}}`
	parse := func(text string) router.Config {
		c, problems := config.Parse("wireroom.yaml", []byte(text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return c.Router
	}
	want := router.DefaultConfig()
	if got := parse(roles); got != want {
		t.Errorf("without a word: %+v, want %+v", got, want)
	}
	want.MaxRetained, want.MaxRetainedBytes, want.MaxMetaEvents = 0, 1<<20, 10
	want.Statistics = router.Statistics{Messages: 1000, Interval: 5 * time.Minute, RatedSize: 1 << 10}
	if got := parse(roles + `
limits: {retained: 0, retained_bytes: 1MiB, meta_events: 10}
statistics: {messages: 1000, interval: 5m, rated_size: 1KiB}
`); got != want {
		t.Errorf("said: %+v, want %+v", got, want)
	}
}

func TestDelivery(t *testing.T) {
	c, problems := config.Parse("wireroom.yaml", []byte(`
roles: {anonymous: {subscribe: ["*"]}}
classes:
  silent: {}
  price:
    fields: {symbol: {type: string}}
    queue: {when_full: keep-latest, key: symbol}
    linger: 10ms
  chat: {queue: {when_full: disconnect}, linger: 0s}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, want := range []events.Delivery{
		{},
		{WhenFull: events.KeepLatest, Key: "symbol", Linger: 10 * time.Millisecond},
		{WhenFull: events.Disconnect, Linger: -1},
	} {
		if got := c.Realms[0].Classes[i].Delivery; got != want {
			t.Errorf("the class %s is delivered as %+v, want %+v", c.Realms[0].Classes[i].Name, got, want)
		}
	}
}

func TestFairness(t *testing.T) {
	c, problems := config.Parse("wireroom.yaml", []byte(`
roles: {anonymous: {subscribe: ["*"]}}
admission: {rate: 500, burst: 100, wait: 3s}
resume: {for: 1m, sessions: 5, per_user: 2, per_address: 0, bytes: 8KiB}
compression: {deflate: true, min_size: 1KiB}
timeouts: {authenticate: 7s}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := c.Router.Admission, (router.Admission{Rate: 500, Burst: 100, Wait: 3 * time.Second}); got != want {
		t.Errorf("admission = %+v, want %+v", got, want)
	}
	if got, want := c.Router.Resume, (router.Resume{For: time.Minute, Sessions: 5, PerUser: 2, Bytes: 8 << 10}); got != want {
		t.Errorf("resume = %+v, want %+v", got, want)
	}
	if !c.Transport.Deflate || c.Transport.DeflateMin != 1<<10 {
		t.Errorf("deflate = %v from %d bytes, want from 1024", c.Transport.Deflate, c.Transport.DeflateMin)
	}
	if c.Router.AuthTimeout != 7*time.Second || c.Router.HelloTimeout == c.Router.AuthTimeout {
		t.Errorf("timeouts of AUTHENTICATE and HELLO are %v and %v, want 7s and the default", c.Router.AuthTimeout, c.Router.HelloTimeout)
	}
}
