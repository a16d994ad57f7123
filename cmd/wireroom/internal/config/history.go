package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// readHistory reads of which plain topics the last events are kept.
func (r *Realm) readHistory(o *object) {
	o.list("history", "list of mappings", "", func(n *yaml.Node, path string) {
		h := router.HistoryConfig{Events: 1000, Bytes: 1 << 20}
		o.d.object(n, path, func(o *object) {
			topic := ""
			o.string("topic", &topic)
			o.required("topic", "a topic, or a pattern of topics")
			h.Topic = wamp.URI(topic)
			match := h.Match.String()
			o.oneOf("match", &match, wamp.Exact.String(), wamp.Prefix.String(), wamp.Wildcard.String())
			for m := range wamp.Wildcard + 1 {
				if m.String() == match {
					h.Match = m
				}
			}
			o.integer("events", &h.Events, 1, router.MaxHistoryEvents)
			o.size("bytes", &h.Bytes, router.MinHistoryBytes, router.MaxHistoryBytes)
			o.duration("for", &h.For, 0, router.MaxHistoryFor)
			if !o.d.describe {
				o.validate(h.Validate)
			}
		})
		r.History = append(r.History, h)
	})
}

// checkHistory looks at the histories side by side, and beside the classes.
func (r *Realm) checkHistory(report func(path string, err error)) {
	classes := make(map[wamp.URI]bool, len(r.Classes))
	for _, c := range r.Classes {
		classes[wamp.URI(c.Name)] = true
	}
	for i, h := range r.History {
		at := func(field string) string { return join(join(r.at, fmt.Sprintf("history[%d]", i)), field) }
		if i == router.MaxHistories {
			report(at(""), fmt.Errorf("expected at most %d histories, found more", router.MaxHistories))
			return
		}
		if h.Match == wamp.Exact && classes[h.Topic] {
			report(at("topic"), fmt.Errorf("expected a topic that is no event class, found the class %s, whose past is its log: say retain there", h.Topic))
		}
		for j, earlier := range r.History[:i] {
			switch {
			case earlier.Match == h.Match && earlier.Topic == h.Topic:
				report(at("topic"), fmt.Errorf("expected each topic once with the same match, found that of history[%d] again", j))
			case covers(earlier, h):
				report(at("topic"), fmt.Errorf("expected topics that no earlier entry has all of, found some that are all in history[%d]: put the narrower one first", j))
			default:
				continue
			}
			break
		}
	}
}

// covers reports whether all topics of b are topics of a, as far as that is
// plain to see.
func covers(a, b router.HistoryConfig) bool {
	switch b.Match {
	case wamp.Exact:
		return b.Topic.Fits(a.Topic, a.Match)
	case wamp.Prefix:
		return a.Match == wamp.Prefix && b.Topic.Fits(a.Topic, wamp.Prefix)
	default:
		return false
	}
}
