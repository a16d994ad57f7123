//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// drainPatience is how long nothing may arrive before what is missing counts
// as lost.
const drainPatience = 3 * time.Second

// A subscriber checks what one session receives.
type subscriber struct {
	order order
}

func (s *subscriber) receive(p *peer, code uint64, _, msg []byte, now int64) {
	l := p.loop
	phase, number, sent, ok := readPayload(msg)
	switch {
	case code != codeEvent || !ok:
		l.fail(unexpected(p.ser, msg))
	case phase == phaseMeasured:
		s.order.see(number)
		l.latency.record(now - sent)
		l.measured++
		l.last = now
	default:
		l.warm++
	}
}

// A fanout is one measurement.
type fanout struct {
	o           *options
	server      *server
	swarm       *swarm
	subscribers []*subscriber
	publisher   publisher
	payload     []byte
	rate        float64
}

// runFanout measures one server at one rate.
func runFanout(ctx context.Context, o *options, s *server, rate float64, size int, say progress) (sample, error) {
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	f := &fanout{o: o, server: s, swarm: w, rate: rate, payload: o.newPayload(size)}
	for range o.subscribers {
		f.subscribers = append(f.subscribers, &subscriber{})
	}
	say("%d subscribers join", o.subscribers)
	connected := func(n int) { say("%d subscribers joined", n) }
	if err := openMany(ctx, o.subscribers, o.abreast, connected, f.subscribe); err != nil {
		return nil, err
	}
	if err := f.openPublisher(ctx); err != nil {
		return nil, err
	}
	defer f.publisher.close()
	return f.measure(ctx, say)
}

// subscribe opens subscriber i.
func (f *fanout) subscribe(ctx context.Context, i int) error {
	var s *session
	if f.server.floor {
		conn, err := dialWriteLoop(strings.TrimPrefix(f.server.url, "tcp://"), loopSink)
		if err != nil {
			return err
		}
		s = &session{conn: conn}
	} else {
		var err error
		if s, err = f.swarm.open(ctx, f.o.serializer(i)); err != nil {
			return err
		}
		if err := s.subscribe(f.o.topic); err != nil {
			_ = s.conn.Close()
			return err
		}
	}
	_, err := f.swarm.attach(s, i, f.subscribers[i])
	return err
}

// openPublisher opens the publisher and, where the server can confirm it,
// publishes one event to see that it may.
func (f *fanout) openPublisher(ctx context.Context) error {
	if f.server.floor {
		conn, err := dialWriteLoop(strings.TrimPrefix(f.server.url, "tcp://"), loopSource)
		if err != nil {
			return err
		}
		// The frames are as long as a router's: the id of a subscription is
		// short, that of a publication has 16 digits.
		f.publisher = &rawPublisher{conn: conn, event: newTemplate(serJSON, f.payload, codeEvent, uint64(1e15), dict{})}
		return nil
	}
	s, err := f.swarm.open(ctx, f.o.serializer(0))
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	stampPayload(f.payload, phaseWarm, 0, clock())
	if err := s.publish(f.o.topic, f.payload); err != nil {
		_ = s.conn.Close()
		return fmt.Errorf("publisher: %w", err)
	}
	f.publisher = newWAMPPublisher(s, f.o, f.payload)
	count := func() uint64 { return f.swarm.totals().warm }
	if err := settle(ctx, count, uint64(f.o.subscribers), drainPatience); err != nil {
		f.publisher.close()
		return f.broken(fmt.Errorf("the first event reached %d of %d subscribers: %w", count(), f.o.subscribers, err))
	}
	return nil
}

// broken adds to err what the connections last complained about.
func (f *fanout) broken(err error) error {
	if t := f.swarm.totals(); t.lastError != nil {
		err = fmt.Errorf("%w (%d connections broken, %d errors; last: %w)", err, t.broken, t.errors, t.lastError)
	}
	return err
}

// measure runs the load, first unmeasured.
func (f *fanout) measure(ctx context.Context, say progress) (sample, error) {
	subs := uint64(f.o.subscribers)
	if n := int(f.rate * f.o.warmup.Seconds()); n > 0 {
		say("warm-up")
		before := f.swarm.totals().warm
		if err := f.send(ctx, phaseWarm, n); err != nil {
			return nil, f.broken(err)
		}
		count := func() uint64 { return f.swarm.totals().warm }
		if err := settle(ctx, count, before+uint64(n)*subs, drainPatience); err != nil && !errors.Is(err, errStalled) {
			return nil, err
		}
	}
	say("measuring for %v", f.o.duration)
	n := max(int(f.rate*f.o.duration.Seconds()), 1)
	f.swarm.reset()
	f.publisher.reset()
	before, acked := f.swarm.totals(), f.publisher.acknowledged()
	m, err := startMeter(f.server.procs)
	if err != nil {
		return nil, err
	}
	began := clock()
	if err := f.send(ctx, phaseMeasured, n); err != nil {
		return nil, f.broken(err)
	}
	count := func() uint64 { return f.swarm.totals().measured }
	if err := settle(ctx, count, uint64(n)*subs, drainPatience); err != nil && !errors.Is(err, errStalled) {
		return nil, err
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	if f.publisher.latency() != nil {
		if err := settle(ctx, f.publisher.acknowledged, acked+uint64(n), drainPatience); err != nil && !errors.Is(err, errStalled) {
			return nil, err
		}
	}
	after := f.swarm.totals()
	if after.measured == 0 {
		return nil, f.broken(errors.New("no event was delivered"))
	}
	return f.sample(before, after, n, c, time.Duration(after.last-began), acked)
}

// send publishes n events at the rate. Each carries the time at which it was
// due, and is sent then or, if that is past, at once.
func (f *fanout) send(ctx context.Context, phase byte, n int) error {
	start := clock()
	for i := range n {
		due := start + int64(float64(i)/f.rate*float64(time.Second))
		if d := time.Duration(due - clock()); d > 0 {
			if err := pause(ctx, d); err != nil {
				return err
			}
		} else if err := ctx.Err(); err != nil {
			return err
		}
		stampPayload(f.payload, phase, uint64(i), due)
		if err := f.publisher.publish(f.payload); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// sample turns counters into metrics. acked is how many confirmations there
// were before.
func (f *fanout) sample(before, after totals, n int, c cost, took time.Duration, acked uint64) (sample, error) {
	var got, twice, late uint64
	for i, s := range f.subscribers {
		l := f.swarm.loops[i%len(f.swarm.loops)]
		l.mu.Lock()
		got += s.order.got
		twice += s.order.twice
		late += s.order.late
		l.mu.Unlock()
	}
	offered := uint64(n) * uint64(f.o.subscribers)
	received := after.measured - before.measured
	h := f.swarm.latency()
	s := sample{
		"offered":               float64(offered),
		"delivered_percent":     100 * float64(got) / float64(offered),
		"deliveries_per_second": float64(received) / took.Seconds(),
		"lost":                  float64(offered - got),
		"doubled":               float64(twice),
		"out_of_order":          float64(late),
		"disconnected":          float64(after.broken),
		"latency_p50_ms":        milliseconds(h.quantile(0.50)),
		"latency_p99_ms":        milliseconds(h.quantile(0.99)),
		"latency_max_ms":        milliseconds(h.max),
		"bytes_per_delivery":    float64(after.bytes-before.bytes) / float64(received),
	}
	if f.o.login.deflate && !f.server.floor {
		s["packed_percent"] = 100 * float64(after.packed-before.packed) / float64(received)
	}
	if ack := f.publisher.latency(); ack != nil {
		s["unacknowledged"] = float64(n) - float64(f.publisher.acknowledged()-acked)
		s["ack_p50_ms"] = milliseconds(ack.quantile(0.50))
		s["ack_p99_ms"] = milliseconds(ack.quantile(0.99))
	}
	return s, s.addCost(f.server, c, keyFanoutCPU, float64(received))
}
