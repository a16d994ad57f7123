package router

import (
	"slices"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Publication is an event on its way to the subscribers of a topic.
type Publication struct {
	Topic   wamp.URI
	Channel wamp.URI // a second, exact name of the topic; may be empty
	Exact   bool     // only for subscriptions to exactly Topic: none of a pattern gets it, or of Channel
	ID      wamp.ID  // as of [NewID]; 0: [Realm.Publish] draws one

	// Payload may share memory with a message; publishing copies it into
	// frames before it returns.
	Payload wamp.Payload

	From    *Session             // the publisher; nil: the gateway itself
	Options *wamp.PublishOptions // whom it is for; nil: everyone but From

	// Elsewhere is who published it, if that was at another gateway; see
	// [Realm.Receive].
	Elsewhere *Publisher

	Fields []wamp.Field // added to every EVENT.Details

	// ShowTopic puts the topic into EVENT.Details of exact subscriptions,
	// too.
	ShowTopic bool

	// WhenFull is what becomes of the event for a subscriber whose queue is
	// full; Inherit: as the subscriber's [Limits] say. Key names what the
	// event is the latest state of, for KeepLatest: of two waiting events of
	// a subscription with the same key only the later one is worth keeping.
	// 0: all events of the subscription have one key.
	WhenFull WhenFull
	Key      uint64

	// Linger is how long the event may wait to be written with others: up to
	// 1s; 0: as the subscriber's [Limits] say; negative: not at all.
	Linger time.Duration

	// Filters are the IDs of the filters that the event passes, each once. They
	// are not used once it is routed.
	Filters []uint64

	// Allow reports whether a subscriber may receive the event; nil: all
	// may. It is called under no lock, and must be fast.
	Allow func(*Session) bool

	book *receiptBook // nil: the publisher wants no receipts; set as it is routed
}

// Clone returns a copy of p that shares no memory with the message that it
// came from.
func (p *Publication) Clone() *Publication {
	c := *p
	c.Payload = p.Payload.Clone()
	if p.Options != nil {
		o := *p.Options
		o.Exclude = slices.Clone(o.Exclude)
		o.ExcludeAuthID = slices.Clone(o.ExcludeAuthID)
		o.ExcludeAuthRole = slices.Clone(o.ExcludeAuthRole)
		o.Eligible = slices.Clone(o.Eligible)
		o.EligibleAuthID = slices.Clone(o.EligibleAuthID)
		o.EligibleAuthRole = slices.Clone(o.EligibleAuthRole)
		c.Options = &o
	}
	return &c
}

// publish handles PUBLISH.
func (s *Session) publish(m *wamp.Publish) error {
	err := checkOwnURI(m.Topic)
	if err == nil {
		var who Disclosure
		if who, err = s.allowed(ActionPublish, m.Topic, wamp.Exact, m); err == nil {
			err = who.settle(&m.Options.DiscloseMe)
		}
	}
	if err == errEnded {
		return err
	}
	if err != nil {
		s.refusePublish(m.Request, m.Options.Acknowledge, err)
		return nil
	}
	if err := s.checkReceipts(&m.Options); err != nil {
		s.refusePublish(m.Request, m.Options.Acknowledge, err)
		return nil
	}
	p := &s.ws.publication
	*p = Publication{Topic: m.Topic, Payload: m.Payload, From: s, Options: &m.Options}
	if gov := s.realm.gov; gov != nil && gov.Governs(m.Topic) {
		if m.Options.Retain {
			s.refusePublish(m.Request, m.Options.Acknowledge, errRetainGoverned(m.Topic))
			return nil
		}
		return s.publishGoverned(gov, p, m)
	}
	if m.Options.Retain {
		if err := s.realm.retention.keep(p); err != nil {
			s.refusePublish(m.Request, m.Options.Acknowledge, err)
			return nil
		}
	}
	s.realm.broker.publish(s.ws, p)
	s.realm.published(p)
	if m.Options.Acknowledge {
		s.reply(&wamp.Published{Request: m.Request, Publication: p.ID})
	}
	p.book.seal() // now, so that its report comes after PUBLISHED
	p.book = nil
	return nil
}

// publishGoverned leaves the publication to the Governor. At most MaxPublishing
// of a session's publications are with it at a time: then the peer is not
// read until one comes back.
func (s *Session) publishGoverned(gov Governor, p *Publication, m *wamp.Publish) error {
	if s.pending == nil {
		s.pending = make(chan struct{}, s.limits.MaxPublishing)
	}
	request, ack, pending := m.Request, m.Options.Acknowledge, s.pending
	p = p.Clone()
	// Both the slot and the Governor may have us wait, and others must not
	// wait with us.
	select {
	case pending <- struct{}{}:
		s.ws.flush(&s.router.flushers)
	default:
		err := s.await(func(done <-chan struct{}) bool {
			select {
			case pending <- struct{}{}:
				return true
			case <-done:
				return false
			}
		})
		if err != nil {
			return err
		}
	}
	gov.Publish(p, func(id wamp.ID, err error) {
		switch {
		case err != nil:
			s.router.stats.refused.Add(1)
			if ack {
				s.sendLater(s.errorFrame(wamp.TypePublish, request, err))
			}
		case ack:
			s.sendLater(s.frame(&wamp.Published{Request: request, Publication: id}))
		}
		<-pending
	})
	return nil
}

// refusePublish tells the publisher, if it asked to be told.
func (s *Session) refusePublish(request wamp.ID, ack bool, err error) {
	s.router.stats.refused.Add(1)
	if ack {
		s.fault(wamp.TypePublish, request, err)
	}
}

// An audience decides which subscribers get a publication: the publisher, and
// the lists of WAMP "Subscriber Black- and Whitelisting". Long lists are
// sorted once, so that a check costs little.
type audience struct {
	from  *Session // does not get it; may be nil
	o     *wamp.PublishOptions
	all   bool // no lists
	allow func(*Session) bool
}

func (a *audience) init(p *Publication) {
	a.o, a.allow = p.Options, p.Allow
	if p.From != nil && (p.Options == nil || !p.Options.KeepMe) {
		a.from = p.From
	}
	o := p.Options
	a.all = o == nil || o.Exclude == nil && o.ExcludeAuthID == nil && o.ExcludeAuthRole == nil &&
		o.Eligible == nil && o.EligibleAuthID == nil && o.EligibleAuthRole == nil
	if !a.all {
		slices.Sort(o.Exclude)
		slices.Sort(o.ExcludeAuthID)
		slices.Sort(o.ExcludeAuthRole)
		slices.Sort(o.Eligible)
		slices.Sort(o.EligibleAuthID)
		slices.Sort(o.EligibleAuthRole)
	}
}

func (a *audience) has(s *Session) bool {
	if s == a.from || a.allow != nil && !a.allow(s) {
		return false
	}
	return a.all ||
		!listed(a.o.Exclude, s.id) && !listed(a.o.ExcludeAuthID, s.authid) && !listed(a.o.ExcludeAuthRole, s.authrole) &&
			(a.o.Eligible == nil || listed(a.o.Eligible, s.id)) &&
			(a.o.EligibleAuthID == nil || listed(a.o.EligibleAuthID, s.authid)) &&
			(a.o.EligibleAuthRole == nil || listed(a.o.EligibleAuthRole, s.authrole))
}

func listed[T interface{ ~uint64 | ~string }](sorted []T, v T) bool {
	_, ok := slices.BinarySearch(sorted, v)
	return ok
}

// An encoding makes the frames of one publication: one for each subscription
// and way to put it on the wire, when the first subscriber needs it.
type encoding struct {
	p        *Publication
	event    wamp.Event
	payloads [wamp.NumSerializers]wamp.Payload
	state    [wamp.NumSerializers]uint8 // 0: not tried, 1: translated, 2: impossible
	frames   [MaxFramings][wamp.NumSerializers][]byte
}

func (e *encoding) init(p *Publication) {
	e.p = p
	d := &e.event.Details
	e.event.Publication = p.ID
	d.Fields = p.Fields
	if p.Options != nil {
		d.TransactionHash = p.Options.TransactionHash
		d.Passthru = p.Options.Passthru
		switch from := p.Elsewhere; {
		case !p.Options.DiscloseMe:
		case p.From != nil:
			d.Publisher, d.PublisherAuthID, d.PublisherAuthRole = p.From.id, p.From.authid, p.From.authrole
		case from != nil:
			d.Publisher, d.PublisherAuthID, d.PublisherAuthRole = from.ID, from.AuthID, from.AuthRole
		}
	}
	own := p.Payload.Serializer
	e.payloads[own], e.state[own] = p.Payload, 1
}

// begin makes ready for the subscribers of sub.
func (e *encoding) begin(sub *subscription) {
	e.event.Subscription = sub.id
	e.event.Details.Topic = ""
	if sub.match != wamp.Exact || e.p.ShowTopic {
		e.event.Details.Topic = e.p.Topic
	}
	e.frames = [MaxFramings][wamp.NumSerializers][]byte{}
}

// frame returns the framed EVENT for a peer, or nil if its serializer cannot
// express the payload.
func (e *encoding) frame(peer *Peer) []byte {
	ser := peer.Serializer
	f := &e.frames[peer.Framing.Index][ser]
	if *f != nil {
		return *f
	}
	if e.state[ser] == 0 {
		var err error
		if e.payloads[ser], err = e.p.Payload.In(ser); err != nil {
			e.state[ser] = 2
		} else {
			e.state[ser] = 1
		}
	}
	if e.state[ser] == 2 {
		return nil
	}
	e.event.Payload = e.payloads[ser]
	*f = seal(peer.Framing, ser, &e.event, e.event.Payload.Len()+64*len(e.p.Fields)+len(e.p.Topic))
	return *f
}
