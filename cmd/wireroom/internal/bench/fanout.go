//go:build linux

package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// What a delivery costs, and that divided by what it costs the write loop.
const (
	keyFanoutCPU   = "server_cpu_us_per_delivery"
	keyFanoutRatio = "cpu_ratio_to_write_loop"
)

var fanoutMetrics = []metric{
	{key: "offered", label: "deliveries offered", unit: "1"},
	{key: "delivered_percent", label: "delivered, %", unit: "%", digits: 3},
	{key: "deliveries_per_second", label: "deliveries/s", unit: "1/s"},
	{key: "lost", label: "lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "disconnected", label: "subscribers disconnected", unit: "1", bad: true},
	{key: "unacknowledged", label: "not acknowledged", unit: "1", bad: true},
	{key: "latency_p50_ms", label: "latency p50, ms", unit: "ms", digits: 2},
	{key: "latency_p99_ms", label: "latency p99, ms", unit: "ms", digits: 2},
	{key: "latency_max_ms", label: "latency max, ms", unit: "ms", digits: 2},
	{key: "ack_p50_ms", label: "acknowledgement p50, ms", unit: "ms", digits: 2},
	{key: "ack_p99_ms", label: "acknowledgement p99, ms", unit: "ms", digits: 2},
	{key: "bytes_per_delivery", label: "bytes/delivery", unit: "B"},
	{key: "packed_percent", label: "compressed, %", unit: "%", digits: 1},
	{key: keyFanoutCPU, label: "server CPU, µs/delivery", unit: "µs", digits: 2},
	{key: keyFanoutRatio, label: "… ÷ bare write(2) loop", unit: "1", digits: 2},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// newFanout returns the benchmark of one publisher and many subscribers.
func newFanout() *cobra.Command {
	o := &options{}
	spawnable := []string{spawnWireroom, spawnNexus, spawnWriteLoop}
	b := &benchmark{
		name: "fanout", metrics: fanoutMetrics, options: o, schemes: wampSchemes, spawnable: spawnable,
		describe: o.describeFanout,
	}
	b.relate = func(round [][]sample) { compareToFloor(b.targets, round) }
	cmd := &cobra.Command{
		Use:   "fanout",
		Short: "One publisher, many subscribers: deliveries, latency, losses, CPU per delivery",
		Long: strings.TrimSpace(`
Subscribers of one topic each receive every event that one publisher sends at a
fixed rate. Latency runs from the time at which an event was due, so a
publisher that is held up does not hide it. The write loop (--spawn writeloop)
writes as many bytes to as many sockets with nothing but write(2): the floor.`),
		Example: `  wireroom bench fanout --spawn writeloop --spawn wireroom --spawn nexus --rate 20,300
  wireroom bench fanout --target mine=ws://127.0.0.1:8080/ws,pid=4711 --subscribers 5000`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.IntVarP(&o.subscribers, "subscribers", "n", 1000, "subscribers of the topic")
	f.Float64SliceVar(&o.rates, "rate", []float64{20}, "events per second; several are several cases")
	f.IntSliceVar(&o.sizes, "size", []int{128}, "bytes of an event's only argument; several are several cases")
	o.addFilling(f)
	o.addWire(f)
	f.DurationVar(&o.linger, "linger", 0, "how long a started wireroom lets an event wait for others: 0 to 1s")
	f.StringVar(&o.topic, "topic", "bench.fanout", "topic")
	f.BoolVar(&o.acknowledge, "acknowledge", false, "the publisher asks for acknowledgements; it does not wait for them")
	b.bind(cmd, func() error {
		if err := inRange("--subscribers", o.subscribers, 1, 1_000_000); err != nil {
			return err
		}
		if err := needFiles("--subscribers", o.subscribers); err != nil {
			return err
		}
		if err := o.checkWire(); err != nil {
			return err
		}
		if err := distinct("--rate", o.rates, 0.1, 100_000); err != nil {
			return err
		}
		b.cases = o.fanoutCases()
		return nil
	})
	return cmd
}

// fanoutCases makes a case of each rate and size.
func (o *options) fanoutCases() []benchCase {
	var all []benchCase
	for _, rate := range o.rates {
		for _, size := range o.sizes {
			name := "rate " + strconv.FormatFloat(rate, 'g', -1, 64) + "/s"
			if len(o.sizes) > 1 {
				name += ", " + strconv.Itoa(size) + " B"
			}
			all = append(all, benchCase{
				name: name,
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runFanout(ctx, o, s, rate, size, say)
				},
			})
		}
	}
	return all
}

// describeFanout says what the load is.
func (o *options) describeFanout() (summary string, settings map[string]any) {
	summary = fmt.Sprintf("%d subscribers, %s B, %s", o.subscribers, joinInts(o.sizes, "+"), o.rhythm()) + o.wire()
	if o.acknowledge {
		summary += ", acknowledged"
	}
	return summary, o.settings(o.wireSettings(map[string]any{
		"subscribers": o.subscribers, "acknowledge": o.acknowledge, "payload_bytes": o.sizes, "payload": o.filling,
	}))
}

// compareToFloor divides what a delivery cost by what it cost the write loop,
// in each case of a round.
func compareToFloor(targets []*target, round [][]sample) {
	for _, row := range round {
		var floor float64
		for ti, t := range targets {
			if t.floor() {
				floor = row[ti][keyFanoutCPU]
			}
		}
		for ti, t := range targets {
			if cpu, ok := row[ti][keyFanoutCPU]; ok && floor > 0 && !t.floor() {
				row[ti][keyFanoutRatio] = cpu / floor
			}
		}
	}
}
