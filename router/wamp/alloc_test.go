package wamp_test

import (
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// hot are messages that are decoded and appended without allocating.
var hot = []string{
	`[16,4711,{},"com.example.topic",["hello",1,2.5,true,null]]`,
	`[16,4711,{"acknowledge":true,"exclude_me":false},"com.example.topic",["h\u00e9llo"],{"k":{"a":[1,2,3]}}]`,
	`[16,4711,{"ppt_scheme":"wamp","ppt_serializer":"cbor"},"com.example.topic","\u0000AQI="]`,
	`[17,4711,5512315355]`,
	`[32,1,{"match":"prefix"},"com.example"]`,
	`[33,4711,5512315355]`,
	`[34,4711,5512315355]`,
	`[35,4711]`,
	`[36,1,5512315355,{"topic":"com.example.topic","publisher":55123,"publisher_authid":"joe"},["hello"],{"k":"v"}]`,
	`[48,4711,{"receive_progress":true,"timeout":5000},"com.example.add",[1,2]]`,
	`[49,4711,{"mode":"kill"}]`,
	`[50,4711,{"progress":true},[3]]`,
	`[64,1,{"invoke":"roundrobin"},"com.example.add"]`,
	`[65,1,2]`,
	`[66,1,2]`,
	`[67,1]`,
	`[68,4711,2,{"caller":55123},[1,2]]`,
	`[69,4711,{"mode":"kill"}]`,
	`[70,4711,{},[3]]`,
	`[8,68,4711,{},"wamp.error.canceled",["why"]]`,
	`[337,5512315355]`,
}

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
}

func TestDecodeAllocs(t *testing.T) {
	skipUnderRace(t)
	for s := range wamp.Serializer(wamp.NumSerializers) {
		for _, text := range hot {
			data := recode(t, s, wamp.JSON, []byte(text))
			var d wamp.Decoder
			got := testing.AllocsPerRun(100, func() {
				if _, err := d.Decode(s, data); err != nil {
					t.Fatal(err)
				}
			})
			if got != 0 {
				t.Errorf("%s: decoding %s: %v allocations, want 0", s, text, got)
			}
		}
	}
}

func TestAppendAllocs(t *testing.T) {
	skipUnderRace(t)
	fields := []wamp.Field{wamp.StringField("_class", "order.created"), wamp.UintField("_offset", 1<<40), wamp.BoolField("_replayed", true)}
	for s := range wamp.Serializer(wamp.NumSerializers) {
		for _, text := range hot {
			var d wamp.Decoder
			m, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(text)))
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := m.(*wamp.Event); ok {
				e.Details.Fields = fields
			}
			buf := make([]byte, 0, 1024)
			if got := testing.AllocsPerRun(100, func() { buf = m.Append(buf[:0], s) }); got != 0 {
				t.Errorf("%s: appending %s: %v allocations, want 0", s, text, got)
			}
		}
	}
}

// Translating a payload allocates its bytes, once.
func TestInAllocs(t *testing.T) {
	skipUnderRace(t)
	for from := range wamp.Serializer(wamp.NumSerializers) {
		for to := range wamp.Serializer(wamp.NumSerializers) {
			p := wamp.Payload{
				Serializer: from,
				Args:       recode(t, from, wamp.JSON, []byte(`["hello",{"a":[1,-2,2.5],"bc":null},"wörld"]`)),
				KwArgs:     recode(t, from, wamp.JSON, []byte(`{"customer":"c1","total":12.5}`)),
			}
			got := testing.AllocsPerRun(100, func() {
				if _, err := p.In(to); err != nil {
					t.Fatal(err)
				}
			})
			want := 1.0
			if from == to {
				want = 0
			}
			if got > want {
				t.Errorf("%s to %s: %v allocations, want at most %v", from, to, got, want)
			}
		}
	}
}

// The strings that a Decoder remembers are bounded, in number and length: what
// a peer sends once does not stay for ever.
func TestInternedStringsAllocs(t *testing.T) {
	skipUnderRace(t)
	var d wamp.Decoder
	decode := func(topic string) float64 {
		data := (&wamp.Subscribe{Request: 1, Topic: wamp.URI(topic)}).Append(nil, wamp.JSON)
		return testing.AllocsPerRun(10, func() {
			if _, err := d.Decode(wamp.JSON, data); err != nil {
				t.Fatal(err)
			}
		})
	}
	long := make([]byte, 129)
	for i := range long {
		long[i] = 'a'
	}
	if got := decode(string(long[:128])); got != 0 {
		t.Errorf("a topic of 128 bytes: %v allocations, want 0", got)
	}
	if got := decode(string(long)); got != 1 {
		t.Errorf("a topic of 129 bytes: %v allocations, want 1", got)
	}
}
