package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
)

// A batch is taken as one: in order, or not at all.
func TestBatch(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	events := join(t, p, "").listen(t, "", wamp.Dict{"match": "prefix"})
	c := must(newXMLRPCClient(p.base, testKey, patience))(t)
	defer c.http.CloseIdleConnections()
	event := func(class string, data map[string]any) any {
		return map[string]any{"class": class, "data": data}
	}
	message := func(n int) any {
		return event("demo.message", map[string]any{"room": "r", "text": "x", "n": n})
	}

	var ids []string
	err := c.call(t.Context(), &ids, "event.publish_many", []any{message(1), message(-1), event("chat.line", map[string]any{"n": -1})})
	if err == nil || !strings.Contains(err.Error(), "event 2: chat.line: n: expected an integer of at least 0, found -1") {
		t.Errorf("a batch with a bad event: %v, want the event at fault", err)
	}
	if err := c.call(t.Context(), &ids, "event.publish_many", []any{message(2), event("chat.line", map[string]any{"n": 3}), message(4)}); err != nil || len(ids) != 3 {
		t.Fatalf("a good batch: ids %v, %v", ids, err)
	}
	for i, want := range []int64{2, 3, 4} {
		e := next(t, events)
		if got, _ := wamp.AsInt64(e.ArgumentsKw["n"]); got != want || e.Details["_event_id"] != ids[i] {
			t.Errorf("event %d of the batch: n = %d, id %v; want %d, %s", i, got, e.Details["_event_id"], want, ids[i])
		}
	}

	shop := must(newXMLRPCClient(p.base, testShopKey, patience))(t)
	defer shop.http.CloseIdleConnections()
	err = shop.call(t.Context(), &ids, "event.publish_many", []any{event("order.created", map[string]any{"id": 1}), message(5)})
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitRefused || !strings.Contains(err.Error(), "event 1") {
		t.Errorf("a batch with a foreign class: %v, want the event at fault", err)
	}
}

// class.list tells a key what it may post, and what that looks like.
func TestClassesOfAKey(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	for key, want := range map[string]string{
		testKey:     "[chat.line demo.message order.created staff.note]",
		testShopKey: "[order.created]",
	} {
		c := must(newXMLRPCClient(p.base, key, patience))(t)
		defer c.http.CloseIdleConnections()
		var classes []struct {
			Name     string `xmlrpc:"name"`
			Retained bool   `xmlrpc:"retained"`
			Fields   []struct {
				Name string `xmlrpc:"name"`
				Type string `xmlrpc:"type"`
			} `xmlrpc:"fields"`
		}
		if err := c.call(t.Context(), &classes, "class.list"); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, class := range classes {
			names = append(names, class.Name)
			if class.Name == "order.created" && (!class.Retained || fmt.Sprint(class.Fields) != "[{id int} {total number}]") {
				t.Errorf("order.created is %+v, want it retained, with id and total", class)
			}
		}
		var members []map[string]any
		if err := c.call(t.Context(), &members, "class.list"); err != nil {
			t.Fatal(err)
		}
		for _, class := range members { // nothing is promised that the gateway lacks
			for name := range class {
				if !slices.Contains([]string{"name", "about", "access", "roles", "fields", "otherFields", "channel", "retained"}, name) {
					t.Errorf("%v has the member %s, which docs/ingest.md lacks", class["name"], name)
				}
			}
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("class.list = %s, want %s", got, want)
		}
	}
}
