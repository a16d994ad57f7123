//go:build linux

package bench

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A backRun is one measurement.
type backRun struct {
	o       *options
	load    *backLoad
	server  *server
	say     progress
	cookies []string // of the clients
}

// A returner checks what a client receives that comes back. It belongs to the
// loop that reads the client.
type returner struct {
	missed uint64
	began  int64 // by the clock
	order  order
	caught int64 // after so many nanoseconds; 0: not yet
}

func (r *returner) receive(p *peer, code uint64, _, msg []byte, now int64) {
	l := p.loop
	phase, number, _, ok := readPayload(msg)
	if code != codeEvent || !ok || phase != phaseMeasured {
		l.fail(unexpected(p.ser, msg))
		return
	}
	l.measured++
	if r.order.see(number); r.order.got == r.missed && r.caught == 0 {
		r.caught = max(now-r.began, 1)
		l.warm++ // how many have caught up
		l.last = now
	}
}

// runBack measures one server.
func runBack(ctx context.Context, o *options, load *backLoad, s *server, say progress) (sample, error) {
	r := &backRun{o: o, load: load, server: s, say: say, cookies: make([]string, o.sessions)}
	say("%d clients get a cookie each", o.sessions)
	if err := r.getCookies(ctx); err != nil {
		return nil, err
	}
	before, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	say("they subscribe, and go")
	if err := r.first(ctx); err != nil {
		return nil, err
	}
	absent, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	say("%d events are published", load.missed)
	if err := r.publish(ctx); err != nil {
		return nil, err
	}
	sm, err := r.measure(ctx)
	if err == nil && len(s.procs) > 0 {
		sm["rss_bytes_per_absent"] = float64(absent.rss-before.rss) / float64(o.sessions)
	}
	return sm, err
}

// getCookies gets a client token for each client.
func (r *backRun) getCookies(ctx context.Context) error {
	u, err := url.Parse(r.server.url)
	if err != nil {
		return err
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	u.Path = "/session"
	client := &http.Client{Timeout: joinTimeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: r.o.abreast,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: r.o.login.insecure, RootCAs: r.server.roots},
	}}
	defer client.CloseIdleConnections()
	return openMany(ctx, r.o.sessions, r.o.abreast, nil, func(ctx context.Context, i int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || len(resp.Cookies()) == 0 {
			return fmt.Errorf("POST %s: expected 200 and a cookie, got %s", u, resp.Status)
		}
		c := resp.Cookies()[0]
		r.cookies[i] = c.Name + "=" + c.Value
		return nil
	})
}

// open joins as client i, and subscribes persistently.
func (r *backRun) open(ctx context.Context, w *swarm, i int) (*session, error) {
	lg := *w.login
	lg.cookie = r.cookies[i]
	s, err := w.openAs(ctx, r.o.serializer(i), &lg)
	if err != nil {
		return nil, err
	}
	if err := s.subscribeBy(r.o.class, dict{"_persistent": true}); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	return s, nil
}

// first lets each client subscribe for the first time, and go.
func (r *backRun) first(ctx context.Context) error {
	w, err := newSwarm(r.server.url, &r.o.login, 1)
	if err != nil {
		return err
	}
	defer w.close()
	return openMany(ctx, r.o.sessions, r.o.abreast, nil, func(ctx context.Context, i int) error {
		s, err := r.open(ctx, w, i)
		if err != nil {
			return err
		}
		return s.conn.Close()
	})
}

// inFlightEvents is how many events may wait for their acknowledgement.
const inFlightEvents = 256

// publish publishes what is missed.
func (r *backRun) publish(ctx context.Context) error {
	w, err := newSwarm(r.server.url, &r.o.login, 1)
	if err != nil {
		return err
	}
	defer w.close()
	s, err := w.open(ctx, r.o.serializer(0))
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	payload := newPayload(r.o.size)
	wants := *r.o
	wants.acknowledge, wants.topic = true, r.o.class
	p := newWAMPPublisher(s, &wants, payload)
	defer p.close()
	p.event = eventTemplate(s.ser, r.o.class, payload, true)
	for i := range r.load.missed {
		stampPayload(payload, phaseMeasured, uint64(i), 0)
		if err := p.publish(payload); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if n := i + 1; n%inFlightEvents == 0 || n == r.load.missed {
			if err := settle(ctx, p.acknowledged, uint64(n), joinTimeout); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				return errors.Join(fmt.Errorf("publish: %d of %d events acknowledged: %w", p.acked, n, err), p.err)
			}
		}
	}
	return nil
}

// measure lets all come back, while a pair publishes and subscribes.
func (r *backRun) measure(ctx context.Context) (sample, error) {
	lg := &r.o.login
	p, err := startPair(pairConfig{
		URL: r.server.url, Realm: lg.realm, AuthID: lg.authID, Ticket: lg.ticket, Insecure: lg.insecure,
		Serializer: r.o.serializer(0), Topic: liveClass, Class: true, Rate: r.load.pairRate, Size: 128,
	})
	if err != nil {
		return nil, err
	}
	defer p.stop()
	r.say("measuring live events for %v", r.load.before)
	if _, err := p.lap(); err != nil {
		return nil, err
	}
	if err := pause(ctx, r.load.before); err != nil {
		return nil, err
	}
	before, err := p.lap()
	if err != nil {
		return nil, err
	}
	w, err := newSwarm(r.server.url, lg, r.o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	w.next.Store(int64(r.o.sessions)) // other ports than at first
	r.say("all come back")
	m, err := startMeter(r.server.procs)
	if err != nil {
		return nil, err
	}
	began := clock()
	clients, back, err := r.comeBack(ctx, w, began)
	if err != nil {
		return nil, err
	}
	cost, err := m.stop()
	if err != nil {
		return nil, err
	}
	during, err := p.end()
	if err != nil {
		return nil, fmt.Errorf("live events: %w", err)
	}
	t := w.totals()
	if t.measured == 0 {
		return nil, errors.Join(errors.New("nothing was replayed"), t.lastError, back.lastErr)
	}
	sm := r.sample(w, clients, t, began)
	sm["attempts_per_client"] = float64(back.attempts) / float64(r.o.sessions)
	if before.Got > 0 {
		sm["pair_before_p50_ms"], sm["pair_before_p99_ms"] = before.P50, before.P99
	}
	sm["pair_p50_ms"], sm["pair_p99_ms"], sm["pair_max_ms"] = during.P50, during.P99, during.Max
	sm["pair_late_p99_ms"], sm["pair_lost"] = during.Late, float64(during.Lost)
	return sm, sm.addCost(r.server, cost, "server_cpu_us_per_event", float64(t.measured))
}

// comeBack opens a session for each client, and waits until all have what they
// missed or the time for it is over.
func (r *backRun) comeBack(ctx context.Context, w *swarm, began int64) ([]*returner, *comeback, error) {
	n := r.o.sessions
	clients := make([]*returner, n)
	for i := range clients {
		clients[i] = &returner{missed: uint64(r.load.missed), began: began}
	}
	back := &comeback{swarm: w}
	back.open = func(ctx context.Context, i int) error {
		s, err := r.open(ctx, w, i)
		if err != nil {
			return err
		}
		_, err = w.attach(s, i, clients[i])
		return err
	}
	limited, cancel := context.WithTimeout(ctx, r.load.limit)
	defer cancel()
	back.run(limited, n, cmp.Or(r.load.atOnce, n), time.Now())
	err := settle(limited, func() uint64 { return w.totals().warm }, uint64(n), r.load.limit)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		r.say("not all caught up: %v", errors.Join(err, back.lastErr, w.totals().lastError))
	}
	return clients, back, nil
}

// sample turns counters into metrics.
func (r *backRun) sample(w *swarm, clients []*returner, t totals, began int64) sample {
	var lost, twice, late uint64
	var caught []int64
	for _, l := range w.loops {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	for _, c := range clients {
		lost += c.missed - min(c.order.got, c.missed)
		twice += c.order.twice
		late += c.order.late
		if c.caught > 0 {
			caught = append(caught, c.caught)
		}
	}
	slices.Sort(caught)
	n := len(clients)
	sm := sample{
		"never_caught": float64(n - len(caught)), "lost": float64(lost), "doubled": float64(twice), "out_of_order": float64(late),
		"disconnected": float64(t.broken),
	}
	for key, percent := range map[string]int{"caught_50_s": 50, "caught_95_s": 95, "caught_all_s": 100} {
		// Rounded up: so many of all, not of those that have caught up.
		if need := (percent*n + 99) / 100; need <= len(caught) {
			sm[key] = time.Duration(caught[need-1]).Seconds()
		}
	}
	if took := time.Duration(t.last - began); len(caught) == n {
		sm["replayed_per_second"] = float64(t.measured) / took.Seconds()
	}
	return sm
}
