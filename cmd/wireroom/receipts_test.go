package main

import (
	"bytes"
	"fmt"
	"testing"
)

// An event of a class is acknowledged by those who get it like any other, with
// or without a log.
func TestReceiptsOfAClass(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	receiver, publisher := rawDial(t, p), rawDial(t, p)
	receiver.send(`[1,"realm1",{"roles":{"subscriber":{"features":{"x_acknowledged_event_delivery":true}}}}]`)
	receiver.want("[2,")
	publisher.send(`[1,"realm1",{"roles":{"publisher":{},"subscriber":{}}}]`)
	publisher.want("[2,")
	publisher.send(`[32,1,{},"wireroom.publication.on_received"]`)
	publisher.want("[33,1,")
	for i, topic := range []string{"demo.message", "chat.line"} {
		receiver.send(fmt.Sprintf(`[32,%d,{},%q]`, i+1, topic))
		receiver.want("[33,")
		publisher.send(fmt.Sprintf(`[16,%d,{"_receipts":60000},%q,[],{"room":"lobby","text":"x"}]`, i+2, topic))
		event := receiver.want("[36,")
		if !bytes.Contains(event[3], []byte(`"x_acknowledged_delivery":true`)) {
			t.Errorf("the event of %s has the details %s", topic, event[3])
		}
		receiver.send(fmt.Sprintf(`[337,%s]`, event[2]))
		report := publisher.want("[36,")
		want := fmt.Sprintf(`{"dropped":0,"left":0,"not_asked":0,"received":1,"silent":0,"topic":%q}`, topic)
		if string(report[4]) != "["+string(event[2])+"]" || string(report[5]) != want {
			t.Errorf("the report of %s is %s %s, want that of %s: %s", topic, report[4], report[5], event[2], want)
		}
	}
}
