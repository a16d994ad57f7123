package wamp_test

import (
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// A router receives a publication in one serializer and sends it on in
// another.
func ExampleDecoder() {
	var d wamp.Decoder
	m, err := d.Decode(wamp.JSON, []byte(`[16, 1, {"acknowledge": true}, "com.example.greeting", ["hello", 1.0]]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	publish := m.(*wamp.Publish)
	payload, err := publish.Payload.In(wamp.MessagePack)
	if err != nil {
		fmt.Println(err)
		return
	}
	event := wamp.Event{Subscription: 7, Publication: 9, Payload: payload}
	fmt.Printf("%s %x\n", publish.Topic, event.Append(nil, wamp.MessagePack))

	_, err = d.Decode(wamp.JSON, []byte(`[16, 1, {"acknowledge": "yes"}, "com.example.greeting"]`))
	fmt.Println(err)
	// Output:
	// com.example.greeting 952407098092a568656c6c6fcb3ff0000000000000
	// wamp.error.protocol_violation: PUBLISH.Options.acknowledge: expected bool, found string
}
