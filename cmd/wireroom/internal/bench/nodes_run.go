//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A follower is a subscriber at one gateway, with a swarm of its own so that
// its latencies are its own.
type follower struct {
	swarm      *swarm
	subscriber *subscriber
}

// follow joins at a gateway, and subscribes to a class.
func follow(ctx context.Context, o *options, url, class string) (*follower, error) {
	w, err := newSwarm(url, &o.login, 1)
	if err != nil {
		return nil, err
	}
	f := &follower{swarm: w, subscriber: &subscriber{}}
	s, err := w.open(ctx, o.serializer(0))
	if err == nil {
		if err = s.subscribe(class); err != nil {
			_ = s.conn.Close()
		} else {
			_, err = w.attach(s, 0, f.subscriber)
		}
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return f, nil
}

// nodesStretch is for how long events of one class are sent, before it is the
// turn of the other one: what else the machine does is then the same for both.
const nodesStretch = time.Second

// A nodesKind is one of the two classes.
type nodesKind struct {
	event *template
	to    []*follower
	sent  int // measured events
	cost  cost
}

// runNodes measures one server, or two with one store.
func runNodes(ctx context.Context, o *options, rate float64, s *server, say progress) (sample, error) {
	var followers []*follower
	defer func() {
		for _, f := range followers {
			f.swarm.close()
		}
	}()
	names := []string{"same", "unretained"}
	at := [][2]string{{s.url, o.class}, {s.url, o.free}}
	if s.otherURL != "" {
		names, at = append(names, "other"), append(at, [2]string{s.otherURL, o.class})
	}
	for _, a := range at {
		f, err := follow(ctx, o, a[0], a[1])
		if err != nil {
			return nil, err
		}
		followers = append(followers, f)
	}
	session, err := followers[0].swarm.open(ctx, o.serializer(0))
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	payload := newPayload(o.size)
	p := newWAMPPublisher(session, o, payload)
	defer p.close()
	kept := &nodesKind{event: eventTemplate(session.ser, o.class, payload, false), to: append(followers[:1:1], followers[2:]...)}
	free := &nodesKind{event: eventTemplate(session.ser, o.free, payload, false), to: followers[1:2]}
	r := &queryRun{load: &queryLoad{rate: rate}, server: s, publisher: p, payload: payload, groups: 1}
	if n := int(rate * o.warmup.Seconds() / 2); n > 0 {
		say("warm-up")
		for _, k := range []*nodesKind{free, kept} {
			r.events = []*template{k.event}
			if err := r.send(ctx, phaseWarm, n); err != nil {
				return nil, err
			}
		}
	}
	r.late = histogram{}
	n := max(int(rate*o.duration.Seconds()), 1)
	say("measuring for %v", 2*o.duration)
	for kept.sent < n {
		some := min(max(int(rate*nodesStretch.Seconds()), 1), n-kept.sent)
		for _, k := range []*nodesKind{kept, free} {
			if err := k.measure(ctx, r, some); err != nil {
				return nil, err
			}
		}
	}
	sm := sample{}
	var failed error
	for i, f := range followers {
		f.addTo(sm, names[i], n)
		failed = errors.Join(failed, f.swarm.totals().lastError)
	}
	if failed != nil {
		return nil, failed
	}
	sm.addKept()
	sm["sent_late_p50_ms"], sm["sent_late_p99_ms"] = milliseconds(r.late.quantile(0.50)), milliseconds(r.late.quantile(0.99))
	if len(s.procs) > 0 {
		sm[keyFreeCPU] = float64(free.cost.server.Nanoseconds()) / 1e3 / float64(n)
	}
	return sm, sm.addCost(s, kept.cost, "server_cpu_us_per_event", float64(n))
}

// measure sends some more events of the class and waits until they are there,
// or nothing more comes.
func (k *nodesKind) measure(ctx context.Context, r *queryRun, some int) error {
	r.events = []*template{k.event}
	before := make([]uint64, len(k.to))
	for i, f := range k.to {
		before[i] = f.swarm.totals().measured
	}
	m, err := startMeter(r.server.procs)
	if err != nil {
		return err
	}
	if err := r.sendFrom(ctx, phaseMeasured, k.sent, some); err != nil {
		return err
	}
	for i, f := range k.to {
		count := func() uint64 { return f.swarm.totals().measured }
		if err := settle(ctx, count, before[i]+uint64(some), drainPatience); err != nil && !errors.Is(err, errStalled) {
			return err
		}
	}
	c, err := m.stop()
	if err != nil {
		return err
	}
	k.sent += some
	k.cost.add(c)
	return nil
}

// addKept subtracts what an event of a class takes that is not retained.
func (s sample) addKept() {
	for _, k := range [][3]string{
		{keySameKeptP50, keySameP50, keyFreeP50},
		{keySameKeptP99, keySameP99, keyFreeP99},
		{keyElseKeptP50, keyOtherP50, keyFreeP50},
		{keyElseKeptP99, keyOtherP99, keyFreeP99},
	} {
		of, ok := s[k[1]]
		than, known := s[k[2]]
		if ok && known {
			s[k[0]] = of - than
		}
	}
}

// addTo adds what was received of n events.
func (f *follower) addTo(sm sample, where string, n int) {
	h := f.swarm.latency()
	l := f.swarm.loops[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &f.subscriber.order
	sm["lost"] += float64(uint64(n) - min(o.got, uint64(n)))
	sm["doubled"] += float64(o.twice)
	sm["out_of_order"] += float64(o.late)
	if h.n > 0 {
		sm[where+"_p50_ms"], sm[where+"_p99_ms"], sm[where+"_max_ms"] = milliseconds(h.quantile(0.50)), milliseconds(h.quantile(0.99)), milliseconds(h.max)
	}
}
