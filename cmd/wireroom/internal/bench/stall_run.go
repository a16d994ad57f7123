//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// stallPatience is how long answers of the others may take beyond the run,
// before they count as missing.
const stallPatience = 500 * time.Millisecond

// A stall is one measurement.
type stall struct {
	o      *options
	load   *stallLoad
	server *server
	swarm  *swarm
	kind   string

	callee     *feedCallee
	calleePeer *peer
	others     []*waiter
	otherPeers []*peer
	feeder     *feeder // who publishes to a subscriber, or calls a callee; nil
	feed       []byte
}

// A stallRun is what one of the two runs gave.
type stallRun struct {
	times    histogram // of the others
	failed   uint64    // of their calls
	missing  int       // of their answers or events
	due, fed int       // messages for the peer that is fed
	open     []*victim // whose connections the server has not ended
	ended    []time.Duration
	longest  time.Duration // that the last one had stalled
	cost     cost
}

func (st *stall) feedTopic() string     { return st.o.topic + ".feed" }
func (st *stall) echoProcedure() string { return st.o.topic + ".echo" }

// runStall measures one server with one kind of stalled peer.
func runStall(ctx context.Context, o *options, load *stallLoad, s *server, kind string, say progress) (sample, error) {
	lg := o.login
	// Routers send progressive results only to who announces both.
	lg.features = dict{"progressive_call_results": true, "call_canceling": true}
	w, err := newSwarm(s.url, &lg, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	st := &stall{o: o, load: load, server: s, swarm: w, kind: kind, feed: newPayload(load.feedSize)}
	if err := st.openOthers(ctx); err != nil {
		return nil, err
	}
	if o.warmup > 0 {
		say("warm-up")
		if _, err := st.run(ctx, true, o.warmup); err != nil {
			return nil, err
		}
	}
	say("measuring for %v with a peer that reads", o.duration)
	reading, err := st.run(ctx, true, o.duration)
	if err != nil {
		return nil, err
	}
	say("measuring for %v with one that does not", o.duration)
	stalled, err := st.run(ctx, false, o.duration)
	if err != nil {
		return nil, err
	}
	return st.sample(reading, stalled)
}

// openOthers opens everybody but the peer that is fed.
func (st *stall) openOthers(ctx context.Context) error {
	callee, err := st.swarm.open(ctx, st.o.serializer(0))
	if err != nil {
		return fmt.Errorf("callee: %w", err)
	}
	if err := callee.register(st.echoProcedure()); err != nil {
		_ = callee.conn.Close()
		return fmt.Errorf("callee: %w", err)
	}
	st.callee = newFeedCallee(callee.ser, st.o.size, st.feed)
	if st.calleePeer, err = st.swarm.attach(callee, 0, st.callee); err != nil {
		return err
	}
	if st.kind == stallSubscriber || st.kind == stallCallee {
		s, err := st.swarm.open(ctx, st.o.serializer(0))
		if err != nil {
			return fmt.Errorf("feeder: %w", err)
		}
		if err := st.openFeeder(s); err != nil {
			return err
		}
	}
	for i := range st.load.others {
		if err := st.openOther(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// openOther opens one of those that must not be delayed.
func (st *stall) openOther(ctx context.Context, i int) error {
	s, err := st.swarm.open(ctx, st.o.serializer(i))
	if err != nil {
		return err
	}
	w := &waiter{payload: newPayload(st.o.size), pending: make(map[uint64]int64)}
	if st.kind == stallSubscriber {
		if err := s.subscribe(st.feedTopic()); err != nil {
			_ = s.conn.Close()
			return err
		}
	} else {
		w.call = newTemplate(s.ser, w.payload, codeCall, dict{}, st.echoProcedure())
	}
	p, err := st.swarm.attach(s, i, w)
	if err != nil {
		return err
	}
	st.others, st.otherPeers = append(st.others, w), append(st.otherPeers, p)
	return nil
}

// each calls do for each of the others, with its loop locked.
func (st *stall) each(do func(w *waiter, p *peer)) {
	for i, w := range st.others {
		p := st.otherPeers[i]
		p.loop.mu.Lock()
		do(w, p)
		p.loop.mu.Unlock()
	}
}

// run runs the load for d, with a peer that is fed and reads, or does not.
func (st *stall) run(ctx context.Context, reads bool, d time.Duration) (*stallRun, error) {
	r := &stallRun{}
	phase := phaseMeasured
	if reads {
		phase = phaseWarm // so that a straggler of one run is not counted in the next
	}
	st.each(func(w *waiter, _ *peer) { w.begin(phase) })
	m, err := startMeter(st.server.procs)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var wg sync.WaitGroup
	if st.kind != stallSubscriber {
		wg.Go(func() { st.callInTime(limited) })
	}
	err = st.keepFeeding(limited, r, phase, reads)
	wg.Wait()
	// Whoever stalls stays until the others have been counted.
	defer r.closeAll()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if r.cost, err = m.stop(); err != nil {
		return nil, err
	}
	return r, st.count(ctx, r)
}

// callInTime makes the others' calls when they are due.
func (st *stall) callInTime(ctx context.Context) {
	gap := every(st.load.rate * float64(len(st.others)))
	next := clock()
	for i := 0; ; i++ {
		next += int64(gap)
		if d := time.Duration(next - clock()); d > 0 && pause(ctx, d) != nil || ctx.Err() != nil {
			return
		}
		p := st.otherPeers[i%len(st.others)]
		p.loop.mu.Lock()
		st.others[i%len(st.others)].next(p, next)
		p.loop.mu.Unlock()
	}
}

// count sums up the others, of whom answers may be missing.
func (st *stall) count(ctx context.Context, r *stallRun) error {
	published := 0
	if st.kind == stallSubscriber {
		published = r.fed * len(st.others)
	}
	answered := func() uint64 {
		var got, pending uint64
		st.each(func(w *waiter, _ *peer) { got += w.got; pending += uint64(len(w.pending)) })
		if st.kind == stallSubscriber {
			return got
		}
		return 1<<32 - pending
	}
	want := uint64(1 << 32)
	if st.kind == stallSubscriber {
		want = uint64(published)
	}
	if err := settle(ctx, answered, want, stallPatience); err != nil && !errors.Is(err, errStalled) {
		return err
	}
	now := clock()
	st.each(func(w *waiter, _ *peer) {
		r.missing += w.giveUp(now)
		if st.kind == stallSubscriber {
			r.missing -= int(w.got)
		}
		r.failed += w.failed
		r.times.add(&w.times)
	})
	r.missing += published
	if r.times.n == 0 {
		return errors.Join(errors.New("nothing was answered or delivered"), st.swarm.totals().lastError)
	}
	return nil
}

// sample compares the two runs.
func (st *stall) sample(reading, stalled *stallRun) (sample, error) {
	t := st.swarm.totals()
	sm := sample{
		"failed":       float64(reading.failed + stalled.failed),
		"missing":      float64(reading.missing + stalled.missing),
		"disconnected": float64(t.broken),
		"fed_percent":  100 * float64(stalled.fed) / float64(max(stalled.due, 1)),
		"stalls_ended": float64(len(stalled.ended)),
	}
	for name, q := range map[string]float64{"p50": 0.50, "p99": 0.99, "max": 1} {
		with, without := milliseconds(stalled.times.quantile(q)), milliseconds(reading.times.quantile(q))
		sm["stalled_"+name+"_ms"], sm["reading_"+name+"_ms"] = with, without
		sm["added_"+name+"_ms"] = with - without
	}
	if n := len(stalled.ended); n > 0 {
		slices.Sort(stalled.ended)
		sm["ended_after_s"] = stalled.ended[n/2].Seconds()
		sm["ended_after_max_s"] = stalled.ended[n-1].Seconds()
	} else {
		sm["never_ended_s"] = stalled.longest.Seconds()
	}
	return sm, sm.addCost(st.server, stalled.cost, "", 0)
}
