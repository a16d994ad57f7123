package events_test

import (
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// keyed returns a class whose events are the latest state of what the field
// says, and which has channels by the same field.
func keyed(name string, t events.Type) events.ClassConfig {
	return events.ClassConfig{
		Name:     name,
		Fields:   []events.FieldConfig{{Name: "k", Type: t}, {Name: "n", Type: events.Int}, {Name: "o", Type: events.Object, Fields: []events.FieldConfig{{Name: "k", Type: t}}}},
		Delivery: events.Delivery{WhenFull: events.KeepLatest, Key: "k"},
	}
}

// Events have the same key if and only if the field has the same value, however
// that is written.
func TestKey(t *testing.T) {
	withChannel := keyed("channel", events.String)
	withChannel.Channel = "k"
	retained := keyed("retained", events.String)
	retained.Retain.Events = 10
	r := new(recorder)
	h, err := events.NewHub(t.Context(), catalogue(t, []events.ClassConfig{
		keyed("string", events.String), keyed("int", events.Int), keyed("bool", events.Bool), withChannel, retained,
		{Name: "none", Delivery: events.Delivery{WhenFull: events.KeepLatest}},
		{Name: "drop", Delivery: events.Delivery{WhenFull: events.DropOldest}},
	}), openStore(t), r, events.DefaultConfig(), discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	key := func(class, data string) uint64 {
		t.Helper()
		mustPublish(t, h, &events.Event{Class: class, Data: []byte(data)})
		return r.routed[len(r.routed)-1].event.Key
	}
	for _, tt := range []struct {
		class, a, b string
		same        bool
	}{
		{"string", `{"k":"a","n":1}`, `{"n":2,"k":"a"}`, true},
		{"string", `{"k":"a"}`, `{"k":"\u0061"}`, true},
		{"string", `{"k":"a\nb"}`, `{"k":"a\u000ab"}`, true},
		{"string", `{"k":"a"}`, `{"k":"b"}`, false},
		{"string", `{"k":"a"}`, `{"k":""}`, false},
		{"string", `{"k":"a"}`, `{"k":"a","o":{"k":"b"}}`, true},
		{"int", `{"k":7}`, ` { "k" : 7 } `, true},
		{"int", `{"k":0}`, `{"k":-0}`, true},
		{"int", `{"k":7}`, `{"k":-7}`, false},
		{"bool", `{"k":true}`, `{"k":true,"n":1}`, true},
		{"bool", `{"k":true}`, `{"k":false}`, false},
		{"channel", `{"k":"a"}`, `{"k":"a"}`, true},
		{"channel", `{"k":"a"}`, `{"k":"b"}`, false},
		{"retained", `{"k":"a"}`, `{"k":"a","n":1}`, true},
		{"retained", `{"k":"a"}`, `{"k":"b","n":1}`, false},
	} {
		a, b := key(tt.class, tt.a), key(tt.class, tt.b)
		if a == 0 || b == 0 || (a == b) != tt.same {
			t.Errorf("%s %s and %s: keys %x and %x; want them not 0, and the same: %v", tt.class, tt.a, tt.b, a, b, tt.same)
		}
	}
	// What has no value in the field is one thing of its own; no two classes
	// have a key in common.
	if a, b, c := key("string", `{"n":1}`), key("string", `{"k":null,"o":{"k":"b"}}`), key("string", `{"k":"b"}`); a == 0 || a != b || a == c {
		t.Errorf("keys %x and %x without a value, %x with one; want the first two the same, not 0, and another one", a, b, c)
	}
	if a, b := key("string", `{"k":"a"}`), key("retained", `{"k":"a"}`); a == b {
		t.Errorf("two classes have the key %x for the same value", a)
	}
	if a, b, c := key("none", `{"k":"a"}`), key("none", `{"k":"b"}`), key("int", `{}`); a == 0 || a != b || a == c {
		t.Errorf("keys %x and %x of a class without the field, %x of another; want the first two the same, not 0, and another one", a, b, c)
	}
	if got := key("drop", `{"k":"a"}`); got != 0 {
		t.Errorf("key %x of a class that keeps more than the latest, want 0", got)
	}
}

// An event that is found in the log and routed late has its key, too.
func TestKeyOfFilled(t *testing.T) {
	c := keyed("log", events.Int)
	c.Retain.Events = 10
	r := new(recorder)
	g := &gate{Store: openStore(t)}
	h, err := events.NewHub(t.Context(), catalogue(t, []events.ClassConfig{c}), g, r, events.DefaultConfig(), discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	g.set(nil, events.ErrUnavailable)
	if _, err := h.Publish(t.Context(), &events.Event{Class: "log", Data: []byte(`{"k":1}`)}); err == nil {
		t.Fatal("the store did not fail")
	}
	g.set(nil, nil)
	mustPublish(t, h, &events.Event{Class: "log", Data: []byte(`{"k":1}`)})
	mustPublish(t, h, &events.Event{Class: "log", Data: []byte(`{"k":2}`)})
	if len(r.routed) != 3 {
		t.Fatalf("%d events routed, want 3", len(r.routed))
	}
	if first, second, third := r.routed[0].event.Key, r.routed[1].event.Key, r.routed[2].event.Key; first == 0 || first != second || first == third {
		t.Errorf("keys %x, %x, %x; want the first two the same, not 0, and another one", first, second, third)
	}
}

func TestDelivery(t *testing.T) {
	want := events.Delivery{WhenFull: events.KeepLatest, Key: "k", Linger: 10 * time.Millisecond}
	config := keyed("c", events.Int)
	config.Delivery = want
	c := class(t, config)
	if got := c.Delivery(); got != want {
		t.Errorf("Delivery = %+v, want %+v", got, want)
	}
	if d := c.Describe(); d.WhenFull != events.KeepLatest || d.Key != "k" {
		t.Errorf("Describe says %q, %q; want keep-latest, k", d.WhenFull, d.Key)
	}
}
