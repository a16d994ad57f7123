//go:build linux

package bench

import (
	"strings"
	"testing"
)

// Every kind of stall is measured, with a server that ends who does not read.
func TestStall(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "stall", "--spawn", "wireroom", "--duration", "700ms", "--warmup", "100ms", "--rounds", "1",
		"--others", "2", "--feed-rate", "400", "--feed-size", "65536", "--serializer", "json,msgpack")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != len(stallKinds) {
		t.Fatalf("%d results, want %d", len(r.Results), len(stallKinds))
	}
	for i, res := range r.Results {
		if want := "stalled " + stallKinds[i]; res.Case != want {
			t.Errorf("case %q, want %q", res.Case, want)
		}
		need(t, res, "failed", 0, 0)
		need(t, res, "missing", 0, 0)
		need(t, res, "disconnected", 0, 0)
		need(t, res, "reading_p50_ms", 0.001, 500)
		need(t, res, "stalled_p50_ms", 0.001, 500)
		need(t, res, "added_max_ms", -2000, 2000)
		if _, ended := res.Values["ended_after_s"]; !ended {
			need(t, res, "never_ended_s", 0.05, 5)
		}
	}
}

// A server that lets a stalled caller hold up others is found out.
func TestStallFindsOut(t *testing.T) {
	r, err := bench(t.Context(), t, "stall", "--spawn", "nexus", "--stalled", stallProgress, "--duration", "2s", "--warmup", "0s", "--rounds", "1",
		"--feed-rate", "500", "--feed-size", "65536", "--strict")
	if err == nil || !strings.Contains(err.Error(), "--strict") {
		t.Errorf("error %v, want one about --strict", err)
	}
	res := r.Results[0]
	need(t, res, "missing", 1, 1e6)
	need(t, res, "stalled_max_ms", 500, 5000)
	need(t, res, "never_ended_s", 1, 3)
}

// What the others count, and what is added to them when they are given up.
func TestWaiter(t *testing.T) {
	l, err := newLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	p := &peer{loop: l, ser: serJSON, waiting: true} // so that nothing is written
	payload := newPayload(64)
	w := &waiter{call: newTemplate(serJSON, payload, codeCall, dict{}, "p"), payload: payload, pending: make(map[uint64]int64)}
	w.begin(phaseMeasured)
	for i := range int64(4) {
		w.next(p, i)
	}
	answer := func(text string, now int64) {
		code, rest, _ := serJSON.readCode([]byte(text))
		w.receive(p, code, rest, []byte(text), now)
	}
	answer(`[50,1,{}]`, 10)
	answer(`[50,1,{}]`, 11) // not a call any more
	answer(`[8,48,2,{},"x.y"]`, 12)
	if w.got != 1 || w.failed != 1 || w.times.n != 1 || w.times.max != 10 || l.errors != 0 {
		t.Errorf("got %d, failed %d, %d times, longest %d, %d errors; want 1, 1, 1, 10, 0", w.got, w.failed, w.times.n, w.times.max, l.errors)
	}
	if n := w.giveUp(1000); n != 2 || w.times.n != 3 || w.times.max != 998 {
		t.Errorf("gave up %d, %d times, longest %d; want 2, 3, 998", n, w.times.n, w.times.max)
	}
	answer(`[36,1,2,{}]`, 5) // it has no subscription
	if l.errors != 1 {
		t.Errorf("%d errors, want 1", l.errors)
	}
}
