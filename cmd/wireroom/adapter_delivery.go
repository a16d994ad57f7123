package main

import (
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A delivery hands what the hub routes to the realm's broker: [events.Router]
// by way of [router.Realm.Publish].
type delivery struct {
	realm     *router.Realm // set before anything is published
	anonymous string        // the role of sessions that no user stands behind
	queries   *events.Queries
	elsewhere *nodes.Realm // nil: there can be no other gateways; set with realm
}

// Route implements [events.Router].
func (d *delivery) Route(e *events.Event, c *events.Class, channel string) {
	p := publicationOf(e)
	p.Topic = wamp.URI(c.Name())
	how := c.Delivery()
	p.WhenFull, p.Key, p.Linger = whenFull(how.WhenFull), e.Key, how.Linger
	if channel != "" {
		p.Channel = wamp.URI(c.Topic(channel))
	}
	if access := c.Access(); !access.Public {
		p.Allow = func(s *router.Session) bool {
			return s.Trusted() || access.Allows(s.AuthRole(), s.AuthRole() != d.anonymous)
		}
	}
	foreign := false
	if o, ok := e.Origin.(*origin); ok {
		p.From, p.Options = o.from, o.options
		if p.ID == 0 {
			p.ID = o.id
		}
		if foreign = o.foreign; foreign {
			p.Elsewhere = o.publisher
			if o.missed > 0 {
				p.Fields = append(p.Fields, missedField(o.missed))
			}
		}
	}
	found := d.queries.Match(e, c)
	defer found.Release()
	p.Filters = found.IDs()
	d.realm.Publish(&p)
	if d.elsewhere != nil && e.Epoch == "" && !foreign {
		d.tellOthers(e, &p)
	}
}

// Lost implements [events.GapRouter]. The gateway's own subscribers are not told,
// as they take every event for one with data, but for webhooks.
func (d *delivery) Lost(c *events.Class, r events.Recovery) {
	d.realm.Tell(gapOf(c.Name(), &r), d.hears(c))
}

// Passed implements [events.GapRouter]: persistent subscriptions get what is
// missing from the log, before what comes after it. The others are told.
func (d *delivery) Passed(c *events.Class, r events.Recovery) {
	after := events.Position{Epoch: r.Epoch, Offset: r.LostFrom - 1}
	d.realm.Miss(gapOf(c.Name(), &r), d.hears(c), func(w router.Watch) router.Replay {
		if w, ok := w.(*watch); ok {
			return w.mend(after)
		}
		return nil
	})
}

// hears returns who is told what events of the class are missing.
func (d *delivery) hears(c *events.Class) func(s *router.Session, topic wamp.URI, match wamp.Match) bool {
	access := c.Access()
	return func(s *router.Session, topic wamp.URI, match wamp.Match) bool {
		sees := access.Public || access.Allows(s.AuthRole(), s.AuthRole() != d.anonymous)
		if s.Trusted() {
			sees = s.AuthMethod() == methodWebhook
		}
		return sees && reaches(topic, match, c)
	}
}

// whenFull returns the router's name for a policy.
func whenFull(w events.WhenFull) router.WhenFull {
	switch w {
	case events.Disconnect:
		return router.Disconnect
	case events.DropOldest:
		return router.DropOldest
	case events.KeepLatest:
		return router.KeepLatest
	default:
		return router.Inherit
	}
}

var noArgs = []byte("[]")

// publicationID returns the publication ID of an event that is in a log, else
// 0.
func publicationID(class, epoch string, offset uint64) wamp.ID {
	if epoch == "" {
		return 0
	}
	return numberingOf(class, epoch).id(offset)
}

// publicationOf returns the publication of an event, without its topic: data
// as keyword arguments, everything else in Details.
func publicationOf(e *events.Event) router.Publication {
	fields := make([]wamp.Field, 3, 6)
	fields[0] = wamp.StringField("_event_id", e.ID)
	fields[1] = wamp.StringField("_class", e.Class)
	fields[2] = wamp.StringField("_time", e.Time.Format(time.RFC3339Nano))
	if e.Epoch != "" {
		fields = append(fields, wamp.UintField("_offset", e.Offset), wamp.StringField("_epoch", e.Epoch))
	}
	if e.Replayed {
		fields = append(fields, wamp.BoolField("_replayed", true))
	}
	return router.Publication{
		ID:        publicationID(e.Class, e.Epoch, e.Offset),
		Payload:   wamp.Payload{Serializer: wamp.JSON, Args: noArgs, KwArgs: e.Data},
		Fields:    fields,
		ShowTopic: true,
	}
}
