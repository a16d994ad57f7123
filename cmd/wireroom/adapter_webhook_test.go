package main

import (
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router/wamp"
)

// Whatever an event says of its place, a webhook can begin again there, also
// behind one that only tells of a gap.
func TestHookEvent(t *testing.T) {
	tests := []struct {
		name    string
		details map[string]any
		want    string
	}{
		{"an event of a log", map[string]any{"_epoch": "x7Kd", "_offset": int64(17)}, "x7Kd:17"},
		{"the first of a log", map[string]any{"_epoch": "x7Kd", "_offset": uint64(0)}, "x7Kd:0"},
		{"a gap", map[string]any{"_epoch": "x7Kd", "_recovered": false, "_lost_from": int64(3), "_lost_through": int64(8)}, "x7Kd:8"},
		{"a gap without an end", map[string]any{"_epoch": "x7Kd", "_recovered": false}, ""},
		{"an event without a log", map[string]any{"_class": "demo.message"}, ""},
		{"no class", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := hookEvent(&wamp.Event{Publication: 7, Details: wamp.EventDetails{Extra: tt.details}}, "demo.message")
			if e.Position != tt.want {
				t.Errorf("position = %q, want %q", e.Position, tt.want)
			}
		})
	}
	event := map[string]any{"_class": "demo.message", "_event_id": "01J", "_time": "2026-01-31T14:05:06Z"}
	if e := hookEvent(&wamp.Event{Details: wamp.EventDetails{Extra: event}}, "demo.message"); e.ID != "01J" || e.Class == "" || e.Time == "" || e.Lost {
		t.Errorf("an event of a class = %+v", e)
	}
	gap := map[string]any{"_class": "demo.message", "_epoch": "x7Kd", "_recovered": false}
	if e := hookEvent(&wamp.Event{Details: wamp.EventDetails{Extra: gap}}, "demo.message"); e.Class != "" || !e.Lost {
		t.Errorf("what tells of a gap = %+v, want no event of the class", e)
	}
	if _, replay, err := events.ParseStart(map[string]any{"_since": "x7Kd:8"}); !replay || err != nil {
		t.Errorf("a position cannot be gone back to: %v", err)
	}
}
