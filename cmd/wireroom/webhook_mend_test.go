package main

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/ingest/webhook"
)

// A webhook is told of what the hub could not read in time, so that it can look for
// that in the log, where it finds it later.
func TestWebhookIsToldOfGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		seats := new(realms)
		seats.put(&realm{name: "r", hub: st.hub})
		seat := &hookSeat{router: st.rt, realms: seats, cfg: config.Webhook{Name: "w", Realm: "r", Topic: "log"}}
		run := func(position string) (got func() string, end func()) {
			var mu sync.Mutex
			var all []string
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() {
				err := seat.Run(ctx, position, func(e *webhook.Event) bool {
					mu.Lock()
					defer mu.Unlock()
					note := e.Position
					if e.Lost {
						note = fmt.Sprintf("lost %q through %s", e.Class, note)
					} else if e.Replayed {
						note += "r"
					}
					all = append(all, note)
					return true
				})
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			synctest.Wait()
			return func() string {
					synctest.Wait()
					mu.Lock()
					defer mu.Unlock()
					return fmt.Sprint(all)
				}, func() {
					cancel()
					running.Wait()
				}
		}
		epoch := st.hub.Mark("log").Epoch
		at := func(n int) string { return fmt.Sprintf("%s:%d", epoch, n) }
		got, end := run("")
		st.publish(nil, 1)
		st.store.lies.Store(true)
		st.publish(events.ErrUnavailable, 2, 3)
		st.store.lies.Store(false)
		st.store.mute.Store(true)
		st.publish(nil, 4)
		if want := fmt.Sprintf("[%s lost \"\" through %s %s]", at(1), at(3), at(4)); got() != want {
			t.Errorf("the webhook got %s, want %s", got(), want)
		}
		end()
		st.store.mute.Store(false)
		time.Sleep(time.Second)
		got, end = run(at(1))
		defer end()
		if want := fmt.Sprintf("[%sr %sr %sr]", at(2), at(3), at(4)); got() != want {
			t.Errorf("the webhook got %s when it looked, want %s", got(), want)
		}
	})
}
