//go:build linux

package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The latency of an event to a subscriber of the gateway that it was published
// at, and of the other one; of one that is not kept; and how much longer the
// former are than that, and than with one gateway that has its own store.
const (
	keySameP50, keySameP99           = "same_p50_ms", "same_p99_ms"
	keyOtherP50, keyOtherP99         = "other_p50_ms", "other_p99_ms"
	keyFreeP50, keyFreeP99           = "unretained_p50_ms", "unretained_p99_ms"
	keyFreeCPU                       = "server_cpu_us_per_unretained_event"
	keySameKeptP50, keySameKeptP99   = "same_kept_p50_ms", "same_kept_p99_ms"
	keyElseKeptP50, keyElseKeptP99   = "other_kept_p50_ms", "other_kept_p99_ms"
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
	{key: keyFreeP50, label: "same gateway, unretained class: latency p50, ms", unit: "ms", digits: 2},
	{key: keyFreeP99, label: "… p99, ms", unit: "ms", digits: 2},
	{key: "unretained_max_ms", label: "… max, ms", unit: "ms", digits: 2},
	{key: keySameKeptP50, label: "same gateway: p50 less that of an unretained class, ms", unit: "ms", digits: 2},
	{key: keySameKeptP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: keyElseKeptP50, label: "other gateway: p50 less that of an unretained class, ms", unit: "ms", digits: 2},
	{key: keyElseKeptP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: keySameExtraP50, label: "same gateway: p50 less that of wireroom, ms", unit: "ms", digits: 2},
	{key: keySameExtraP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: keyElseExtraP50, label: "other gateway: p50 less that of wireroom, ms", unit: "ms", digits: 2},
	{key: keyElseExtraP99, label: "… p99 less, ms", unit: "ms", digits: 2},
	{key: "lost", label: "lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "sent_late_p50_ms", label: "sent later than due: p50, ms", unit: "ms", digits: 2},
	{key: "sent_late_p99_ms", label: "… p99, ms", unit: "ms", digits: 2},
	{key: "server_cpu_us_per_event", label: "server CPU, µs/event", unit: "µs", digits: 1},
	{key: keyFreeCPU, label: "server CPU, µs/unretained event", unit: "µs", digits: 1},
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
		return o.describeNodes(rate)
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
longer it takes through Redis.

Each second of that is followed by one of events of a class that is not retained,
to a subscriber of the same gateway: what the report says that retained events
take longer is the store's.`),
		Example: `  wireroom bench nodes --spawn wireroom --spawn wireroom-redis --dir /var/tmp`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.Float64Var(&rate, "rate", 200, "events per second")
	f.IntVar(&o.size, "size", 128, "bytes of the text in an event")
	f.StringVar(&o.class, "class", defaultClass, "retained class of the events; its data has a number and a text")
	f.StringVar(&o.free, "unretained-class", "bench.free", "class that is not retained, with the same data")
	b.bind(cmd, func() error {
		if rate < 0.1 || rate > 100_000 {
			return fmt.Errorf("--rate %v: expected 0.1 to 100000", rate)
		}
		if err := plain("--class", o.class); err != nil {
			return err
		}
		if err := plain("--unretained-class", o.free); err != nil {
			return err
		}
		if o.class == o.free {
			return fmt.Errorf("--class and --unretained-class: expected two, found %s twice", o.class)
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

// describeNodes returns what is measured, for people and for scripts.
func (o *options) describeNodes(rate float64) (string, map[string]any) {
	return fmt.Sprintf("%v events/s, %d B, %s", rate, o.size, o.rhythm()),
		o.settings(map[string]any{"rate": rate, "payload_bytes": o.size})
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
