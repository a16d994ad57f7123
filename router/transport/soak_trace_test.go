package transport_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	traceLength = 100 // messages that are remembered
	traceBytes  = 600 // of each
	traceTime   = "05.000000"
)

// A soakTrace remembers the last messages of a session, for the report of what
// went wrong.
type soakTrace struct {
	ser     wamp.Serializer
	entries [traceLength]traceEntry
	n       int
}

type traceEntry struct {
	at   time.Time
	what string // "sent", "got", or a remark
	size int
	raw  []byte // the beginning of a message; empty for a remark

	sub    wamp.ID // of an EVENT that could be read; 0: none
	event  numbered
	missed int64
}

func (tr *soakTrace) add(what string, msg []byte) {
	e := &tr.entries[tr.n%traceLength]
	tr.n++
	e.at, e.what, e.size, e.sub = time.Now(), what, len(msg), 0
	e.raw = append(e.raw[:0], msg[:min(len(msg), traceBytes)]...)
}

// event says what the last message is.
func (tr *soakTrace) event(sub wamp.ID, n numbered, missed int64) {
	e := &tr.entries[(tr.n-1)%traceLength]
	e.sub, e.event, e.missed = sub, n, missed
	e.event.pad = ""
}

// remark notes something that is no message.
func (tr *soakTrace) remark(format string, args ...any) { tr.add(fmt.Sprintf(format, args...), nil) }

// String returns the last messages, one a line.
func (tr *soakTrace) String() string {
	var b strings.Builder
	var dec wamp.Decoder
	for i := max(0, tr.n-traceLength); i < tr.n; i++ {
		e := &tr.entries[i%traceLength]
		fmt.Fprintf(&b, "    %s %-5s", e.at.Format(traceTime), e.what)
		if e.size > 0 {
			b.WriteString(readable(&dec, tr.ser, e))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func readable(dec *wamp.Decoder, ser wamp.Serializer, e *traceEntry) string {
	if e.sub != 0 {
		n := &e.event
		return fmt.Sprintf("EVENT %d: publisher %d, topic %d, audience %d, number %d, target %d, _missed %d (%d bytes)",
			e.sub, n.publisher, n.topic, n.audience, n.number, n.target, e.missed, e.size)
	}
	if e.size > len(e.raw) {
		return fmt.Sprintf("%.120q… (%d bytes)", e.raw, e.size)
	}
	if ser == wamp.JSON {
		return string(e.raw)
	}
	m, err := dec.Decode(ser, e.raw)
	if err != nil {
		return fmt.Sprintf("%q", e.raw)
	}
	return m.Type().String() + " " + string(asJSON(m))
}

// asJSON returns the message in JSON, with its payload if that can be had.
func asJSON(m wamp.Message) []byte {
	var p *wamp.Payload
	switch m := m.(type) {
	case *wamp.Event:
		p = &m.Payload
	case *wamp.Publish:
		p = &m.Payload
	case *wamp.Call:
		p = &m.Payload
	case *wamp.Result:
		p = &m.Payload
	case *wamp.Invocation:
		p = &m.Payload
	case *wamp.Yield:
		p = &m.Payload
	case *wamp.ErrorMessage:
		p = &m.Payload
	case *wamp.Abort:
		p = &m.Payload
	}
	if p != nil {
		var err error
		if *p, err = p.In(wamp.JSON); err != nil {
			*p = wamp.Payload{}
		}
	}
	return m.Append(nil, wamp.JSON)
}
