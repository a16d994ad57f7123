package transport

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// begin writes what a stream begins with: what is lost for good, and where the
// topics' logs are.
func (s *subscriber) begin() {
	for i, topic := range s.q.topics {
		if s.q.from(i).Epoch != "" && s.positions[i].Epoch == "" {
			s.control("_lost", map[string]any{"topic": topic})
		}
	}
	if s.id() {
		s.out.close()
	}
}

// id writes the id of what comes, unless no topic has a log.
func (s *subscriber) id() bool {
	for _, p := range s.positions {
		if p.Epoch != "" {
			s.out.field("id", appendPositions(nil, s.positions))
			return true
		}
	}
	return false
}

// control writes an event of ours.
func (s *subscriber) control(name string, data map[string]any) {
	body, err := json.Marshal(data)
	if err != nil {
		panic("transport: strings and numbers cannot be written as JSON: " + err.Error())
	}
	s.out.field("event", []byte(name))
	s.out.field("data", body)
	s.out.close()
}

// eventHead is what EVENT begins with, as the router writes it.
var eventHead = []byte("[36,")

// An eventMessage is an EVENT, as far as a stream has to know.
type eventMessage struct {
	subscription wamp.ID
	publication  json.RawMessage
	details      json.RawMessage
	args, kwargs json.RawMessage // nil: absent
}

// eventDetails are those of its details that matter.
type eventDetails struct {
	Topic       string `json:"topic"`
	Class       string `json:"_class"`
	EventID     string `json:"_event_id"`
	Epoch       string `json:"_epoch"`
	Offset      uint64 `json:"_offset"`
	Missed      uint64 `json:"_missed"`
	Recovered   *bool  `json:"_recovered"`
	LostFrom    uint64 `json:"_lost_from"`
	LostThrough uint64 `json:"_lost_through"`
}

func parseEvent(msg []byte) (m eventMessage, d eventDetails, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(msg, &parts); err != nil {
		return m, d, err
	}
	if len(parts) < 4 {
		return m, d, fmt.Errorf("EVENT has %d elements", len(parts))
	}
	if err := json.Unmarshal(parts[1], &m.subscription); err != nil {
		return m, d, err
	}
	m.publication, m.details = parts[2], parts[3]
	if len(parts) > 4 {
		m.args = parts[4]
	}
	if len(parts) > 5 {
		m.kwargs = parts[5]
	}
	return m, d, json.Unmarshal(m.details, &d)
}

// translate writes a message of the session as events. ended says that it was
// the last.
func (s *subscriber) translate(msg []byte) (ended bool) {
	if bytes.HasPrefix(msg, eventHead) {
		m, d, err := parseEvent(msg)
		if err != nil {
			s.es.log.Error("event cannot be read", "err", err)
			return true // and the client comes back
		}
		s.event(&m, &d)
		return false
	}
	m, err := new(wamp.Decoder).Decode(wamp.JSON, msg)
	switch m := m.(type) {
	case *wamp.Goodbye:
		s.goodbye(m.Reason, m.Details)
		return true
	case *wamp.Abort:
		s.goodbye(m.Reason, m.Details)
		return true
	case *wamp.Unsubscribed:
		i, ok := s.subs[m.Subscription]
		if ok && m.Request == 0 {
			delete(s.subs, m.Subscription)
			s.control("_revoked", map[string]any{"topic": s.q.topics[i], "reason": m.Reason})
		}
		return len(s.subs) == 0
	default:
		s.confused(m, err)
		return false
	}
}

// goodbye writes why the stream ends, and when to come back.
func (s *subscriber) goodbye(reason wamp.URI, details map[string]any) {
	if after := retryAfter(details); after > 0 {
		s.out.retry(after)
	}
	data := map[string]any{"reason": reason}
	if text, ok := details["message"].(string); ok {
		data["message"] = text
	}
	s.control("_goodbye", data)
}

// event writes an event, after what is to be said of those that are missing.
func (s *subscriber) event(m *eventMessage, d *eventDetails) {
	i, ok := s.subs[m.subscription]
	if !ok {
		return // it was revoked
	}
	topic := s.q.topics[i]
	if d.Missed > 0 {
		s.es.dropped.Add(d.Missed)
		s.control("_missed", map[string]any{"topic": topic, "missed": d.Missed})
	}
	if d.Recovered != nil && !*d.Recovered {
		s.lost(topic, d)
	}
	at := LogPosition{d.Epoch, d.Offset}
	if d.EventID == "" && d.Epoch != "" { // it only tells of a gap
		at.Offset = d.LostThrough
	}
	moved := s.q.match == wamp.Exact && goodEpoch(d.Epoch)
	if moved {
		s.positions[i] = at
	}
	if d.EventID == "" && d.Class != "" {
		if moved && s.id() {
			s.out.close()
		}
		return
	}
	name := topic
	if d.Topic != "" {
		name = d.Topic
	}
	s.out.field("event", []byte(name))
	if moved {
		s.id()
	}
	s.out.field("data", appendEvent(nil, name, m, d.Class != ""))
	s.out.close()
	s.es.events.Add(1)
}

// lost writes that events which were asked for are not there any more.
func (s *subscriber) lost(topic string, d *eventDetails) {
	data := map[string]any{"topic": topic}
	if d.LostThrough > 0 {
		data["from"], data["through"] = d.LostFrom, d.LostThrough
	}
	s.control("_lost", data)
}

// appendEvent appends the data of an event: those of a class have data, others
// the arguments of the publication.
func appendEvent(dst []byte, name string, m *eventMessage, class bool) []byte {
	topic, err := json.Marshal(name)
	if err != nil {
		panic("transport: a string cannot be written as JSON: " + err.Error())
	}
	dst = append(append(dst, `{"topic":`...), topic...)
	dst = append(append(dst, `,"publication":`...), m.publication...)
	switch {
	case class && m.kwargs != nil:
		dst = append(append(dst, `,"data":`...), m.kwargs...)
	case class:
		dst = append(dst, `,"data":{}`...)
	default:
		if m.args != nil {
			dst = append(append(dst, `,"args":`...), m.args...)
		}
		if m.kwargs != nil {
			dst = append(append(dst, `,"kwargs":`...), m.kwargs...)
		}
	}
	dst = append(append(dst, `,"details":`...), m.details...)
	return append(dst, '}')
}
