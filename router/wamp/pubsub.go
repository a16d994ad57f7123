package wamp

// Type returns [TypePublish].
func (*Publish) Type() Type { return TypePublish }

// Append implements [Message].
func (m *Publish) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypePublish)
	e.uint(uint64(m.Request))
	o := &m.Options
	w := e.openFields()
	w.flag("acknowledge", o.Acknowledge)
	if o.KeepMe {
		w.key("exclude_me")
		e.bool(false)
	}
	w.flag("disclose_me", o.DiscloseMe)
	w.flag("retain", o.Retain)
	w.ids("exclude", o.Exclude)
	w.texts("exclude_authid", o.ExcludeAuthID)
	w.texts("exclude_authrole", o.ExcludeAuthRole)
	w.ids("eligible", o.Eligible)
	w.texts("eligible_authid", o.EligibleAuthID)
	w.texts("eligible_authrole", o.EligibleAuthRole)
	w.text("transaction_hash", o.TransactionHash)
	w.passthru(&o.Passthru)
	w.extra(o.Extra)
	w.close()
	e.str(string(m.Topic))
	return e.finish(at, 4+e.payload(&m.Payload))
}

func (d *Decoder) decodePublish() Message {
	m := &d.publish
	*m = Publish{Request: d.idAt("Request")}
	o := &m.Options
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "acknowledge":
			o.Acknowledge = d.bool()
		case "exclude_me":
			o.KeepMe = !d.bool()
		case "disclose_me":
			o.DiscloseMe = d.bool()
		case "retain":
			o.Retain = d.bool()
		case "exclude":
			o.Exclude = d.idList()
		case "exclude_authid":
			o.ExcludeAuthID = d.texts()
		case "exclude_authrole":
			o.ExcludeAuthRole = d.texts()
		case "eligible":
			o.Eligible = d.idList()
		case "eligible_authid":
			o.EligibleAuthID = d.texts()
		case "eligible_authrole":
			o.EligibleAuthRole = d.texts()
		case "rkey":
			d.text() // for sharded subscriptions, which nobody can have
		case "transaction_hash":
			o.TransactionHash = d.text()
		default:
			if !d.common(&o.Passthru) {
				d.other(&o.Extra)
			}
		}
	}
	m.Topic = d.uriAt("Topic")
	d.payload(&m.Payload, &o.Passthru)
	return m
}

// Type returns [TypePublished].
func (*Published) Type() Type { return TypePublished }

// Append implements [Message].
func (m *Published) Append(dst []byte, s Serializer) []byte {
	return appendIDs(dst, s, TypePublished, m.Request, m.Publication)
}

// Type returns [TypeSubscribe].
func (*Subscribe) Type() Type { return TypeSubscribe }

// Append implements [Message].
func (m *Subscribe) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeSubscribe)
	e.uint(uint64(m.Request))
	o := &m.Options
	w := e.openFields()
	if o.Match != Exact {
		w.text("match", o.Match.String())
	}
	w.flag("get_retained", o.GetRetained)
	w.text("nkey", o.NodeKey)
	w.extra(o.Extra)
	w.close()
	e.str(string(m.Topic))
	return e.finish(at, 4)
}

func (d *Decoder) decodeSubscribe() Message {
	m := &d.subscribe
	*m = Subscribe{Request: d.idAt("Request")}
	o := &m.Options
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "match":
			o.Match = d.match()
		case "get_retained":
			o.GetRetained = d.bool()
		case "nkey":
			o.NodeKey = d.text()
		case "forward_for":
			d.forwardFor()
		default:
			d.other(&o.Extra)
		}
	}
	m.Topic = d.uriAt("Topic")
	return m
}

// Type returns [TypeSubscribed].
func (*Subscribed) Type() Type { return TypeSubscribed }

// Append implements [Message].
func (m *Subscribed) Append(dst []byte, s Serializer) []byte {
	return appendIDs(dst, s, TypeSubscribed, m.Request, m.Subscription)
}

// Type returns [TypeUnsubscribe].
func (*Unsubscribe) Type() Type { return TypeUnsubscribe }

// Append implements [Message].
func (m *Unsubscribe) Append(dst []byte, s Serializer) []byte {
	return appendIDs(dst, s, TypeUnsubscribe, m.Request, m.Subscription)
}

// Type returns [TypeUnsubscribed].
func (*Unsubscribed) Type() Type { return TypeUnsubscribed }

// Append implements [Message].
func (m *Unsubscribed) Append(dst []byte, s Serializer) []byte {
	return appendRevocation(dst, s, TypeUnsubscribed, m.Request, "subscription", m.Subscription, m.Reason)
}

func (d *Decoder) decodeUnsubscribed() Message {
	m := &d.unsubscribed
	m.Request, m.Subscription, m.Reason = d.decodeRevocation("subscription")
	return m
}

// Type returns [TypeEvent].
func (*Event) Type() Type { return TypeEvent }

// Append implements [Message].
func (m *Event) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeEvent)
	e.uint(uint64(m.Subscription))
	e.uint(uint64(m.Publication))
	m.Details.write(&e)
	return e.finish(at, 4+e.payload(&m.Payload))
}

func (o *EventDetails) write(e *encoder) {
	w := e.openFields()
	w.text("topic", string(o.Topic))
	w.uint("publisher", uint64(o.Publisher))
	w.text("publisher_authid", o.PublisherAuthID)
	w.text("publisher_authrole", o.PublisherAuthRole)
	w.flag("retained", o.Retained)
	w.text("transaction_hash", o.TransactionHash)
	w.flag("x_acknowledged_delivery", o.AckDelivery)
	w.passthru(&o.Passthru)
	for i := range o.Fields {
		w.field(&o.Fields[i])
	}
	w.extra(o.Extra)
	w.close()
}

func (d *Decoder) decodeEvent() Message {
	m := &d.event
	*m = Event{Subscription: d.idAt("Subscription")}
	m.Publication = d.idAt("Publication")
	o := &m.Details
	for ok := d.begin("Details"); ok && d.field(); {
		switch string(d.name) {
		case "topic":
			o.Topic = URI(d.text())
		case "publisher":
			o.Publisher = d.id()
		case "publisher_authid":
			o.PublisherAuthID = d.text()
		case "publisher_authrole":
			o.PublisherAuthRole = d.text()
		case "retained":
			o.Retained = d.bool()
		case "transaction_hash":
			o.TransactionHash = d.text()
		case "x_acknowledged_delivery":
			o.AckDelivery = d.bool()
		default:
			if !d.common(&o.Passthru) {
				d.other(&o.Extra)
			}
		}
	}
	d.payload(&m.Payload, &o.Passthru)
	return m
}

// Type returns [TypeEventReceived].
func (*EventReceived) Type() Type { return TypeEventReceived }

// Append implements [Message].
func (m *EventReceived) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeEventReceived)
	e.uint(uint64(m.Publication))
	return e.finish(at, 2)
}
