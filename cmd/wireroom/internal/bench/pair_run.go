//go:build linux

package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A pairRun is the inside of a pair's process.
type pairRun struct {
	config     *pairConfig
	swarm      *swarm
	subscriber *subscriber
	publisher  publisher
	sent       atomic.Uint64

	lateMu sync.Mutex // guards the following
	late   histogram  // how much later than due events were sent, since the last lap

	stop   context.CancelCauseFunc
	load   context.Context // done when publishing has to end, and why
	wg     sync.WaitGroup
	before uint64 // events measured until the last lap
}

// openPair joins both sessions and starts to publish.
func openPair(ctx context.Context, c *pairConfig) (_ *pairRun, err error) {
	o := &options{topic: c.Topic}
	lg := &login{realm: c.Realm, authID: c.AuthID, ticket: c.Ticket, insecure: c.Insecure}
	r := &pairRun{config: c, subscriber: &subscriber{}}
	if r.swarm, err = newSwarm(c.URL, lg, 1); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.swarm.close()
		}
	}()
	s, err := r.swarm.open(ctx, c.Serializer)
	if err != nil {
		return nil, err
	}
	if err := s.subscribe(c.Topic); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	if _, err := r.swarm.attach(s, 0, r.subscriber); err != nil {
		return nil, err
	}
	if s, err = r.swarm.open(ctx, c.Serializer); err != nil {
		return nil, err
	}
	payload := newPayload(max(c.Size, minPayload))
	w := newWAMPPublisher(s, o, payload)
	if c.Class {
		w.event = eventTemplate(s.ser, c.Topic, payload, false)
	}
	r.publisher = w
	r.load, r.stop = context.WithCancelCause(ctx)
	r.wg.Go(func() { r.publish(payload) })
	return r, nil
}

// errFinished is why publishing ends in good order.
var errFinished = errors.New("finished")

// publish publishes when events are due, until it has to end.
func (r *pairRun) publish(payload []byte) {
	gap := int64(every(r.config.Rate))
	for due := clock(); ; due += gap {
		if d := time.Duration(due - clock()); d > 0 && pause(r.load, d) != nil || r.load.Err() != nil {
			return
		}
		r.lateMu.Lock()
		r.late.record(max(clock()-due, 0))
		r.lateMu.Unlock()
		stampPayload(payload, phaseMeasured, r.sent.Load(), due)
		if err := r.publisher.publish(payload); err != nil {
			r.stop(err)
			return
		}
		r.sent.Add(1)
	}
}

// finish stops publishing, and waits for what is under way.
func (r *pairRun) finish(ctx context.Context) {
	r.stop(errFinished)
	r.wg.Wait()
	_ = settle(ctx, func() uint64 { return r.swarm.totals().measured }, r.sent.Load(), drainPatience)
}

// lap returns what was seen since it was called before.
func (r *pairRun) lap() pairLap {
	h := r.swarm.latency()
	r.swarm.reset()
	t := r.swarm.totals()
	l := r.swarm.loops[0]
	l.mu.Lock()
	got := r.subscriber.order.got
	l.mu.Unlock()
	sent := r.sent.Load()
	r.lateMu.Lock()
	late := milliseconds(r.late.quantile(0.99))
	r.late = histogram{}
	r.lateMu.Unlock()
	lap := pairLap{
		Late: late,
		P50:  milliseconds(h.quantile(0.50)), P99: milliseconds(h.quantile(0.99)), Max: milliseconds(h.max),
		Got: t.measured - r.before, Sent: sent, Lost: sent - min(got, sent),
	}
	r.before = t.measured
	err := context.Cause(r.load)
	if t.broken > 0 || t.errors > 0 {
		err = t.lastError
	}
	if err != nil && !errors.Is(err, errFinished) {
		lap.Error = err.Error()
	}
	return lap
}

// close ends both sessions.
func (r *pairRun) close() {
	r.stop(errFinished)
	r.wg.Wait()
	r.publisher.close()
	r.swarm.close()
}
