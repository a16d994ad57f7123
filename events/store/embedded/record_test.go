package embedded

import (
	"bytes"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// FuzzRecord: what the file says is not trusted, and what is read is what was
// written.
func FuzzRecord(f *testing.F) {
	at := time.UnixMilli(1769851800123).UTC()
	f.Add(appendRecord(nil, &events.Record{ID: "x", IDGiven: true, Channel: "ada", Data: []byte(`{"n":1}`)}, at))
	f.Add(appendRecord(nil, &events.Record{}, time.UnixMilli(0)))
	f.Add([]byte{0})
	f.Add([]byte{0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		want := events.Record{ID: string(r.id), IDGiven: r.given, Channel: string(r.channel), Data: r.data}
		again, err := parseRecord(appendRecord(nil, &want, r.time))
		if err != nil || again.given != r.given || !again.time.Equal(r.time) || !bytes.Equal(again.id, r.id) ||
			!bytes.Equal(again.channel, r.channel) || !bytes.Equal(again.data, r.data) {
			t.Fatalf("%x is read as %+v, and written and read again as %+v, %v", b, r, again, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	at := time.Unix(1769851800, 123456789)
	f.Add(appendToken(nil, &auth.Token{Client: "c", User: "ada", Roles: []string{"a", "b"}, Realm: "r", Created: at, Expires: at}))
	f.Add(appendToken(nil, &auth.Token{Client: "c", User: "ada", Claims: "{}", Created: at, Expires: at}))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := parseToken([32]byte{}, b)
		if err != nil {
			return
		}
		if len(token.Roles) > len(b) {
			t.Fatalf("%d bytes are read as %d roles", len(b), len(token.Roles))
		}
		once := appendToken(nil, token)
		again, err := parseToken([32]byte{}, once)
		if err != nil || !bytes.Equal(appendToken(nil, again), once) {
			t.Fatalf("%x is written as %x, which is read as %+v, %v", b, once, again, err)
		}
	})
}

func FuzzSubscription(f *testing.F) {
	at := time.UnixMilli(1769851800123)
	p := events.Persistent{
		Owner: "client:\x00a", Name: "é", Class: "c@r", Channel: "ada", Where: "n > 1", Explicit: true, Created: at, Seen: at, Expires: at, For: time.Hour,
		Position: events.Position{Epoch: "E", Offset: 10}, Acked: []events.Span{{From: 12, Through: 12}, {From: 14, Through: 1 << 60}},
	}
	for _, p := range []events.Persistent{p, {Owner: "a", Name: "b"}} {
		f.Add(storekit.AppendMember(nil, p.Owner, p.Name), appendSubscription(nil, &subscription{Persistent: p, lapse: -1}))
	}
	f.Add([]byte{0, 255, 0, 0}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add([]byte{0, 0}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 3, 252, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add([]byte{0, 1, 0, 0}, []byte{2})
	f.Fuzz(func(t *testing.T, key, b []byte) {
		s, err := parseSubscription(key, b)
		if err != nil {
			return
		}
		if len(s.Acked) > len(b) {
			t.Fatalf("%d bytes are read as %d spans", len(b), len(s.Acked))
		}
		if got := storekit.AppendMember(nil, s.Owner, s.Name); !bytes.Equal(got, key) {
			t.Fatalf("the key %x is read as %q, %q, and written as %x", key, s.Owner, s.Name, got)
		}
		once := appendSubscription(nil, s)
		again, err := parseSubscription(key, once)
		if err != nil || !bytes.Equal(appendSubscription(nil, again), once) {
			t.Fatalf("%x is written as %x, which is read as %+v, %v", b, once, again, err)
		}
		s.Owner, s.Name = "o", "n"
		if err := s.Check(); err != nil && len(s.Acked) <= events.MaxAckedSpans {
			t.Fatalf("%x is read as what nobody may put: %v", b, err)
		}
	})
}
