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
// that is at at: what others appended, and records of an append that the store
// reported as failed, as it could not know better, and that is in the log after
// all. Of these, what was trimmed since is passed over, and live subscribers are
// told. With an error not all is done, and what is left can be filled later.
func (h *Hub) fill(m *member, at Appended) error {
	epoch, after := m.log.position()
	if epoch != at.Epoch {
		return errOtherEpoch
	}
	for after+1 < at.Offset {
		page, err := h.read(m, Range{
			Class: m.class.name, After: after, Through: at.Offset - 1, Limit: pageEvents, Bytes: pageBytes,
		})
		switch {
		case err != nil:
			return err
		case page.Bounds.Epoch != at.Epoch:
			return errOtherEpoch
		case page.After <= after:
			return errNoProgress
		}
		for i := range page.Records {
			r := &page.Records[i]
			h.pass(m, at.Epoch, after+1, r.Offset-1, false)
			e := r.event(at.Epoch)
			e.Key = m.class.keyOf(e.Data)
			h.routeAt(m.log, admitted{event: &e, member: m, channel: r.Channel})
			after = r.Offset
		}
		h.pass(m, at.Epoch, after+1, page.After, false)
		after = page.After
	}
	return nil
}

// read reads a page for the deliverer, which does not wait for long.
func (h *Hub) read(m *member, r Range) (Page, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookFor)
	defer cancel()
	return h.store.Read(ctx, r)
}

// fillFor fills, trying more than once, before a new event that is in the log
// and has to be routed, and reports whether it can be now. If the store cannot
// be asked, the class is behind: what is missing is routed later, and the event
// with it. What cannot be read although the store answers is never routed, but
// stays in the log for replays; it is counted.
func (h *Hub) fillFor(m *member, at Appended) bool {
	if h.isBehind(m) {
		return false
	}
	for try, pause := 1, fillPause; ; try, pause = try+1, pause*2 {
		err := h.fill(m, at)
		if err == nil {
			return true
		}
		if try == fillTries {
			if _, away := h.look(m); away != nil {
				h.fallBehind(m)
				return false
			}
			if epoch, _ := m.log.position(); epoch != at.Epoch {
				h.fallBehind(m)
				return false
			}
			h.skip(m, at, err)
			return true
		}
		time.Sleep(pause)
	}
}

// skip passes over what is before at and cannot be read.
func (h *Hub) skip(m *member, at Appended, err error) {
	_, after := m.log.position()
	h.stats.skipped.Add(at.Offset - 1 - after)
	h.log.Error("events of a log are not delivered, as they cannot be read",
		"class", m.class.name, "first", after+1, "last", at.Offset-1, "err", err)
	h.pass(m, at.Epoch, after+1, at.Offset-1, true)
}

// pass passes over what live subscribers do not get, if there is anything, and
// tells them, also whether the log may have it still. One that goes live at the
// same time is either told or has found out by its replay.
func (h *Hub) pass(m *member, epoch string, from, through uint64, kept bool) {
	if from > through {
		return
	}
	h.turned(m, epoch)
	l := m.log
	l.mu.Lock()
	defer l.mu.Unlock()
	h.lost(m.class, Recovery{Epoch: epoch, LostFrom: from, LostThrough: through}, kept)
	if l.epoch == epoch {
		l.moveLocked(epoch, max(l.routed, through))
	}
}

// turned tells live subscribers that the log of a class has another epoch, if
// they do not know.
func (h *Hub) turned(m *member, epoch string) {
	if epoch != m.log.told {
		m.log.told = epoch
		h.lost(m.class, Recovery{Epoch: epoch}, false)
	}
}

// event returns the event of a record.
func (r *Record) event(epoch string) Event {
	return Event{ID: r.ID, Class: r.Class, Time: r.Time, Data: r.Data, Epoch: epoch, Offset: r.Offset}
}
