//go:build linux

package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// A storm is one measurement.
type storm struct {
	o      *options
	load   *stormLoad
	server *server
	mode   string
	ignore bool
	say    progress
}

// runStorm measures one server.
func runStorm(ctx context.Context, o *options, load *stormLoad, s *server, mode, retry string, say progress) (sample, error) {
	st := &storm{o: o, load: load, server: s, mode: mode, ignore: retry == stormIgnore, say: say}
	if mode == stormRestart {
		return st.restart(ctx)
	}
	return st.reconnect(ctx)
}

// bring makes sessions first to first+n-1 join w. They count in the
// comeback, and their times from began.
func (st *storm) bring(ctx context.Context, w *swarm, first, n int, ignore bool, began time.Time) *comeback {
	c := &comeback{swarm: w, ignore: ignore}
	c.open = func(ctx context.Context, i int) error {
		s, err := w.open(ctx, st.o.serializer(i))
		if err != nil {
			return err
		}
		if err := s.subscribe(st.o.topic + "." + strconv.Itoa(first+i)); err != nil {
			_ = s.conn.Close()
			return err
		}
		_, err = w.attach(s, i, bystander{})
		return err
	}
	limited, cancel := context.WithTimeout(ctx, st.load.limit)
	defer cancel()
	c.run(limited, n, cmp.Or(st.load.atOnce, max(n, 1)), began)
	return c
}

// gather makes a swarm of n sessions that have joined one after the other,
// before the storm.
func (st *storm) gather(ctx context.Context, first, n int) (*swarm, error) {
	w, err := newSwarm(st.server.url, &st.o.login, st.o.readers)
	if err != nil {
		return nil, err
	}
	calm := *st
	calm.load = &stormLoad{atOnce: st.o.abreast, limit: st.load.limit}
	c := calm.bring(ctx, w, first, n, false, time.Now())
	if missing := n - len(c.back); missing > 0 {
		w.close()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("before the storm: %d of %d sessions did not join within %v; the last error: %w", missing, n, st.load.limit, c.lastErr)
	}
	return w, nil
}

// again returns an empty swarm that leaves from other ports than w did.
func (st *storm) again(w *swarm) (*swarm, error) {
	next, err := newSwarm(st.server.url, &st.o.login, st.o.readers)
	if err == nil {
		next.next.Store(w.next.Load())
	}
	return next, err
}

// reconnect lets the sessions vanish and come back.
func (st *storm) reconnect(ctx context.Context) (sample, error) {
	stayers, err := st.gather(ctx, st.o.sessions, st.load.stay)
	if err != nil {
		return nil, err
	}
	defer stayers.close()
	st.say("%d sessions join", st.o.sessions)
	first, err := st.gather(ctx, 0, st.o.sessions)
	if err != nil {
		return nil, err
	}
	defer first.close()
	p, err := startPair(st.pairConfig())
	if err != nil {
		return nil, err
	}
	defer p.stop()
	st.say("measuring the pair for %v", st.load.before)
	if _, err := p.lap(); err != nil {
		return nil, err
	}
	if err := pause(ctx, st.load.before); err != nil {
		return nil, err
	}
	before, err := p.lap()
	if err != nil {
		return nil, err
	}
	second, err := st.again(first)
	if err != nil {
		return nil, err
	}
	defer second.close()
	st.say("they vanish, and come back")
	m, err := startMeter(st.server.procs)
	if err != nil {
		return nil, err
	}
	first.close()
	if err := pause(ctx, st.load.away); err != nil {
		return nil, err
	}
	c := st.bring(ctx, second, 0, st.o.sessions, st.ignore, time.Now())
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cost, err := m.stop()
	if err != nil {
		return nil, err
	}
	during, err := p.end()
	if err != nil {
		return nil, fmt.Errorf("the pair that stayed: %w", err)
	}
	if len(c.back) == 0 {
		return nil, errors.Join(errors.New("not one session came back"), c.lastErr)
	}
	sm := sample{"pair_lost": float64(during.Lost), "stayed_disconnected": float64(stayers.totals().broken), "disconnected": float64(second.totals().broken)}
	if before.Got > 0 {
		sm["pair_before_p50_ms"], sm["pair_before_p99_ms"] = before.P50, before.P99
	}
	sm["pair_p50_ms"], sm["pair_p99_ms"], sm["pair_max_ms"] = during.P50, during.P99, during.Max
	c.addTo(sm, st.o.sessions)
	return sm, sm.addCost(st.server, cost, "server_cpu_us_per_join", float64(len(c.back)))
}

// pairConfig says where the pair joins.
func (st *storm) pairConfig() pairConfig {
	lg := &st.o.login
	return pairConfig{
		URL: st.server.url, Realm: lg.realm, AuthID: lg.authID, Ticket: lg.ticket, Insecure: lg.insecure,
		Serializer: st.o.serializer(0), Topic: st.o.topic + ".pair", Rate: st.load.pairRate, Size: 128,
	}
}

// restart kills the server, starts it again, and lets the sessions come back
// meanwhile.
func (st *storm) restart(ctx context.Context) (sample, error) {
	st.say("%d sessions join", st.o.sessions)
	first, err := st.gather(ctx, 0, st.o.sessions)
	if err != nil {
		return nil, err
	}
	defer first.close()
	second, err := st.again(first)
	if err != nil {
		return nil, err
	}
	defer second.close()
	st.say("the server is killed and started again, and they come back")
	m, err := startMeter(nil) // the new process's clock begins at 0
	if err != nil {
		return nil, err
	}
	st.server.kill()
	began := time.Now()
	var ready time.Duration
	var rerr error
	var wg sync.WaitGroup
	storming, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		if rerr = st.server.revive(ctx); rerr != nil {
			cancel()
		}
		ready = time.Since(began)
	})
	c := st.bring(storming, second, 0, st.o.sessions, st.ignore, began)
	wg.Wait()
	if err := errors.Join(rerr, ctx.Err()); err != nil {
		return nil, err
	}
	cost, err := m.stop()
	if err != nil {
		return nil, err
	}
	if cost.server, err = st.server.procs.cpu(); err != nil {
		return nil, err
	}
	cost.other = max(cost.other-cost.server, 0)
	if len(c.back) == 0 {
		return nil, errors.Join(errors.New("not one session came back"), c.lastErr)
	}
	sm := sample{"restart_s": ready.Seconds(), "disconnected": float64(second.totals().broken)}
	c.addTo(sm, st.o.sessions)
	return sm, sm.addCost(st.server, cost, "server_cpu_us_per_join", float64(len(c.back)))
}
