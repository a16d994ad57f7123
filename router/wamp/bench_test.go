package wamp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wireroom/wireroom/router/wamp"
)

const orderArgs = `["order.created",4711,12.5,true,null]`

const orderKwArgs = `{"id":"9f3c1b","customer":"Ola Nordmann","total":1299.95,"items":[` +
	`{"sku":"A-1","count":2,"price":199.5},{"sku":"B-22","count":1,"price":900.95}],"note":"leave it at the door, please"}`

// BenchmarkDecode decodes a PUBLISH, beside libraries that decode the same
// bytes into a list of any.
func BenchmarkDecode(b *testing.B) {
	libraries := [...]func([]byte, any) error{json.Unmarshal, msgpack.Unmarshal, cbor.Unmarshal}
	for _, size := range []struct{ name, text string }{
		{"small", `[16,4711,{"acknowledge":true},"com.example.topic",["hello, world"]]`},
		{"order", `[16,4711,{"acknowledge":true},"com.example.topic",` + orderArgs + `,` + orderKwArgs + `]`},
	} {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			data := recode(b, s, wamp.JSON, []byte(size.text))
			b.Run(fmt.Sprintf("size=%s/serializer=%s/by=wamp", size.name, s), func(b *testing.B) {
				var d wamp.Decoder
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := d.Decode(s, data); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("size=%s/serializer=%s/by=library", size.name, s), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					var list []any
					if err := libraries[s](data, &list); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAppendEvent encodes an EVENT whose payload is there in raw bytes,
// beside libraries that encode a list of any.
func BenchmarkAppendEvent(b *testing.B) {
	libraries := [...]func(any) ([]byte, error){json.Marshal, msgpack.Marshal, cbor.Marshal}
	for s := range wamp.Serializer(wamp.NumSerializers) {
		e := wamp.Event{
			Subscription: 4711, Publication: 5512315355,
			Details: wamp.EventDetails{Topic: "com.example.topic", Publisher: 8841, Fields: []wamp.Field{
				wamp.StringField("_class", "order.created"), wamp.UintField("_offset", 123456),
			}},
			Payload: wamp.Payload{
				Serializer: s,
				Args:       recode(b, s, wamp.JSON, []byte(orderArgs)),
				KwArgs:     recode(b, s, wamp.JSON, []byte(orderKwArgs)),
			},
		}
		list := parse(b, s, e.Append(nil, s)).([]any)
		b.Run(fmt.Sprintf("serializer=%s/by=wamp", s), func(b *testing.B) {
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				buf = e.Append(buf[:0], s)
			}
		})
		b.Run(fmt.Sprintf("serializer=%s/by=library", s), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := libraries[s](list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIn translates a payload.
func BenchmarkIn(b *testing.B) {
	for from := range wamp.Serializer(wamp.NumSerializers) {
		for to := range wamp.Serializer(wamp.NumSerializers) {
			if from == to {
				continue
			}
			p := wamp.Payload{
				Serializer: from,
				Args:       recode(b, from, wamp.JSON, []byte(orderArgs)),
				KwArgs:     recode(b, from, wamp.JSON, []byte(orderKwArgs)),
			}
			b.Run(fmt.Sprintf("from=%s/to=%s", from, to), func(b *testing.B) {
				b.SetBytes(int64(p.Len()))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.In(to); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
