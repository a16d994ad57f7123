package xmlrpc_test

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/ingesttest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// deepData returns the data of an event, nested depth deep, as XML-RPC and as
// JSON. The innermost has a scalar, which is no level.
func deepData(depth int) (xml, json string) {
	xml = "<int>1</int>"
	json = "1"
	for i := depth; i > 1; i-- {
		xml, json = array(xml), "["+json+"]"
	}
	return "<struct><member><name>x</name><value>" + xml + "</value></member></struct>", `{"x":` + json + "}"
}

// Data may be nested equally deep whichever way it comes.
func TestDepthOfData(t *testing.T) {
	for _, most := range []int{4, 64} {
		config := xmlrpc.DefaultConfig()
		config.MaxDepth = most
		for depth := most - 1; depth <= most+6; depth++ {
			xml, json := deepData(depth)
			many := array(strings.Replace(eventStruct("a"), data, xml, 1))
			for name, call := range map[string]string{
				"event.publish":                 request("event.publish", "demo", "a", xml),
				"event.publish_many":            request("event.publish_many", "demo", many),
				"event.publish, multicall":      request("system.multicall", array(callStruct("event.publish", "demo", "a", xml))),
				"event.publish_many, multicall": request("system.multicall", array(callStruct("event.publish_many", "demo", many))),
				"after a batch, multicall": request("system.multicall", array(
					callStruct("event.publish_many", "wrong", many), callStruct("event.publish", "demo", "a", xml),
				)),
			} {
				sink, taken := new(ingesttest.Sink), 0
				if ingest.Depth([]byte(json)) <= most { // what is taken over HTTP
					taken = 1
				}
				answer := result(post(xmlrpc.New(sink, keys, slog.New(slog.DiscardHandler), config), call))
				want := "values nested more than " + strconv.Itoa(most) + " deep"
				if taken == 0 && (!strings.HasPrefix(answer, "-32600 ") || !strings.Contains(answer, want)) {
					t.Errorf("%s of data %d deep is answered by %.200s, want %q", name, depth, answer, want)
				}
				if got := len(sink.Events()); got != taken {
					t.Errorf("%s: %d events of data %d deep are taken, want %d", name, got, depth, taken)
				}
			}
		}
	}
}
