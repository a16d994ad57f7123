//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
)

// measure measures the publisher, and waits for what it began.
func (r *patternRun) measure(ctx context.Context, s *server, say progress) (sample, error) {
	if r.o.warmup > 0 {
		say("warm-up")
		if err := r.publishFor(ctx, phaseWarm, r.o.warmup, func(run func() error) error { return run() }); err != nil {
			return nil, err
		}
	}
	say("measuring for %v", r.o.duration)
	var c cost
	var acked, failed uint64
	var times histogram
	err := r.publishFor(ctx, phaseMeasured, r.o.duration, func(run func() error) error {
		m, err := startMeter(s.procs)
		if err != nil {
			return err
		}
		if err := run(); err != nil {
			return err
		}
		// What is acknowledged later belongs to no span of CPU time.
		r.with(func(p *closedPublisher) { acked, failed, times = p.acked, p.failed, p.times })
		c, err = m.stop()
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.sample(s, c, acked, failed, &times)
}

// sample turns counters into metrics.
func (r *patternRun) sample(s *server, c cost, acked, failed uint64, times *histogram) (sample, error) {
	t := r.swarm.totals()
	var refusal error
	var sent, answered, late uint64
	r.with(func(p *closedPublisher) {
		refusal = p.refusal
		late, answered = uint64(len(p.pending)), p.acked
		for _, n := range p.sent {
			sent += n
		}
	})
	if acked == 0 {
		if refusal == nil && t.broken == 0 {
			return nil, &notDoneError{r.o.duration, "not one publish was acknowledged"}
		}
		return nil, errors.Join(errors.New("no publish was acknowledged"), refusal, t.lastError)
	}
	if t.errors > 0 {
		return nil, fmt.Errorf("%d answers that make no sense; the last: %w", t.errors, t.lastError)
	}
	var got, twice, out uint64
	for i, sub := range r.receivers {
		l := r.swarm.loops[i%len(r.swarm.loops)]
		l.mu.Lock()
		got += sub.order.got
		twice += sub.order.twice
		out += sub.order.late
		l.mu.Unlock()
	}
	sm := sample{
		keyPatternRate:   float64(acked) / c.wall.Seconds(),
		"ack_p50_ms":     milliseconds(times.quantile(0.50)),
		"ack_p99_ms":     milliseconds(times.quantile(0.99)),
		"ack_max_ms":     milliseconds(times.max),
		"failed":         float64(failed),
		"unacknowledged": float64(late),
		"lost":           max(float64(answered)-float64(got), 0),
		"doubled":        float64(twice),
		"out_of_order":   float64(out),
		"disconnected":   float64(t.broken),
	}
	return sm, sm.addCost(s, c, keyPatternCPU, float64(acked))
}
