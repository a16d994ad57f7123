package events_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A takenOver is a store of which another server has taken over: its log has the
// epoch "new" from then on, which goes on from "old". The old server still
// answers appends, if it is told so.
type takenOver struct {
	*keptEpoch
	answer *events.Appended // of the old server; nil: the new one has the log
}

func (s *takenOver) Append(records []events.Record, done func([]events.Appended, error)) {
	if s.answer == nil {
		s.keptEpoch.Append(records, done)
		return
	}
	at := *s.answer
	at.Time = records[0].Time
	done([]events.Appended{at}, nil)
}

// What the old one of two primaries has taken, and the hub learns of when it knows
// the new one, is nobody's event: not of subscribers, who would get offsets of the
// old epoch after those of the new one, or with others of other gateways missing
// before them, and not of its publisher, who sends it again.
func TestOldPrimaryAnswers(t *testing.T) {
	for _, test := range []struct {
		name    string
		knows   bool // the hub has found the new epoch before
		answers events.Appended
	}{
		{"the hub knows the new epoch", true, events.Appended{Epoch: "old", Offset: 5}},
		{"the hub does not know it yet", false, events.Appended{Epoch: "old", Offset: 5}},
		{"the event is a duplicate", true, events.Appended{Epoch: "old", Offset: 3, Duplicate: true}},
		{"the event is a duplicate, further on", true, events.Appended{Epoch: "old", Offset: 4, Duplicate: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := new(recorder)
				s := &takenOver{keptEpoch: &keptEpoch{Store: openStore(t), epoch: "old"}}
				h := newHub(t, s, r, events.DefaultConfig())
				mustPublish(t, h, event("log", 0))
				mustPublish(t, h, event("log", 1))

				s.epoch, s.base, s.line = "new", 2, "old:2"
				if test.knows {
					h.CatchUp()
					synctest.Wait()
				}
				theirs := events.Record{Class: "log", ID: "theirs", Time: time.Now(), Data: []byte(`{"n":2}`)}
				s.Store.Append([]events.Record{theirs}, func(_ []events.Appended, err error) {
					if err != nil {
						t.Error(err)
					}
				})
				s.answer = &test.answers
				if got, err := h.Publish(t.Context(), withID(event("log", 3), "mine")); !errors.Is(err, events.ErrUnavailable) {
					t.Errorf("Publish of an event that the new primary has not: %+v, %v; want ErrUnavailable", got, err)
				}
				synctest.Wait()
				s.answer = nil
				if got := mustPublish(t, h, withID(event("log", 3), "mine")); got.Duplicate || got.Epoch != "new" || got.Offset != 4 {
					t.Errorf("the event, sent again: %+v, want offset 4 of the epoch new", got)
				}
				r.want(t, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`, `log {"n":3}`)
				for i, x := range r.routed {
					want := "new"
					if i < 2 {
						want = "old"
					}
					if x.event.Epoch != want || x.event.Offset != uint64(i+1) {
						t.Errorf("event %d is routed with %s:%d, want %s:%d", i, x.event.Epoch, x.event.Offset, want, i+1)
					}
				}
				if got := strings.Join(r.lost, ", "); got != "log 0-0" {
					t.Errorf("live subscribers are told of %q, want the new epoch", got)
				}
				if got := h.Stats(); got.Failed != 1 || got.Routed != 4 {
					t.Errorf("Stats: %+v, want 1 failed and 4 routed", got)
				}
			})
		})
	}
}

// When the old one of two primaries answers again, what both have is not routed
// again.
func TestOldPrimaryComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		s := &takenOver{keptEpoch: &keptEpoch{Store: openStore(t), epoch: "old"}}
		h := newHub(t, s, r, events.DefaultConfig())
		mustPublish(t, h, event("log", 0))
		mustPublish(t, h, event("log", 1))
		s.epoch, s.base, s.line = "new", 2, "old:2"
		h.CatchUp()
		synctest.Wait()
		s.epoch, s.base, s.line = "old", 0, ""
		h.CatchUp()
		synctest.Wait()
		if got := mustPublish(t, h, event("log", 2)); got.Epoch != "old" || got.Offset != 3 {
			t.Errorf("receipt: %+v, want offset 3 of the epoch old", got)
		}
		r.want(t, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`)
	})
}
