package xmlrpc_test

import (
	"testing"

	"github.com/wireroom/wireroom/ingest/ingesttest"
)

// Members of a struct have no order, so a call that is made again with others
// first posts the same event.
func TestDataIsInOrder(t *testing.T) {
	member := func(name, value string) string {
		return "<member><name>" + name + "</name><value>" + value + "</value></member>"
	}
	a, b, empty := member("a", "<int>1</int>"), member("b", "x"), member("e", "<struct></struct>")
	inner := func(x, y string) string {
		return member("in", "<array><data><value><struct>"+x+y+"</struct></value><value>z</value></data></array>")
	}
	const want = `{"a":1,"b":"x","e":{},"in":[{"a":1,"b":"x"},"z"]}`
	for _, data := range []string{
		a + b + empty + inner(a, b), inner(b, a) + empty + b + a, b + inner(a, b) + a + empty,
	} {
		data = "<struct>" + data + "</struct>"
		event := "<struct>" + member("data", data) + member("class", "log") + "</struct>"
		for _, call := range []string{
			request("event.publish", "demo", "log", data),
			request("event.publish_many", "demo", "<array><data><value>"+event+"</value></data></array>"),
		} {
			sink := new(ingesttest.Sink)
			post(newHandler(sink), call)
			events := sink.Events()
			if len(events) != 1 || string(events[0].Event.Data) != want {
				t.Errorf("%s\nis posted as %v, want %s", call, events, want)
			}
		}
	}
}
