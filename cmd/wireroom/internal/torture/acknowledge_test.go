//go:build linux

package torture_test

import "fmt"

// How a client acknowledges the events of its persistent subscription.
const (
	ackAuto = "auto"           // by answering pings
	ackUpto = "explicit, upto" // all up to an offset
	ackEach = "explicit, each" // single ones, with gaps, and now and then all
)

// An acker acknowledges over one connection.
type acker struct {
	c     *client
	w     *wampConn
	ready map[string][]uint64 // epoch → single offsets to acknowledge
	under map[uint64][]entry  // request → what it acknowledges
}

// took says that an event has come, and acknowledges some of those that have.
func (a *acker) took(e *arrival) error {
	d := &e.details
	switch a.c.acks {
	case ackUpto:
		if a.c.rng.IntN(6) == 0 {
			return a.call(d.Epoch, d.Offset, nil)
		}
	case ackEach:
		if a.c.rng.IntN(100) == 0 { // so that the gaps do not get too many
			return a.call(d.Epoch, d.Offset, nil)
		}
		if a.c.rng.IntN(3) > 0 {
			a.ready[d.Epoch] = append(a.ready[d.Epoch], d.Offset)
		}
		if offsets := a.ready[d.Epoch]; len(offsets) > a.c.rng.IntN(8) {
			a.ready = map[string][]uint64{}
			a.c.rng.Shuffle(len(offsets), func(i, j int) { offsets[i], offsets[j] = offsets[j], offsets[i] })
			return a.call(d.Epoch, 0, offsets)
		}
	}
	return nil
}

// call calls wireroom.ack.
func (a *acker) call(epoch string, upto uint64, each []uint64) error {
	args := map[string]any{"subscription": a.c.subscription, "_epoch": epoch}
	var acks []entry
	ack := entry{Kind: kindAck, Who: a.c.Name, Conn: a.c.conn, Class: a.c.Class, Epoch: epoch}
	if upto > 0 {
		args["_offset"] = upto
		ack.Offset, ack.Upto = upto, true
		acks = append(acks, ack)
	}
	for _, offset := range each {
		ack.Offset = offset
		acks = append(acks, ack)
	}
	if len(each) > 0 {
		args["offsets"] = each
	}
	for _, e := range acks {
		a.c.rec.add(e)
	}
	request := a.w.request()
	a.under[request] = acks
	return a.w.send(wampCall, request, map[string]any{}, "wireroom.ack", []any{}, args)
}

// answered says that the gateway has taken an acknowledgement down, or not.
func (a *acker) answered(m *message) error {
	var request uint64
	var uri string
	if m.code == wampResult {
		if err := m.element(1, &request); err != nil {
			return err
		}
	} else if err := m.element(2, &request); err != nil {
		return err
	} else if err := m.element(4, &uri); err != nil {
		return err
	}
	acks, ok := a.under[request]
	if !ok {
		return fmt.Errorf("an answer to what was not asked: %s", m)
	}
	delete(a.under, request)
	switch uri {
	case "":
		for _, e := range acks {
			e.Kind = kindAcked
			a.c.rec.add(e)
		}
	case "wireroom.error.wrong_epoch", "wireroom.error.unavailable":
		// The log has begun anew since the event, or something is away.
	default:
		a.c.rec.wrong(3, a.c.Name, "wireroom.ack of what has come: %s", m)
	}
	return nil
}
