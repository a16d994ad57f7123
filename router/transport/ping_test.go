package transport_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A peer that reads slowly gets a ping late, behind what waits for it, and is
// not taken for dead before it can answer. One that reads nothing is ended.
func TestPingBehindBacklog(t *testing.T) {
	for _, reads := range []bool{true, false} {
		t.Run(fmt.Sprintf("reads=%v", reads), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, rt := routed(t, testConfig(), newPipeListener()) // pings after 30s, 10s to answer
				const events = 100
				p := h.connect("wamp.2.json", mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)+
					mask(fin|text, `[32,1,{},"com.example.topic"]`))
				defer p.conn.Close()
				for range 2 {
					p.read()
				}
				synctest.Wait()
				for range events {
					rt.Realm("realm1").Publish(&router.Publication{Topic: "com.example.topic", Payload: wamp.Payload{
						Serializer: wamp.JSON, Args: fmt.Appendf(nil, "[%q]", strings.Repeat("x", 8<<10)),
					}})
				}
				if !reads {
					<-time.After(time.Minute)
					if n := rt.Stats().Connections; n != 0 {
						t.Errorf("%d connections are open, want none", n)
					}
					return
				}
				// 64 KiB in 5s, so that all takes a minute.
				for got := 0; got <= events; {
					f, err := p.read()
					switch {
					case err != nil || f.op() == clos || strings.HasPrefix(f.payload, "[6,"):
						t.Fatalf("after %d events: %.100q, %v", got, f, err)
					case f.op() == ping:
						p.send(mask(fin|pong, f.payload))
					case got == events: // UNSUBSCRIBED
						got++
					default:
						if got++; got == events {
							p.send(mask(fin|text, `[34,2,1]`))
						}
						<-time.After(600 * time.Millisecond)
					}
				}
				if st := h.srv.Stats(); st.Pings == 0 || st.PingTimeouts != 0 {
					t.Errorf("%d pings, %d timeouts; want some and none", st.Pings, st.PingTimeouts)
				}
			})
		})
	}
}
