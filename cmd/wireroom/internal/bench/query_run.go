//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// A groupMember checks what one session of a group receives. Events have the
// numbers 0, 1, 2, …, and of each run of as many as there are groups one is for
// each group.
type groupMember struct {
	group, groups uint64
	order         order
	misdirected   uint64
}

func (g *groupMember) receive(p *peer, code uint64, _, msg []byte, now int64) {
	l := p.loop
	phase, number, sent, ok := readPayload(msg)
	switch {
	case code != codeEvent || !ok:
		l.fail(unexpected(p.ser, msg))
	case number%g.groups != g.group:
		g.misdirected++
	case phase == phaseMeasured:
		g.order.see(number / g.groups)
		l.latency.record(now - sent)
		l.measured++
		l.last = now
	default:
		l.warm++
	}
}

// A queryRun is one measurement.
type queryRun struct {
	o         *options
	load      *queryLoad
	server    *server
	swarm     *swarm
	way       string
	groups    int
	members   []*groupMember
	publisher *wampPublisher
	events    []*template // of each group
	payload   []byte
	late      histogram // how much later than due events were sent
}

// runQuery measures one server with sessions that subscribe in one way.
func runQuery(ctx context.Context, o *options, load *queryLoad, s *server, way string, say progress) (sample, error) {
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &queryRun{o: o, load: load, server: s, swarm: w, way: way, groups: o.sessions / load.matching, payload: o.newPayload(o.size)}
	// What the server needs once, for the first session, is no session's.
	if err := r.openPublisher(ctx); err != nil {
		return nil, err
	}
	defer r.publisher.close()
	joined, err := r.subscribeAll(ctx, say)
	if err != nil {
		return nil, err
	}
	sm, err := r.measure(ctx, say)
	if err != nil {
		return nil, r.broken(err)
	}
	maps.Copy(sm, joined)
	return sm, nil
}

// openPublisher opens the publisher, which does not publish yet.
func (r *queryRun) openPublisher(ctx context.Context) error {
	s, err := r.swarm.open(ctx, r.o.serializer(0))
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	for g := range r.groups {
		r.events = append(r.events, orderTemplate(s.ser, r.way, r.o.topic, g, r.payload))
	}
	r.publisher = newWAMPPublisher(s, r.o, r.payload)
	return nil
}

// subscribeAll opens all sessions, then subscribes all, and returns what that
// took.
func (r *queryRun) subscribeAll(ctx context.Context, say progress) (sample, error) {
	n := r.o.sessions
	procs := r.server.procs
	before, err := procs.memory()
	if err != nil {
		return nil, err
	}
	sessions := make([]*session, n)
	defer func() {
		for _, s := range sessions {
			if s != nil && s.conn != nil {
				_ = s.conn.Close()
			}
		}
	}()
	say("%d sessions join", n)
	err = openMany(ctx, n, r.o.abreast, func(n int) { say("%d sessions joined", n) }, func(ctx context.Context, i int) (err error) {
		sessions[i], err = r.swarm.open(ctx, r.o.serializer(i))
		return err
	})
	if err != nil {
		return nil, err
	}
	joined, err := procs.memory()
	if err != nil {
		return nil, err
	}
	say("subscribing")
	m, err := startMeter(procs)
	if err != nil {
		return nil, err
	}
	err = openMany(ctx, n, r.o.abreast, nil, func(_ context.Context, i int) error {
		topic, options := subscribedTo(r.way, r.o.topic, i/r.load.matching, i%r.load.matching)
		return sessions[i].subscribeBy(topic, options)
	})
	if err != nil {
		return nil, err
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	subscribed, err := procs.memory()
	if err != nil {
		return nil, err
	}
	for i, s := range sessions {
		g := &groupMember{group: uint64(i / r.load.matching), groups: uint64(r.groups)}
		r.members = append(r.members, g)
		if _, err := r.swarm.attach(s, i, g); err != nil {
			return nil, err
		}
	}
	sm := sample{"subscribe_seconds": c.wall.Seconds()}
	if len(procs) > 0 {
		sm["server_cpu_us_per_subscribe"] = float64(c.server.Nanoseconds()) / 1e3 / float64(n)
		sm["rss_bytes_per_session_joined"] = float64(joined.rss-before.rss) / float64(n)
		sm["rss_bytes_per_session"] = float64(subscribed.rss-before.rss) / float64(n)
	}
	return sm, nil
}

// broken adds to err what the connections last complained about.
func (r *queryRun) broken(err error) error {
	if t := r.swarm.totals(); t.lastError != nil {
		err = fmt.Errorf("%w (%d connections broken, %d errors; last: %w)", err, t.broken, t.errors, t.lastError)
	}
	return err
}

// measure runs the load, first unmeasured.
func (r *queryRun) measure(ctx context.Context, say progress) (sample, error) {
	each := uint64(r.load.matching)
	if n := int(r.load.rate * r.o.warmup.Seconds()); n > 0 {
		say("warm-up")
		if err := r.send(ctx, phaseWarm, n); err != nil {
			return nil, err
		}
		count := func() uint64 { return r.swarm.totals().warm }
		if err := settle(ctx, count, uint64(n)*each, drainPatience); err != nil && !errors.Is(err, errStalled) {
			return nil, err
		}
	}
	say("measuring for %v", r.o.duration)
	n := max(int(r.load.rate*r.o.duration.Seconds()), 1)
	before := r.swarm.totals()
	m, err := startMeter(r.server.procs)
	if err != nil {
		return nil, err
	}
	began := clock()
	if err := r.send(ctx, phaseMeasured, n); err != nil {
		return nil, err
	}
	sent := time.Duration(clock() - began)
	count := func() uint64 { return r.swarm.totals().measured }
	if err := settle(ctx, count, uint64(n)*each, drainPatience); err != nil && !errors.Is(err, errStalled) {
		return nil, err
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	after := r.swarm.totals()
	if after.measured == 0 {
		return nil, errors.New("no event was delivered")
	}
	return r.sample(before, after, n, c, sent, time.Duration(after.last-began))
}

// send publishes n events at the rate, for the groups in turn. Each carries the
// time at which it was due, and is sent then or, if that is past, at once.
func (r *queryRun) send(ctx context.Context, phase byte, n int) error {
	return r.sendFrom(ctx, phase, 0, n)
}

// sendFrom is send for events whose numbers begin with first.
func (r *queryRun) sendFrom(ctx context.Context, phase byte, first, n int) error {
	start := clock()
	for i := range n {
		due := start + int64(float64(i)/r.load.rate*float64(time.Second))
		if d := time.Duration(due - clock()); d > 0 {
			if err := pause(ctx, d); err != nil {
				return err
			}
		} else if err := ctx.Err(); err != nil {
			return err
		}
		r.late.record(max(clock()-due, 0))
		stampPayload(r.payload, phase, uint64(first+i), due)
		r.publisher.event = r.events[(first+i)%r.groups]
		if err := r.publisher.publish(r.payload); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// sample turns counters into metrics of n events, which it took sent to send
// and took to deliver.
func (r *queryRun) sample(before, after totals, n int, c cost, sent, took time.Duration) (sample, error) {
	var got, twice, late, misdirected uint64
	for i, g := range r.members {
		l := r.swarm.loops[i%len(r.swarm.loops)]
		l.mu.Lock()
		got += g.order.got
		twice += g.order.twice
		late += g.order.late
		misdirected += g.misdirected
		l.mu.Unlock()
	}
	offered := float64(n) * float64(r.load.matching)
	received := float64(after.measured - before.measured)
	rate := float64(n) / max(sent.Seconds(), 1e-9)
	h := r.swarm.latency()
	s := sample{
		"events_per_second":     rate,
		"deliveries_expected":   rate * float64(r.load.matching),
		"deliveries_per_second": received / took.Seconds(),
		"lost":                  offered - float64(got),
		"doubled":               float64(twice),
		"out_of_order":          float64(late),
		"misdirected":           float64(misdirected),
		"disconnected":          float64(after.broken),
		"latency_p50_ms":        milliseconds(h.quantile(0.50)),
		"latency_p99_ms":        milliseconds(h.quantile(0.99)),
		"latency_max_ms":        milliseconds(h.max),
		"bytes_per_delivery":    float64(after.bytes-before.bytes) / received,
	}
	if len(r.server.procs) > 0 {
		s[keyQueryDelivery] = float64(c.server.Nanoseconds()) / 1e3 / received
	}
	return s, s.addCost(r.server, c, keyQueryCPU, float64(n))
}
