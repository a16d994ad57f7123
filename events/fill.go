package events

import (
	"context"
	"errors"
	"time"
)

// How often and after what pauses the deliverer tries to read what it has to
// route before a new event. All classes wait meanwhile, so it is not long.
const (
	fillTries = 5
	fillPause = 20 * time.Millisecond // doubled each time: 0.3 s in all
)

var (
	errOtherEpoch = errors.New("the log was made anew")
	errNoProgress = errors.New("the store gives nothing more")
)

// fill routes what lies between the last event that was routed and the one
// that is at at: records of an append that the store reported as failed, as it
// could not know better, and that is in the log after all. Of these, what was
// trimmed since is passed over. It returns up to which offset that is done;
// with an error that is not all, and what is left can be filled later.
func (h *Hub) fill(m *member, at Appended) (after uint64, err error) {
	l := m.log
	epoch, after := l.position()
	if epoch != at.Epoch {
		after = at.Base // the log was made anew, and what it kept was routed before
	}
	for after+1 < at.Offset {
		page, err := h.store.Read(context.Background(), Range{
			Class: m.class.name, After: after, Through: at.Offset - 1, Limit: pageEvents, Bytes: pageBytes,
		})
		switch {
		case err != nil:
			return after, err
		case page.Bounds.Epoch != at.Epoch:
			return after, errOtherEpoch
		case page.After <= after:
			return after, errNoProgress
		}
		for i := range page.Records {
			r := &page.Records[i]
			e := r.event(at.Epoch)
			e.Key = m.class.keyOf(e.Data)
			h.routeAt(l, admitted{event: &e, member: m, channel: r.Channel})
		}
		after = page.After
	}
	return after, nil
}

// fillOrSkip fills, trying more than once, before a new event that is in the
// log and has to be routed. What cannot be read by then is never routed, but
// stays in the log for replays; it is counted.
func (h *Hub) fillOrSkip(m *member, at Appended) {
	for try, pause := 1, fillPause; ; try, pause = try+1, pause*2 {
		after, err := h.fill(m, at)
		if err == nil {
			return
		}
		if try == fillTries {
			h.stats.skipped.Add(at.Offset - 1 - after)
			h.log.Error("events of a log are not delivered, as they cannot be read",
				"class", m.class.name, "first", after+1, "last", at.Offset-1, "err", err)
			h.lost(m.class, Recovery{Epoch: at.Epoch, LostFrom: after + 1, LostThrough: at.Offset - 1})
			return
		}
		time.Sleep(pause)
	}
}

// event returns the event of a record.
func (r *Record) event(epoch string) Event {
	return Event{ID: r.ID, Class: r.Class, Time: r.Time, Data: r.Data, Epoch: epoch, Offset: r.Offset}
}
