package webhook

import (
	"encoding/json"
	"strconv"
)

// An Event is what a hook tells its endpoint. All JSON in it is valid.
type Event struct {
	// ID tells the event from all others of the realm; a repetition has the
	// same.
	ID string

	Topic   string
	Args    []byte // a JSON array; nil: none
	KwArgs  []byte // a JSON object; nil: none
	Details []byte // of EVENT, as a JSON object; nil: none

	Class, Time string // of the event class; empty: the topic has none

	// Lost says that events before this one are not in the log any more. With
	// it, and without a class, there is no event but only that to be told.
	Lost bool

	// Replayed says that the event comes from the log, so that the endpoint may
	// have had it.
	Replayed bool

	// Position is where the feed can begin again, behind this event; empty:
	// nowhere.
	Position string
}

// size is how many bytes of a queue it takes, roughly.
func (e *Event) size() int {
	return 256 + len(e.ID) + len(e.Topic) + len(e.Args) + len(e.KwArgs) + len(e.Details) + len(e.Class) + len(e.Time) + len(e.Position)
}

// body returns the event as the format writes it, and its media type. missed is
// how many events were dropped before it.
func (f Format) body(e *Event, source string, missed uint64) (body []byte, mediaType string) {
	if f == CloudEvents {
		return cloudEvent(e, source, missed), "application/cloudevents+json; charset=utf-8"
	}
	var o object
	o.text("topic", e.Topic)
	o.raw("args", orElse(e.Args, "[]"))
	o.raw("kwargs", orElse(e.KwArgs, "{}"))
	o.raw("details", orElse(e.Details, "{}"))
	if missed > 0 {
		o.raw("missed", strconv.AppendUint(nil, missed, 10))
	}
	return o.end(), "application/json"
}

// typeLost is the type of a CloudEvent that only tells that events are lost.
const typeLost = "wireroom.lost"

// cloudEvent writes an event as CloudEvents 1.0 does in its structured mode. An
// event of a class is its data; any other has its arguments for data.
func cloudEvent(e *Event, source string, missed uint64) []byte {
	var o object
	o.text("specversion", "1.0")
	o.text("id", e.ID)
	o.text("source", source)
	switch {
	case e.Class != "":
		o.text("type", e.Class)
		o.text("time", e.Time)
	case e.Lost:
		o.text("type", typeLost)
		o.text("subject", e.Topic)
	default:
		o.text("type", e.Topic)
	}
	if e.Position != "" {
		o.text("position", e.Position)
	}
	if missed > 0 {
		o.text("missed", strconv.FormatUint(missed, 10))
	}
	if e.Lost {
		o.raw("recovered", []byte("false"))
	}
	if e.Replayed {
		o.raw("replayed", []byte("true"))
	}
	if e.Class == "" && e.Lost {
		return o.end()
	}
	o.text("datacontenttype", "application/json")
	if e.Class != "" {
		o.raw("data", orElse(e.KwArgs, "{}"))
		return o.end()
	}
	var data object
	data.raw("args", orElse(e.Args, "[]"))
	data.raw("kwargs", orElse(e.KwArgs, "{}"))
	o.raw("data", data.end())
	return o.end()
}

func orElse(text []byte, instead string) []byte {
	if text == nil {
		return []byte(instead)
	}
	return text
}

// An object is a JSON object that is being written.
type object struct{ b []byte }

func (o *object) raw(name string, value []byte) {
	if o.b == nil {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
	o.b = append(o.b, value...)
}

func (o *object) text(name, value string) {
	text, _ := json.Marshal(value) // a string never fails
	o.raw(name, text)
}

func (o *object) end() []byte {
	if o.b == nil {
		return []byte("{}")
	}
	return append(o.b, '}')
}
