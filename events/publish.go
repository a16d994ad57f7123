package events

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Publish takes one event and returns when it is safe and routed. The hub owns
// e and its Data from the call on.
//
// The error is an [*UnknownClassError], an [*InvalidError], a [*ConflictError],
// or wraps [ErrFull], [ErrUnavailable], [ErrClosed] or the context's cause.
// After the context's end or ErrUnavailable the event may have been accepted
// nevertheless; an ID makes it safe to publish it again.
//
// For a class that is not retained, nothing is awaited, and nothing allocated
// but the ID that the hub makes if there is none, and the channel.
func (h *Hub) Publish(ctx context.Context, e *Event) (Receipt, error) {
	a, err := h.admit(e)
	if err != nil {
		return Receipt{}, h.refuse(err, 0)
	}
	if a.member.log == nil {
		r, err := h.routeFree(a)
		if err != nil {
			return r, h.refuse(err, 0)
		}
		return r, nil
	}
	p := newPosting(a)
	receipts, err := h.await(ctx, p)
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// PublishMany takes the events in order, of whatever classes, and returns when
// all are safe and routed, with a receipt for each. The hub owns them from the
// call on. With an error none was accepted, except as with [Hub.Publish]; the
// Index in the error says which of them was at fault. More than
// [Config.MaxBatch] events are an [ErrBatchSize].
//
// The events of retained classes are appended as one: all of them or none.
func (h *Hub) PublishMany(ctx context.Context, events []*Event) ([]Receipt, error) {
	if len(events) > h.config.MaxBatch {
		return nil, fmt.Errorf("%w: %d, and %d are allowed", ErrBatchSize, len(events), h.config.MaxBatch)
	}
	if len(events) == 0 {
		return nil, nil
	}
	p := &posting{entries: make([]admitted, 0, len(events))}
	for i, e := range events {
		a, err := h.admit(e)
		if err == nil && a.given {
			err = p.conflict(a)
		}
		if err != nil {
			return nil, h.refuse(err, i)
		}
		p.add(a)
	}
	if len(p.records) > 0 {
		return h.await(ctx, p)
	}
	h.carryOut(p)
	return p.receipts, nil
}

// await appends and delivers a posting and waits for it.
func (h *Hub) await(ctx context.Context, p *posting) ([]Receipt, error) {
	if err := h.room.enter(ctx, len(p.entries), p.bytes); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	p.done = func() { close(done) }
	h.append(p)
	select {
	case <-done:
		return p.receipts, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// An admitted event is one that matches its class.
type admitted struct {
	event   *Event
	member  *member
	channel string
	given   bool // the publisher chose the id
}

// admit checks an event and completes it.
func (h *Hub) admit(e *Event) (admitted, error) {
	if h.closed.Load() {
		return admitted{}, ErrClosed
	}
	m := h.state.Load().members[e.Class]
	if m == nil {
		return admitted{}, &UnknownClassError{Class: e.Class}
	}
	a := admitted{event: e, member: m, given: e.ID != ""}
	if a.given && !validID(e.ID) {
		return a, &InvalidError{Class: e.Class, Problem: Problem{
			Code: CodeFormat, Field: "id", Position: -1,
			Expected: "1 to " + strconv.Itoa(MaxIDLen) + " printable ASCII characters",
			Found:    quote(e.ID) + ", which has " + strconv.Itoa(len(e.ID)) + " bytes",
		}}
	}
	if len(e.Data) > h.config.MaxBytes {
		return a, &InvalidError{Class: e.Class, Problem: Problem{
			Code:     CodeSize,
			Expected: "at most " + strconv.Itoa(h.config.MaxBytes) + " bytes",
			Found:    strconv.Itoa(len(e.Data)),
		}}
	}
	of, err := m.class.check(e.Data)
	if err != nil {
		return a, err
	}
	a.channel, e.Data, e.Key = of.channel, of.object, of.key
	e.Class = m.class.name // one string for all events of the class
	e.Time = time.UnixMilli(time.Now().UnixMilli()).UTC()
	if !a.given {
		e.ID = NewID(e.Time)
	}
	e.Epoch, e.Offset, e.Replayed = "", 0, false
	return a, nil
}

// routeFree routes an event of a class that is not retained, unless its id was
// given before.
func (h *Hub) routeFree(a admitted) (Receipt, error) {
	if a.given {
		switch a.member.window.add(a.event.ID, a.event.Data, a.event.Time) {
		case repeated:
			h.stats.duplicates.Add(1)
			return Receipt{ID: a.event.ID, Duplicate: true}, nil
		case conflicting:
			return Receipt{}, &ConflictError{Class: a.event.Class, ID: a.event.ID}
		}
	}
	return h.route(a), nil
}

// route hands an event of a class that is not retained to the router.
func (h *Hub) route(a admitted) Receipt {
	h.router.Route(a.event, a.member.class, a.channel)
	h.stats.routed.Add(1)
	return Receipt{ID: a.event.ID}
}

// refuse counts an event that is at fault itself, and notes which of its batch
// it is. It returns err.
func (h *Hub) refuse(err error, index int) error {
	switch e := err.(type) {
	case *UnknownClassError:
		e.Index = index
	case *InvalidError:
		e.Index = index
	case *ConflictError:
		e.Index = index
	default:
		return err
	}
	h.stats.refused.Add(1)
	return err
}
