//go:build linux

package bench

import (
	"strings"
	"testing"
)

// However sessions say what they want, each gets its own events and no others.
func TestQuery(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "query", "--spawn", "wireroom", "--spawn", "nexus", "--sessions", "24", "--matching", "3", "--rate", "100",
		"--duration", "300ms", "--warmup", "50ms", "--rounds", "1", "--strict", "--serializer", "json,msgpack,cbor")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 5 || !r.Complete {
		t.Fatalf("%d results, complete %v; want 5, true", len(r.Results), r.Complete)
	}
	for _, res := range r.Results {
		need(t, res, "events_per_second", 1, 1000)
		need(t, res, "deliveries_per_second", 3, 3000)
		need(t, res, keyQueryCPU, 1, 100_000)
		need(t, res, keyQueryDelivery, 0.3, 100_000)
		need(t, res, "latency_p50_ms", 0.001, 10_000)
		need(t, res, "server_cpu_us_per_subscribe", 0.1, 100_000)
		need(t, res, "misdirected", 0, 0)
		if res.Case != "by topic" {
			need(t, res, keyQueryRatio, 0.01, 100)
		}
	}
}

// A session that gets what is for others, an event again, or none, is told of.
func TestGroupMember(t *testing.T) {
	g := &groupMember{group: 1, groups: 4}
	p := &peer{loop: new(loop), ser: serJSON}
	give := func(code, number uint64, phase byte) {
		payload := newPayload(minPayload)
		stampPayload(payload, phase, number, 5)
		g.receive(p, code, nil, payload, 10)
	}
	give(codeEvent, 1, phaseWarm)
	for _, n := range []uint64{1, 5, 5, 13, 9, 2} {
		give(codeEvent, n, phaseMeasured)
	}
	if o := g.order; o.got != 4 || o.twice != 1 || o.late != 1 || g.misdirected != 1 {
		t.Errorf("got %d, twice %d, late %d, misdirected %d; want 4, 1, 1, 1", o.got, o.twice, o.late, g.misdirected)
	}
	if l := p.loop; l.warm != 1 || l.measured != 5 || l.errors != 0 {
		t.Errorf("warm %d, measured %d, errors %d; want 1, 5, 0", l.warm, l.measured, l.errors)
	}
	give(codeError, 17, phaseMeasured)
	if p.loop.errors != 1 {
		t.Error("an ERROR is no error")
	}
}

// What members of a group ask for is different with queries of their own, and
// the same else; what is published to is what they ask about.
func TestQueryNames(t *testing.T) {
	for _, way := range queryWays {
		asked := map[string]int{}
		for group := range 3 {
			for member := range 4 {
				topic, options := subscribedTo(way, "base", group, member)
				where, _ := options["_where"].(string)
				asked[topic+" "+where]++
				if to := publishedTo(way, "base", group); way != byChannel && topic != to || way == byChannel && topic != to+"."+customer(group) {
					t.Errorf("%s: subscribed to %s, published to %s", way, topic, to)
				}
				if where != "" && !strings.Contains(where, "'"+customer(group)+"'") {
					t.Errorf("%s: the query of group %d is %s", way, group, where)
				}
			}
		}
		want := 3
		if way == byQuery {
			want = 12
		}
		if len(asked) != want {
			t.Errorf("%s: %d different subscriptions, want %d: %v", way, len(asked), want, asked)
		}
	}
}
