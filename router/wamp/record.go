package wamp

// AppendRecord appends the event to dst as WAMP "Event History" shows a past
// one, a dictionary with the keys timestamp, subscription, publication, details
// and, where the event has them, args and kwargs. Its payload must be in s.
func (m *Event) AppendRecord(dst []byte, s Serializer, timestamp string) []byte {
	e := newEncoder(dst, s)
	w := e.openFields()
	w.text("timestamp", timestamp)
	w.uint("subscription", uint64(m.Subscription))
	w.uint("publication", uint64(m.Publication))
	w.key("details")
	m.Details.write(&e)
	p := &m.Payload
	switch {
	case p.Opaque != nil:
		w.key("args")
		at := e.openList()
		e.raw(p.Opaque)
		e.closeList(at, 1)
	case p.Args != nil:
		w.key("args")
		e.raw(p.Args)
	}
	if p.KwArgs != nil {
		w.key("kwargs")
		e.raw(p.KwArgs)
	}
	w.close()
	return e.b
}

// IsZero reports whether there is nothing in the details.
func (o *EventDetails) IsZero() bool {
	return o.Topic == "" && o.Publisher == 0 && o.PublisherAuthID == "" && o.PublisherAuthRole == "" &&
		!o.Retained && o.TransactionHash == "" && !o.AckDelivery && o.Passthru == (Passthru{}) &&
		len(o.Fields) == 0 && len(o.Extra) == 0
}
