package router

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A pastQuery is what a call of wamp.subscription.get_events asks for. All of
// its conditions have to be met (WAMP "Event History").
type pastQuery struct {
	subscription wamp.ID
	reverse      bool
	limit        int      // events
	topic        wamp.URI // empty: any

	// Unix time in milliseconds: low <= t < high. What happens in a
	// millisecond has one time.
	low, high int64

	bounds []pastBound
}

// A pastBound is a publication that bounds what is asked for.
type pastBound struct {
	name        string // of the filter
	publication wamp.ID
	upper       bool // events before it are meant, otherwise those behind it
	included    bool // and itself
}

// filters are the keyword arguments of get_events.
var filters = []string{
	"after_publication", "after_time", "before_publication", "before_time", "from_publication", "from_time",
	"limit", "reverse", "topic", "until_publication", "until_time",
}

// parsePast reads the arguments of get_events. At most most events can be
// asked for; who asks for more gets so many.
func parsePast(args []any, kwargs map[string]any, most int) (*pastQuery, error) {
	a := &metaArgs{list: args, dict: kwargs}
	q := &pastQuery{limit: most, low: math.MinInt64, high: math.MaxInt64}
	var err error
	if q.subscription, err = a.id(0, "subscription"); err != nil {
		return nil, err
	}
	if len(args) > 2 {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected the ID of a subscription and at most a limit as positional arguments, found %d", len(args))
	}
	if a.at(1) != nil {
		if kwargs["limit"] != nil {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "limit: expected once, found as argument 2 and as keyword argument")
		}
		if err := q.setLimit("argument 2, limit", args[1]); err != nil {
			return nil, err
		}
	}
	for name, v := range kwargs {
		if !slices.Contains(filters, name) {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "%q: expected one of the filters %s", clip(name), strings.Join(filters, ", "))
		}
		if v == nil {
			continue // a client without a word for "absent"
		}
		if err := q.set(name, v); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// set reads one filter.
func (q *pastQuery) set(name string, v any) error {
	side, of, _ := strings.Cut(name, "_")
	switch {
	case name == "limit":
		return q.setLimit(name, v)
	case name == "reverse":
		var ok bool
		if q.reverse, ok = v.(bool); !ok {
			return wamp.Errorf(wamp.URIInvalidArgument, "reverse: expected true or false, found %s", describe(v))
		}
	case name == "topic":
		s, ok := v.(string)
		if !ok {
			return wamp.Errorf(wamp.URIInvalidArgument, "topic: expected a URI, found %s", describe(v))
		}
		q.topic = wamp.URI(s)
		return checkURI(q.topic, wamp.Exact)
	case of == "time":
		return q.setTime(side, v)
	default:
		id, ok := v.(int64)
		if !ok || id < 1 || wamp.ID(id) > wamp.MaxID {
			return wamp.Errorf(wamp.URIInvalidArgument, "%s: expected an ID, an integer in 1 to 2^53, found %s", name, describe(v))
		}
		q.bounds = append(q.bounds, pastBound{
			name: name, publication: wamp.ID(id),
			upper: side == "before" || side == "until", included: side == "from" || side == "until",
		})
	}
	return nil
}

func (q *pastQuery) setLimit(name string, v any) error {
	n, ok := v.(int64)
	if !ok || n < 1 {
		return wamp.Errorf(wamp.URIInvalidArgument, "%s: expected an integer of at least 1, found %s", name, describe(v))
	}
	q.limit = int(min(n, int64(q.limit)))
	return nil
}

// setTime reads a bound in time, which may be between two milliseconds.
func (q *pastQuery) setTime(side string, v any) error {
	s, ok := v.(string)
	var t time.Time
	if !ok || t.UnmarshalText([]byte(s)) != nil {
		return wamp.Errorf(wamp.URIInvalidArgument, `%s_time: expected a time as RFC 3339 has it, such as "2026-01-31T09:30:00.250Z", found %s`, side, describe(v))
	}
	before := t.UnixMilli() // the last whole millisecond that is not behind t
	begun := before
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		begun++
	}
	switch side {
	case "from": // t <= x
		q.low = max(q.low, begun)
	case "after": // t < x
		q.low = max(q.low, before+1)
	case "before": // x < t
		q.high = min(q.high, begun)
	case "until": // x <= t
		q.high = min(q.high, before+1)
	}
	return nil
}

// describe says what a value is, for "found …".
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", clip(v))
	case bool, int64, uint64, float64:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	default:
		return "something else"
	}
}
