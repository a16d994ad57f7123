package nodes_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// What comes and finds no room is counted, and the next publication of its topic
// says how much is missing; of other topics nothing is.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		b.mesh.BoundInbox(3, 1<<20)
		heard := listen(t, b.join("bob"), "chat.", wamp.SubscribeOptions{Match: wamp.Prefix})
		proceed := b.block()
		ada := a.join("ada")
		a.part.Routed(&nodes.Event{Class: "slow", ID: "x", Publication: 1, Data: []byte("{}")})
		synctest.Wait()
		for i := range 6 {
			publish(t, ada, "chat.a", wamp.PublishOptions{}, fmt.Sprint("[", i, "]"))
		}
		close(proceed)
		synctest.Wait()
		publish(t, ada, "chat.b", wamp.PublishOptions{}, `["b"]`)
		publish(t, ada, "chat.a", wamp.PublishOptions{}, `["a"]`)
		if !soon(heard, "[0]", "[1]", "[2]", `["b"]`, `["a"] missed 3`) {
			t.Errorf("%q come", heard.heard())
		}
		if s := b.mesh.Stats(); s.Dropped != 3 {
			t.Errorf("%+v, want 3 that were dropped", s)
		}
		b.mesh.BoundInbox(3, 10) // shorter than any
		publish(t, ada, "chat.a", wamp.PublishOptions{}, `["long"]`)
		if s := b.mesh.Stats(); s.Dropped != 4 {
			t.Errorf("%+v, want 4 that were dropped", s)
		}
	})
}

// Whatever comes over the bus is carried out or refused, and nothing is answered to
// what was not understood.
func FuzzMessage(f *testing.F) {
	for i, text := range []string{
		`{"realm":"realm1","topic":"a.b","id":1,"args":2,"kwargs":-1,"opaque":-1}` + "\n[]",
		`{"realm":"realm1","topic":"a","id":7,"event":"x","time":"2026-01-02T03:04:05Z","args":2}` + "\n{}",
		`{"realm":"realm1","who":[{"Topic":"room.a","AuthID":"ada","Present":true,"Sessions":1}]}` + "\n",
		`{"realm":"realm1","ask":1,"session":5,"uri":"wamp.close.killed"}` + "\n",
		`{"to":"node1","ask":1,"ids":[1]}` + "\n",
		`{"hash":"x"}` + "\n",
		`{"client":"c","token":"AAAA","text":"x"}` + "\n", `{"user":"ada","realm":"realm1","number":1}` + "\n", `{"again":true}` + "\n",
		`{"begin":true}` + "\n", `{"end":true}` + "\n",
	} {
		f.Add(uint8(i), []byte(text))
	}
	log := slog.New(slog.DiscardHandler)
	e := &end{wire: new(wire), name: "node1", wake: make(chan struct{}, 1), knows: map[string]bool{}}
	e.mesh = nodes.New(e, &e.cred, log)
	rt := router.New(router.DefaultConfig(), everybody{}, log)
	relayed := errors.New("an event")
	e.mesh.Realm(rt.AddRealm(realm, everybody{}, nil), func(ev nodes.Event) error {
		if ev.Publication == 0 && ev.Class == "" && ev.ID == "" && len(ev.Data) == 0 {
			return nil
		}
		return relayed
	})
	f.Cleanup(func() {
		_ = rt.Shutdown(f.Context())
		e.mesh.Close()
	})
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		before := e.mesh.Stats()
		err := e.mesh.Handle(nodes.Kinds[int(kind)%len(nodes.Kinds)], payload)
		after := e.mesh.Stats()
		if after.Received > before.Received+1 || after.Sent != before.Sent {
			t.Errorf("from one message come %+v after %+v, %v", after, before, err)
		}
	})
}
