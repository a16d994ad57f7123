package router_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Feeds that send the same event in the same way encode it once, and what they
// offer is written when they flush.
func TestFeedsShareCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 3
		var (
			copies [events]router.Copies
			made   atomic.Int64
		)
		begin, flush := make(chan struct{}), make(chan struct{})
		k := &keeper{replay: func(f *router.Feed) {
			<-begin
			for i := range events {
				room, err := f.Offer(&copies[i], func() *router.Publication {
					made.Add(1)
					return &router.Publication{Topic: "kept.topic", ID: wamp.ID(i + 1), Payload: wamp.Payload{Args: fmt.Appendf(nil, "[%d]", i)}}
				})
				if room != nil || err != nil {
					t.Errorf("Offer: room %v, error %v", room, err)
				}
			}
			<-flush
			f.Flush()
			f.Live()
		}}
		tr := newRouterGoverned(t, k)
		var all []*client
		for _, ser := range []wamp.Serializer{wamp.JSON, wamp.JSON, wamp.MessagePack, wamp.JSON} {
			c := tr.connectWith(ser)
			c.sendAs(hello)
			c.sendAs(`[32,1,{},"kept.topic"]`)
			synctest.Wait()
			for range 2 {
				if _, ok := c.next(); !ok {
					t.Fatal("a subscriber could not join")
				}
			}
			all = append(all, c)
		}
		for range all { // or two may find at the same time that there is no copy yet
			begin <- struct{}{}
			synctest.Wait()
		}
		if n := made.Load(); n != 2*events {
			t.Errorf("%d events were made for 4 subscribers with 2 serializers, want %d", n, 2*events)
		}
		for i, c := range all {
			if msg, ok := c.next(); ok {
				t.Errorf("subscriber %d is sent %q before the flush", i, msg)
			}
		}
		close(flush)
		synctest.Wait()
		first := ""
		for i, c := range all {
			var got strings.Builder
			n := 0
			for msg, ok := c.next(); ok; msg, ok = c.next() {
				got.WriteString(string(msg))
				n++
			}
			if n != events {
				t.Errorf("subscriber %d is sent %d events, want %d", i, n, events)
			}
			switch {
			case i == 0:
				first = got.String()
			case (got.String() == first) != (i != 2):
				t.Errorf("subscriber %d is sent %q, the first one %q", i, got.String(), first)
			}
		}
	})
}
