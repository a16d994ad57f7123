//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var rpcMetrics = []metric{
	{key: "calls_per_second", label: "calls/s", unit: "1/s"},
	{key: "failed", label: "calls failed", unit: "1", bad: true},
	{key: "unanswered", label: "calls never answered", unit: "1", bad: true},
	{key: "mixed_up", label: "answers to no call", unit: "1", bad: true},
	{key: "disconnected", label: "sessions disconnected", unit: "1", bad: true},
	{key: "latency_p50_ms", label: "latency p50, ms", unit: "ms", digits: 3},
	{key: "latency_p99_ms", label: "latency p99, ms", unit: "ms", digits: 3},
	{key: "latency_max_ms", label: "latency max, ms", unit: "ms", digits: 2},
	{key: "server_cpu_us_per_call", label: "server CPU, µs/call", unit: "µs", digits: 2},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// newRPC returns the benchmark of callers and a callee.
func newRPC() *cobra.Command {
	o := &options{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "rpc", metrics: rpcMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) {
		return fmt.Sprintf("%d callers, %d B, %s", o.callers, o.size, o.rhythm()),
			o.settings(map[string]any{"callers": o.callers, "payload_bytes": o.size})
	}
	cmd := &cobra.Command{
		Use:   "rpc",
		Short: "Callers and a callee that echoes: calls/s, latency, CPU per call",
		Long: strings.TrimSpace(`
Each caller keeps a number of calls in flight: whenever one is answered it makes
the next. The callee, in the generator too, answers at once with what it got.`),
		Example: `  wireroom bench rpc --spawn wireroom --spawn nexus --callers 8 --in-flight 8,32`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.IntVar(&o.callers, "callers", 8, "sessions that call")
	f.IntSliceVar(&o.inFlight, "in-flight", []int{8}, "calls that each caller has under way; several are several cases")
	f.IntVar(&o.size, "size", 128, "bytes of a call's only argument")
	f.StringVar(&o.topic, "topic", "bench.echo", "procedure")
	b.bind(cmd, func() error {
		if err := inRange("--callers", o.callers, 1, 100_000); err != nil {
			return err
		}
		if err := needFiles("--callers", o.callers); err != nil {
			return err
		}
		if err := distinct("--in-flight", o.inFlight, 1, 65536); err != nil {
			return err
		}
		for _, n := range o.inFlight {
			b.cases = append(b.cases, benchCase{
				name: strconv.Itoa(o.callers) + " × " + strconv.Itoa(n) + " in flight",
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runRPC(ctx, o, s, n, say)
				},
			})
		}
		return nil
	})
	return cmd
}

// An rpc is one measurement.
type rpc struct {
	o        *options
	swarm    *swarm
	callers  []*caller
	peers    []*peer
	inFlight int
}

// runRPC measures one server with a number of calls in flight per caller.
func runRPC(ctx context.Context, o *options, s *server, inFlight int, say progress) (sample, error) {
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &rpc{
		o: o, swarm: w, inFlight: inFlight,
		callers: make([]*caller, o.callers), peers: make([]*peer, o.callers),
	}
	say("%d callers join", o.callers)
	if err := r.openCallee(ctx); err != nil {
		return nil, fmt.Errorf("callee: %w", err)
	}
	if err := openMany(ctx, o.callers, o.abreast, nil, r.openCaller); err != nil {
		return nil, err
	}
	r.start()
	if o.warmup > 0 {
		say("warm-up")
		if err := pause(ctx, o.warmup); err != nil {
			return nil, err
		}
	}
	return r.measure(ctx, s, say)
}

func (r *rpc) openCallee(ctx context.Context) error {
	s, err := r.swarm.open(ctx, r.o.serializer(0))
	if err != nil {
		return err
	}
	if err := s.register(r.o.topic); err != nil {
		_ = s.conn.Close()
		return err
	}
	_, err = r.swarm.attach(s, 0, &callee{yield: newTemplate(s.ser, newPayload(r.o.size), codeYield, dict{})})
	return err
}

func (r *rpc) openCaller(ctx context.Context, i int) error {
	s, err := r.swarm.open(ctx, r.o.serializer(i))
	if err != nil {
		return err
	}
	payload := newPayload(r.o.size)
	r.callers[i] = &caller{
		call:    newTemplate(s.ser, payload, codeCall, dict{}, r.o.topic),
		payload: payload,
		pending: make(map[uint64]struct{}, r.inFlight),
	}
	r.peers[i], err = r.swarm.attach(s, i, r.callers[i])
	return err
}

// start makes the first calls of every caller.
func (r *rpc) start() {
	r.each(func(c *caller, p *peer) {
		for range r.inFlight {
			c.next(p, clock())
		}
		if !p.closed && !p.waiting {
			p.flush()
		}
	})
}

// each calls do for every caller, with its loop locked.
func (r *rpc) each(do func(c *caller, p *peer)) {
	for i, c := range r.callers {
		p := r.peers[i]
		p.loop.mu.Lock()
		do(c, p)
		p.loop.mu.Unlock()
	}
}

// counts adds up what the callers count.
func (r *rpc) counts() (failed, mixed, pending uint64, refusal error) {
	r.each(func(c *caller, _ *peer) {
		failed += c.failed
		mixed += c.mixed
		pending += uint64(len(c.pending))
		if c.refusal != nil {
			refusal = c.refusal
		}
	})
	return failed, mixed, pending, refusal
}

// measure measures the load that runs, and ends it.
func (r *rpc) measure(ctx context.Context, s *server, say progress) (sample, error) {
	say("measuring for %v", r.o.duration)
	failedBefore, mixedBefore, _, _ := r.counts()
	r.swarm.reset()
	before := r.swarm.totals()
	m, err := startMeter(s.procs)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, r.o.duration); err != nil {
		return nil, err
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	after, h := r.swarm.totals(), r.swarm.latency()
	failed, mixed, _, refusal := r.counts()
	calls := after.measured - before.measured
	if calls == 0 {
		return nil, errors.Join(errors.New("no call was answered"), refusal, after.lastError)
	}
	if refusal != nil {
		say("calls fail: %v", refusal)
	}

	r.each(func(c *caller, _ *peer) { c.stopped = true })
	answered := func() uint64 {
		_, _, pending, _ := r.counts()
		return uint64(len(r.callers)*r.inFlight) - pending
	}
	err = settle(ctx, answered, uint64(len(r.callers)*r.inFlight), drainPatience)
	if err != nil && !errors.Is(err, errStalled) {
		return nil, err
	}
	_, _, pending, _ := r.counts()
	sm := sample{
		"calls_per_second": float64(calls) / c.wall.Seconds(),
		"failed":           float64(failed - failedBefore),
		"unanswered":       float64(pending),
		"mixed_up":         float64(mixed - mixedBefore + after.errors),
		"disconnected":     float64(after.broken),
		"latency_p50_ms":   milliseconds(h.quantile(0.50)),
		"latency_p99_ms":   milliseconds(h.quantile(0.99)),
		"latency_max_ms":   milliseconds(h.max),
	}
	return sm, sm.addCost(s, c, "server_cpu_us_per_call", float64(calls))
}
