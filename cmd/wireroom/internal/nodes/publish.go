package nodes

import (
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A publication is the head of one on its way to another gateway. Its payload
// follows.
type publication struct {
	Realm wamp.URI `json:"realm"`
	Topic wamp.URI `json:"topic"` // of an event, its class
	ID    wamp.ID  `json:"id"`

	Serializer wamp.Serializer `json:"serializer"`
	Args       int             `json:"args"` // bytes; -1: absent
	KwArgs     int             `json:"kwargs"`
	Opaque     int             `json:"opaque"`

	// Of an event.
	Event string    `json:"event,omitempty"`
	Time  time.Time `json:"time,omitzero"`

	From    *router.Publisher `json:"from,omitempty"`
	Options *options          `json:"options,omitempty"`
	Missed  uint64            `json:"missed,omitempty"` // so many are missing before it
}

// Options are those of PUBLISH that matter elsewhere.
type options struct {
	KeepMe          bool          `json:"keep_me,omitempty"`
	DiscloseMe      bool          `json:"disclose_me,omitempty"`
	Retain          bool          `json:"retain,omitempty"`
	RetainFor       any           `json:"retain_for,omitempty"`
	Exclude         []wamp.ID     `json:"exclude"`
	ExcludeAuthID   []string      `json:"exclude_authid"`
	ExcludeAuthRole []string      `json:"exclude_authrole"`
	Eligible        []wamp.ID     `json:"eligible"` // an empty list is nobody
	EligibleAuthID  []string      `json:"eligible_authid"`
	EligibleRole    []string      `json:"eligible_authrole"`
	Hash            string        `json:"transaction_hash,omitempty"`
	Passthru        wamp.Passthru `json:"passthru,omitzero"`
}

const retainFor = "_retain_for"

func optionsOf(o *wamp.PublishOptions) *options {
	if o == nil {
		return nil
	}
	return &options{
		KeepMe: o.KeepMe, DiscloseMe: o.DiscloseMe, Retain: o.Retain, RetainFor: o.Extra[retainFor],
		Exclude: o.Exclude, ExcludeAuthID: o.ExcludeAuthID, ExcludeAuthRole: o.ExcludeAuthRole,
		Eligible: o.Eligible, EligibleAuthID: o.EligibleAuthID, EligibleRole: o.EligibleAuthRole,
		Hash: o.TransactionHash, Passthru: o.Passthru,
	}
}

func (o *options) publish() *wamp.PublishOptions {
	if o == nil {
		return nil
	}
	p := &wamp.PublishOptions{
		KeepMe: o.KeepMe, DiscloseMe: o.DiscloseMe, Retain: o.Retain,
		Exclude: o.Exclude, ExcludeAuthID: o.ExcludeAuthID, ExcludeAuthRole: o.ExcludeAuthRole,
		Eligible: o.Eligible, EligibleAuthID: o.EligibleAuthID, EligibleAuthRole: o.EligibleRole,
		TransactionHash: o.Hash, Passthru: o.Passthru,
	}
	if ms, ok := o.RetainFor.(float64); ok {
		p.Extra = map[string]any{retainFor: int64(ms)}
	}
	return p
}

// Published implements [router.Elsewhere].
func (r *Realm) Published(p *router.Publication) {
	if r.mesh.alone() {
		return
	}
	length := func(b []byte) int {
		if b == nil {
			return -1
		}
		return len(b)
	}
	pl := &p.Payload
	r.pass(kindPublication, &publication{
		Realm: r.router.Name(), Topic: p.Topic, ID: p.ID, From: p.Publisher(), Options: optionsOf(p.Options),
		Serializer: pl.Serializer, Args: length(pl.Args), KwArgs: length(pl.KwArgs), Opaque: length(pl.Opaque),
	}, pl.Args, pl.KwArgs, pl.Opaque)
}

// Routed passes on an event that was accepted here.
func (r *Realm) Routed(e *Event) {
	if r.mesh.alone() {
		return
	}
	r.pass(kindEvent, &publication{
		Realm: r.router.Name(), Topic: wamp.URI(e.Class), ID: e.Publication, Event: e.ID, Time: e.Time,
		From: e.From, Options: optionsOf(e.Options), Args: len(e.Data), KwArgs: -1, Opaque: -1,
	}, e.Data)
}

// pass says a publication to all other gateways. If it cannot be said, the next one
// of the topic says so.
func (r *Realm) pass(kind string, head *publication, parts ...[]byte) {
	m, at := r.mesh, place{head.Realm, head.Topic}
	head.Missed = m.out.take(at, 0)
	if err := m.send(kind, head, parts...); err != nil {
		m.out.add(at, head.Missed+1, 0)
		m.counts.unsent.Add(1)
		return
	}
	m.counts.sent.Add(1)
}

// drop notes that there is no room for what came.
func (m *Mesh) drop(payload []byte, at uint64) {
	m.counts.dropped.Add(1)
	var head publication
	if _, err := decode(payload, &head); err != nil {
		return
	}
	if r := m.realm(head.Realm); r != nil {
		r.in.add(place{head.Realm, head.Topic}, head.Missed+1, at)
	}
}

// received reads a publication, and says how many are missing before it.
func (m *Mesh) received(payload []byte, at uint64) (r *Realm, head *publication, rest []byte, err error) {
	head = new(publication)
	if rest, err = decode(payload, head); err != nil {
		return nil, nil, nil, err
	}
	if r = m.realm(head.Realm); r == nil {
		return nil, nil, nil, fmt.Errorf("no realm %q is here", head.Realm)
	}
	head.Missed += r.in.take(place{head.Realm, head.Topic}, at)
	return r, head, rest, nil
}

// publication routes what was published at another gateway.
func (m *Mesh) publication(payload []byte, at uint64) error {
	r, head, rest, err := m.received(payload, at)
	if err != nil {
		return err
	}
	if head.Serializer >= wamp.NumSerializers || !head.Topic.Valid() || head.ID < 1 || head.ID > wamp.MaxID {
		return fmt.Errorf("serializer %d, topic %q, id %d: expected those of a publication", head.Serializer, head.Topic, head.ID)
	}
	p := &router.Publication{Topic: head.Topic, ID: head.ID, Elsewhere: head.From, Options: head.Options.publish()}
	p.Payload.Serializer = head.Serializer
	for _, part := range []struct {
		n  int
		to *[]byte
	}{{head.Args, &p.Payload.Args}, {head.KwArgs, &p.Payload.KwArgs}, {head.Opaque, &p.Payload.Opaque}} {
		if part.n < 0 {
			continue
		}
		if part.n > len(rest) {
			return fmt.Errorf("a payload of %d bytes: expected %d at least", len(rest), part.n)
		}
		*part.to, rest = rest[:part.n:part.n], rest[part.n:]
	}
	if head.Missed > 0 {
		p.Fields = []wamp.Field{wamp.UintField("_missed", head.Missed)}
	}
	m.counts.received.Add(1)
	if !r.router.Receive(p) {
		return fmt.Errorf("the topic %q is ruled by a class here", head.Topic)
	}
	return nil
}

// event routes an event that another gateway has accepted.
func (m *Mesh) event(payload []byte, at uint64) error {
	r, head, rest, err := m.received(payload, at)
	if err != nil {
		return err
	}
	m.counts.received.Add(1)
	return r.relay(Event{
		Class: string(head.Topic), ID: head.Event, Time: head.Time, Data: rest, Publication: head.ID,
		Options: head.Options.publish(), From: head.From, Missed: head.Missed,
	})
}
