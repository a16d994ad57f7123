//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// An ingestLoad is how one case of ingest publishes.
type ingestLoad struct {
	via      string
	posters  int
	inFlight int
}

// A posting is one measurement.
type posting struct {
	o     *options
	load  ingestLoad
	swarm *swarm
	lost  chan *poster // whose connection has ended; never closed
}

// runIngest measures one server.
func runIngest(ctx context.Context, o *options, s *server, load ingestLoad, say progress) (sample, error) {
	if s.load != nil {
		return s.load(ctx, load, say)
	}
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	p := &posting{o: o, load: load, swarm: w, lost: make(chan *poster, load.posters)}
	again, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() {
		stop()
		<-done
		w.close()
	}()
	if load.via == viaWAMP {
		close(done)
		err = p.openSessions(ctx)
	} else {
		go func() {
			defer close(done)
			p.reopen(again)
		}()
		err = p.openPosters(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if o.warmup > 0 {
		say("warm-up")
		if err := pause(ctx, o.warmup); err != nil {
			return nil, err
		}
	}
	return p.measure(ctx, s, say)
}

// openPosters opens the connections for HTTP requests and has each post.
func (p *posting) openPosters(ctx context.Context, s *server) error {
	base := s.url
	if s.httpURL != "" {
		base = s.httpURL
	}
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	r := newRequests(u, p.load.via, p.load.inFlight, p.o)
	if err := r.try(ctx, &p.o.login); err != nil {
		return err
	}
	return openMany(ctx, p.load.posters, p.o.abreast, nil, func(ctx context.Context, i int) error {
		return p.openPoster(ctx, i, &poster{requests: r, lost: p.lost})
	})
}

// openPoster opens the connection of a poster, on which it begins to post.
func (p *posting) openPoster(ctx context.Context, i int, to *poster) error {
	conn, err := to.requests.dial(ctx, &p.o.login)
	if err != nil {
		return err
	}
	peer, err := p.swarm.attach(&session{conn: conn, framing: frameHTTP}, i, to)
	if err != nil {
		return err
	}
	peer.loop.mu.Lock()
	defer peer.loop.mu.Unlock()
	if !peer.closed {
		to.post(peer, clock())
		peer.flush()
	}
	return nil
}

// reopen opens connections anew that have ended, until ctx is done.
func (p *posting) reopen(ctx context.Context) {
	for i := 0; ; i++ {
		var to *poster
		select {
		case to = <-p.lost:
		case <-ctx.Done():
			return
		}
		for p.openPoster(ctx, i, to) != nil {
			if pause(ctx, 10*time.Millisecond) != nil { // do not spin while the server is away
				return
			}
		}
	}
}

// openSessions joins the sessions, and has each publish.
func (p *posting) openSessions(ctx context.Context) error {
	return openMany(ctx, p.load.posters, p.o.abreast, nil, func(ctx context.Context, i int) error {
		s, err := p.swarm.open(ctx, p.o.serializer(i))
		if err != nil {
			return err
		}
		payload := newPayload(p.o.size)
		to := &wampPoster{event: eventTemplate(s.ser, p.o.class, payload, true), payload: payload, pending: make(map[uint64]int64)}
		peer, err := p.swarm.attach(s, i, to)
		if err != nil {
			return err
		}
		peer.loop.mu.Lock()
		defer peer.loop.mu.Unlock()
		for range p.load.inFlight {
			to.next(peer, clock())
		}
		if !peer.closed {
			peer.flush()
		}
		return nil
	})
}

// measure measures the load that runs.
func (p *posting) measure(ctx context.Context, s *server, say progress) (sample, error) {
	say("measuring for %v", p.o.duration)
	var writtenBefore, writtenAfter written
	var err error
	if s.storeFile != "" {
		if writtenBefore, err = writtenTo(s.storeFile); err != nil {
			return nil, err
		}
	}
	p.swarm.reset()
	before := p.swarm.totals()
	m, err := startMeter(s.procs)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, p.o.duration); err != nil {
		return nil, err
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	after, h := p.swarm.totals(), p.swarm.latency()
	if s.storeFile != "" {
		if writtenAfter, err = writtenTo(s.storeFile); err != nil {
			return nil, err
		}
	}
	events := float64(after.measured - before.measured)
	if events == 0 {
		return nil, errors.Join(errors.New("no event was acknowledged"), after.lastError)
	}
	failed := after.errors - before.errors + uint64(after.broken-before.broken)
	if failed > 0 {
		say("posts fail: %v", after.lastError)
	}
	sm := sample{
		keyIngestRate:    events / c.wall.Seconds(),
		"failed":         float64(failed),
		"latency_p50_ms": milliseconds(h.quantile(0.50)),
		"latency_p99_ms": milliseconds(h.quantile(0.99)),
		"latency_max_ms": milliseconds(h.max),
	}
	commits, batches := writtenAfter.commits-writtenBefore.commits, writtenAfter.batches-writtenBefore.batches
	if n := syncsPerCommit*commits + batches; n > 0 {
		sm[keyCommits] = float64(commits) / c.wall.Seconds()
		sm[keyBatches] = float64(batches) / c.wall.Seconds()
		sm[keyPerSync] = events / float64(n)
	}
	return sm, sm.addCost(s, c, "server_cpu_us_per_event", events)
}

// name is what a report calls the case.
func (l ingestLoad) name() string {
	name := fmt.Sprintf("%s, %d posters", l.via, l.posters)
	switch {
	case l.inFlight == 1:
	case l.via == viaWAMP:
		name += fmt.Sprintf(" × %d in flight", l.inFlight)
	default:
		name += fmt.Sprintf(" × %d in a request", l.inFlight)
	}
	return name
}

// applies reports whether a target can take the load.
func (l ingestLoad) applies(t *target) bool {
	switch {
	case t.spawn == spawnPython:
		return l.via == viaXMLRPC
	case t.spawn != "":
		return true
	}
	u, err := url.Parse(t.url)
	return err == nil && (l.via == viaWAMP) != (u.Scheme == "http" || u.Scheme == "https")
}
