package config

import (
	"fmt"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
)

// maxRate bounds how many messages a second a limit can name.
const maxRate = 1_000_000

// readQueue reads what becomes of what waits for a session.
func readQueue(o *object, l *router.Limits) {
	o.sub("queue", func(o *object) {
		o.size("bytes", &l.QueueBytes, 4<<10, 1<<30)
		o.whenFull(&l.WhenFull)
	})
}

// whenFull reads the policy of a queue.
func (o *object) whenFull(v *router.WhenFull) {
	policy := v.String()
	o.oneOf("when_full", &policy, policyNames()...)
	for w := router.Disconnect; w <= router.KeepLatest; w++ {
		if w.String() == policy {
			*v = w
		}
	}
}

func policyNames() []string {
	names := make([]string, len(events.Policies))
	for i, p := range events.Policies {
		names[i] = string(p)
	}
	return names
}

// readLimits reads the limits of all sessions, and of messages.
func (c *Config) readLimits(o *object) {
	o.sub("limits", func(o *object) {
		o.size("message", &c.Transport.MaxMessage, 1<<10, 256<<20)
		o.integer("depth", &c.Router.MaxDepth, 8, 10_000)
		readSessionLimits(o, &c.Router.Limits)
		o.integer("waiting", &c.Router.MaxWaiting, 0, 1_000_000)
		o.size("waiting_bytes", &c.Router.MaxWaitingBytes, 0, 1<<30)
		o.integer("retained", &c.Router.MaxRetained, 0, 1_000_000)
		o.size("retained_bytes", &c.Router.MaxRetainedBytes, 0, 1<<30)
		o.integer("meta_events", &c.Router.MaxMetaEvents, 1, 1_000_000)
		o.integer("past_events", &c.Router.MaxPastEvents, 1, 10_000)
		o.size("past_bytes", &c.Router.MaxPastBytes, 1<<10, 16<<20)
	})
}

// readSessionLimits reads what one session may use.
func readSessionLimits(o *object, l *router.Limits) {
	o.integer("subscriptions", &l.MaxSubscriptions, 1, 1_000_000)
	o.integer("registrations", &l.MaxRegistrations, 1, 1_000_000)
	o.integer("calls", &l.MaxCalls, 1, 1_000_000)
	o.integer("publishing", &l.MaxPublishing, 1, 1<<16)
	o.integer("messages_per_second", &l.MessageRate, 0, maxRate)
	o.size("bytes_per_second", &l.ByteRate, 0, 1<<30)
	o.integer("testaments", &l.MaxTestaments, 0, 10_000)
	o.size("testament_bytes", &l.MaxTestamentBytes, 0, 16<<20)
}

// readLinger reads how long events may wait for company.
func readLinger(o *object, l *router.Limits) {
	o.duration("linger", &l.Linger, 0, events.MaxLinger)
}

func (c *Config) readAdmission(o *object) {
	a := &c.Router.Admission
	o.integer("rate", &a.Rate, 0, 100_000)
	o.integer("burst", &a.Burst, 0, 1_000_000)
	o.duration("wait", &a.Wait, 0, 30*time.Second)
}

func (c *Config) readStatistics(o *object) {
	s := &c.Router.Statistics
	o.integer("messages", &s.Messages, 0, 1_000_000_000)
	o.duration("interval", &s.Interval, 0, 24*time.Hour)
	if s.Interval > 0 && s.Interval < time.Second {
		o.report("interval", fmt.Errorf("must be 0 (not by time) or at least 1s, not %s", FormatDuration(s.Interval)))
	}
	o.size("rated_size", &s.RatedSize, 1, 1<<20)
}

func (c *Config) readResume(o *object) {
	r := &c.Router.Resume
	o.duration("for", &r.For, 0, time.Hour)
	o.integer("sessions", &r.Sessions, 1, 1_000_000)
	o.integer("per_user", &r.PerUser, 0, 1_000_000)
	o.integer("per_address", &r.PerAddress, 0, 1_000_000)
	o.size("bytes", &r.Bytes, 4<<10, 1<<30)
}

func (c *Config) readCompression(o *object) {
	o.boolean("deflate", &c.Transport.Deflate)
	o.size("min_size", &c.Transport.DeflateMin, 0, 1<<20)
}

// delivery reads how the events of a class reach slow subscribers.
func (o *object) delivery(v *events.Delivery) {
	o.sub("queue", func(o *object) {
		policy := string(v.WhenFull)
		o.oneOf("when_full", &policy, policyNames()...)
		v.WhenFull = events.WhenFull(policy)
		o.string("key", &v.Key)
	})
	o.inherit(func() {
		o.duration("linger", &v.Linger, 0, events.MaxLinger)
		if o.has("linger") && v.Linger == 0 {
			v.Linger = -1 // not at all, whatever the role says
		}
	})
}
