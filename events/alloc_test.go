package events_test

import (
	"context"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// sample has 300 bytes and most of what an event has.
const sample = `{"id":12345678,"customer":"ada","total":1234.5,"paid":true,"at":"2026-01-31T09:30:00Z","state":"sent","size":2,` +
	`"address":{"city":"Oslo","zip":150,"street":"Karl Johans gate 1"},` +
	`"items":[{"price":12.5,"name":"tea"},{"price":7,"name":"biscuits and a cup"}],"tags":["new","gift"],"note":"please ring twice"}`

// nowhere is a router without subscribers.
type nowhere struct{}

func (nowhere) Route(*events.Event, *events.Class, string) {}

// instant is a store that does nothing, at once, so that only what the hub
// allocates is counted.
type instant struct {
	events.Store
	epoch string
	next  uint64
}

func (s *instant) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	b, err := s.Store.Bounds(ctx, class)
	s.epoch = b.Epoch
	return b, err
}

func (s *instant) Append(_ []events.Record, done func([]events.Appended, error)) {
	s.next++
	done([]events.Appended{{Epoch: s.epoch, Offset: s.next}}, nil)
}

// freeOrder is the class of the sample, not retained and without channels.
func freeOrder() events.ClassConfig {
	c := order()
	c.Channel = ""
	return c
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	retained := freeOrder()
	retained.Name, retained.Retain = "order.kept", events.Retain{Events: 10}
	channels := order()
	channels.Name = "order.channels"
	keyed := freeOrder()
	keyed.Name, keyed.Delivery = "order.keyed", events.Delivery{WhenFull: events.KeepLatest, Key: "id"}
	h, err := events.NewHub(t.Context(), catalogue(t, []events.ClassConfig{freeOrder(), retained, channels, keyed}),
		&instant{Store: openStore(t)}, nowhere{}, events.DefaultConfig(), discard)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cat := h.Catalogue()
	data := []byte(sample)
	e := new(events.Event)
	publish := func(class, id string) func() {
		return func() {
			*e = events.Event{Class: class, ID: id, Data: data}
			if _, err := h.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	done := func(_ events.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	access := events.Access{Roles: []string{"member", "admin"}}
	for _, test := range []struct {
		name string
		run  func()
		most float64
	}{
		{"check", func() { cat.Class("order.created").Check(data) }, 0},
		{"check with a channel", func() { cat.Class("order.channels").Check(data) }, 1},
		{"check with a key", func() { cat.Class("order.keyed").Check(data) }, 0},
		{"look up a class", func() { cat.Lookup("order.created") }, 0},
		{"look up a channel", func() { cat.Lookup("order.channels.ada") }, 0},
		{"look up another topic", func() { cat.Lookup("chat.lobby.x") }, 0},
		{"access", func() { access.Allows("admin", true) }, 0},
		{"make an id", func() { events.NewID(time.Time{}) }, 1},
		{"publish without an id", publish("order.created", ""), 1},
		{"publish with a key", publish("order.keyed", ""), 1},
		{"publish, acknowledged again", publish("order.created", "x"), 0},
		{"publish asynchronously", func() {
			*e = events.Event{Class: "order.created", Data: data}
			h.PublishAsync(e, done)
		}, 1},
		{"publish to a log", publish("order.kept", ""), 6},
	} {
		if got := testing.AllocsPerRun(100, test.run); got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		} else {
			t.Logf("%s: %v allocations", test.name, got)
		}
	}
}
