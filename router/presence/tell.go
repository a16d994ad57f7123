package presence

import (
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Change is what an [Event] tells.
type Change string

// The changes, as they are written in events.
const (
	Join  Change = "join"  // a member has come
	Leave Change = "leave" // a member has gone
	Lost  Change = "lost"  // some joins and leaves could not be told: ask who is there
)

// An Event tells that somebody has come to a topic, or has gone.
type Event struct {
	Topic  wamp.URI
	Change Change
	Seq    uint64 // of one topic, each has the next
	Missed uint64 // with Lost: how many joins and leaves
	Member Member // without Lost
}

// note has a join or leave told, if anybody wants to know. Keeper.mu is held.
func (k *Keeper) note(m *member, change Change) {
	t := m.topic
	t.seq++
	if t.watchers == 0 {
		return
	}
	if len(k.queue) >= k.cfg.MaxEvents {
		if t.lost == 0 {
			k.lossy = append(k.lossy, t)
		}
		t.lost++
		k.stats.Lost++
		return
	}
	k.queue = append(k.queue, Event{Topic: t.name, Change: change, Seq: t.seq, Member: m.describe(false)})
	k.rouse()
}

// rouse has the keeper's goroutine look what there is to do.
func (k *Keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run is the keeper's goroutine.
func (k *Keeper) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-k.wake:
		case <-timer.C:
		case <-k.quit:
			return
		}
		wait := k.expire()
		k.tell(k.take())
		if wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// take returns what waits to be told, in order.
func (k *Keeper) take() []Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	events := k.queue
	k.queue = nil
	for _, t := range k.lossy { // it was lost after all that was queued
		events = append(events, Event{Topic: t.name, Change: Lost, Seq: t.seq, Missed: t.lost})
		t.lost = 0
	}
	k.lossy = nil
	k.stats.Told += uint64(len(events))
	return events
}

// tell publishes events for those who subscribed to exactly their topics: they were
// asked what they may know ([Keeper.Admit]), and nobody else was.
func (k *Keeper) tell(events []Event) {
	for i := range events {
		e := &events[i]
		payload, err := wamp.NewPayload(wamp.JSON, nil, e.describe())
		if err != nil {
			k.log.Error("join or leave cannot be encoded", "topic", string(e.Topic), "err", err)
			continue
		}
		k.realm.Publish(&router.Publication{Topic: Prefix + e.Topic, Exact: true, Payload: payload})
	}
}

func (e *Event) describe() map[string]any {
	about := map[string]any{"change": string(e.Change), "seq": e.Seq}
	if e.Change == Lost {
		about["missed"] = e.Missed
	} else {
		about["member"] = e.Member.describe(false)
	}
	return about
}
