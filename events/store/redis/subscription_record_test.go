package redis

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// fieldsOf returns what Redis has when it was given the fields.
func fieldsOf(p *events.Persistent) map[string]string {
	fields := make(map[string]string)
	all := subscriptionFields(p)
	for i := 0; i < len(all); i += 2 {
		fields[all[i].(string)] = fmt.Sprint(all[i+1])
	}
	return fields
}

// FuzzSubscription: what Redis says is not trusted, and what is read is what
// was written.
func FuzzSubscription(f *testing.F) {
	at := time.UnixMilli(1769851800123)
	p := events.Persistent{
		Owner: "client:\x00a", Name: "é", Explicit: true, Created: at, Seen: at, Expires: at, For: time.Hour,
		Position: events.Position{Epoch: "E", Offset: 10}, Acked: []events.Span{{From: 12, Through: 12}, {From: 14, Through: maxNumber}},
	}
	for _, p := range []events.Persistent{p, {Owner: "a", Name: "b"}} {
		m := fieldsOf(&p)
		f.Add(member(p.Owner, p.Name), m["v"], m["explicit"], m["created"], m["for"], m["offset"], m["acked"])
	}
	f.Add("\x00\x01\x00\x00", "1", "", "0", "0", "5", "7-9 8-9")
	f.Add("a\x00", "1", "", "0", "0", "9007199254740993", "")
	f.Add("a\x00\x00b", "1", "", "-1", "-1", "0", "2-18446744073709551615")
	f.Add("a\x00\x00b", "2", "", "", "", "", "x- -")
	f.Fuzz(func(t *testing.T, m, v, explicit, ms, long, offset, acked string) {
		owner, name, err := parseMember(m)
		if err != nil {
			return
		}
		if again := member(owner, name); again != m {
			t.Fatalf("the member %q is read as %q, %q, and written as %q", m, owner, name, again)
		}
		fields := map[string]string{
			"v": v, "explicit": explicit, "created": ms, "seen": ms, "expires": ms, "for": long, "offset": offset, "acked": acked,
		}
		p, err := parseSubscription(owner, name, fields)
		if err != nil {
			return
		}
		if len(p.Acked) > len(acked) {
			t.Fatalf("%q is read as %d spans", acked, len(p.Acked))
		}
		once := fieldsOf(p)
		again, err := parseSubscription(owner, name, once)
		if err != nil || !maps.Equal(fieldsOf(again), once) {
			t.Fatalf("%v is written as %v, which is read as %+v, %v", fields, once, again, err)
		}
		p.Owner, p.Name = "o", "n"
		if err := p.Check(); err != nil && len(p.Acked) <= events.MaxAckedSpans {
			t.Fatalf("%v is read as what nobody may put: %v", fields, err)
		}
	})
}
