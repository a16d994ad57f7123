//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The latency of an event to a subscriber of the gateway that it was published
// at, and of the other one; and how much longer both are than with one gateway
// that has its own store.
const (
	keySameP50, keySameP99           = "same_p50_ms", "same_p99_ms"
	keyOtherP50, keyOtherP99         = "other_p50_ms", "other_p99_ms"
	keySameExtraP50, keySameExtraP99 = "same_extra_p50_ms", "same_extra_p99_ms"
	keyElseExtraP50, keyElseExtraP99 = "other_extra_p50_ms", "other_extra_p99_ms"
)

var nodesMetrics = []metric{
	{key: keySameP50, label: "to the same gateway: latency p50, ms", unit: "ms", digits: 2},
	{key: keySameP99, label: "… p99, ms", unit: "ms", digits: 2},
	{key: "same_max_ms", label: "… max, ms", unit: "ms", digits: 2},
	{key: keyOtherP50, label: "to the other gateway: latency p50, ms", unit: "ms", digits: 2},
	{key: keyOtherP99, label: "… p99, ms", unit: "ms", digits: 2},
	{key: "other_max_ms", label: "… max, ms", unit: "ms", digits: 2},
	{key: keySameExtraP50, label: "same gateway: p50 less that of wireroom, ms", unit: "ms", digits: 2},
	{key: keySameExtraP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: keyElseExtraP50, label: "other gateway: p50 less that of wireroom, ms", unit: "ms", digits: 2},
	{key: keyElseExtraP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: "lost", label: "lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "server_cpu_us_per_event", label: "server CPU, µs/event", unit: "µs", digits: 1},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// newNodes returns the benchmark of what it takes an event to reach another
// gateway.
func newNodes() *cobra.Command {
	o := &options{nodes: 2}
	var rate float64
	spawnable := []string{spawnWireroom, spawnWireroomRedis}
	b := &benchmark{name: "nodes", metrics: nodesMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) {
		return fmt.Sprintf("%v events/s, %d B, %s", rate, o.size, o.rhythm()),
			o.settings(map[string]any{"rate": rate, "payload_bytes": o.size})
	}
	b.relate = func(round [][]sample) { compareNodes(b.targets, round) }
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "Live events that are kept, to subscribers of the same gateway and of another one",
		Long: strings.TrimSpace(`
One publisher sends events of a retained class at a fixed rate, and a subscriber
receives them from the same gateway. With wireroom-redis, two gateways share one
redis-server, and another subscriber receives them from the second one. Latency
counts from when an event was due; what is kept is safe before it is delivered.
With wireroom, which has its own store, in the same run, the report says how much
longer it takes through Redis.`),
		Example: `  wireroom bench nodes --spawn wireroom --spawn wireroom-redis --dir /var/tmp`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.Float64Var(&rate, "rate", 200, "events per second")
	f.IntVar(&o.size, "size", 128, "bytes of the text in an event")
	f.StringVar(&o.class, "class", defaultClass, "retained class of the events; its data has a number and a text")
	b.bind(cmd, func() error {
		if rate < 0.1 || rate > 100_000 {
			return fmt.Errorf("--rate %v: expected 0.1 to 100000", rate)
		}
		if err := plain("--class", o.class); err != nil {
			return err
		}
		b.cases = []benchCase{{
			name: "a retained event",
			run: func(ctx context.Context, s *server, say progress) (sample, error) {
				return runNodes(ctx, o, rate, s, say)
			},
		}}
		return nil
	})
	return cmd
}

// A follower is a subscriber at one gateway, with a swarm of its own so that
// its latencies are its own.
type follower struct {
	swarm      *swarm
	subscriber *subscriber
}

// follow joins at a gateway, and subscribes.
func follow(ctx context.Context, o *options, url string) (*follower, error) {
	w, err := newSwarm(url, &o.login, 1)
	if err != nil {
		return nil, err
	}
	f := &follower{swarm: w, subscriber: &subscriber{}}
	s, err := w.open(ctx, o.serializer(0))
	if err == nil {
		if err = s.subscribe(o.class); err != nil {
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

// runNodes measures one server, or two with one store.
func runNodes(ctx context.Context, o *options, rate float64, s *server, say progress) (sample, error) {
	same, err := follow(ctx, o, s.url)
	if err != nil {
		return nil, err
	}
	defer same.swarm.close()
	all := []*follower{same}
	if s.otherURL != "" {
		other, err := follow(ctx, o, s.otherURL)
		if err != nil {
			return nil, err
		}
		defer other.swarm.close()
		all = append(all, other)
	}
	session, err := same.swarm.open(ctx, o.serializer(0))
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	payload := newPayload(o.size)
	p := newWAMPPublisher(session, o, payload)
	defer p.close()
	p.event = eventTemplate(session.ser, o.class, payload, false)
	r := &queryRun{load: &queryLoad{rate: rate}, publisher: p, events: []*template{p.event}, payload: payload, groups: 1}
	if n := int(rate * o.warmup.Seconds()); n > 0 {
		say("warm-up")
		if err := r.send(ctx, phaseWarm, n); err != nil {
			return nil, err
		}
	}
	n := max(int(rate*o.duration.Seconds()), 1)
	say("measuring for %v", o.duration)
	m, err := startMeter(s.procs)
	if err != nil {
		return nil, err
	}
	if err := r.send(ctx, phaseMeasured, n); err != nil {
		return nil, err
	}
	sm := sample{}
	var failed error
	for i, f := range all {
		err := settle(ctx, func() uint64 { return f.swarm.totals().measured }, uint64(n), drainPatience)
		if err != nil && !errors.Is(err, errStalled) {
			return nil, err
		}
		f.addTo(sm, []string{"same", "other"}[i], n)
		failed = errors.Join(failed, f.swarm.totals().lastError)
	}
	if failed != nil {
		return nil, failed
	}
	c, err := m.stop()
	if err != nil {
		return nil, err
	}
	return sm, sm.addCost(s, c, "server_cpu_us_per_event", float64(n))
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

// compareNodes subtracts what it takes one gateway with its own store.
func compareNodes(targets []*target, round [][]sample) {
	row := round[len(round)-1]
	var own sample
	for i, t := range targets {
		if t.spawn == spawnWireroom && row[i] != nil {
			own = row[i]
		}
	}
	for i, t := range targets {
		if t.spawn != spawnWireroomRedis || row[i] == nil || own == nil {
			continue
		}
		for _, k := range [][3]string{
			{keySameExtraP50, keySameP50, keySameP50},
			{keySameExtraP99, keySameP99, keySameP99},
			{keyElseExtraP50, keyOtherP50, keySameP50},
			{keyElseExtraP99, keyOtherP99, keySameP99},
		} {
			if v, ok := row[i][k[1]]; ok {
				row[i][k[0]] = v - own[k[2]]
			}
		}
	}
}
