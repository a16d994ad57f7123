//go:build linux

package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Who stops reading.
const (
	stallProgress   = "caller-progress" // the caller of progressive results
	stallResults    = "caller-results"  // a caller of large results
	stallSubscriber = "subscriber"      // of a busy topic
	stallCallee     = "callee"          // of another procedure
)

var stallKinds = []string{stallProgress, stallResults, stallSubscriber, stallCallee}

var stallMetrics = []metric{
	{key: "added_p50_ms", label: "added delay p50, ms", unit: "ms", digits: 3},
	{key: "added_p99_ms", label: "added delay p99, ms", unit: "ms", digits: 3},
	{key: "added_max_ms", label: "added delay max, ms", unit: "ms", digits: 2},
	{key: "reading_p50_ms", label: "delay p50 if it reads, ms", unit: "ms", digits: 3},
	{key: "reading_p99_ms", label: "delay p99 if it reads, ms", unit: "ms", digits: 3},
	{key: "reading_max_ms", label: "delay max if it reads, ms", unit: "ms", digits: 2},
	{key: "stalled_p50_ms", label: "delay p50 if it stalls, ms", unit: "ms", digits: 3},
	{key: "stalled_p99_ms", label: "delay p99 if it stalls, ms", unit: "ms", digits: 3},
	{key: "stalled_max_ms", label: "delay max if it stalls, ms", unit: "ms", digits: 2},
	{key: "failed", label: "others' calls failed", unit: "1", bad: true},
	{key: "missing", label: "others' answers or events missing", unit: "1", bad: true},
	{key: "disconnected", label: "others disconnected", unit: "1", bad: true},
	{key: "fed_percent", label: "fed as offered if it stalls, %", unit: "%", digits: 1},
	{key: "stalls_ended", label: "stalled sessions ended", unit: "1"},
	{key: "ended_after_s", label: "… after, median, s", unit: "s", digits: 2},
	{key: "ended_after_max_s", label: "… after, longest, s", unit: "s", digits: 2},
	{key: "never_ended_s", label: "stalled session still there after, s", unit: "s", digits: 1, bad: true},
	{key: "server_cores", label: "server CPU if it stalls, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// A stallLoad is the flags of the benchmark of peers that stop reading.
type stallLoad struct {
	stalled  []string // one case each
	others   int      // sessions that must not be delayed
	rate     float64  // calls per second of each
	feedRate float64  // messages per second for who stalls
	feedSize int      // their payload's bytes
}

// newStall returns the benchmark of peers that stop reading.
func newStall() *cobra.Command {
	o, load := &options{}, &stallLoad{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "stall", metrics: stallMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) { return load.describe(o) }
	cmd := &cobra.Command{
		Use:   "stall",
		Short: "A peer that stops reading: what it does to others, and when it is ended",
		Long: strings.TrimSpace(`
The same load runs twice: with a peer that reads what it is sent, and with one
that does not. Reported is how much longer others wait in the second run. When
the server ends the stalled session, another one takes its place; to see that, the
run must last longer than the server waits for a peer to take what it writes.

caller-progress: a callee sends it progressive results; others call this callee.
caller-results: it calls for large results; others call the same callee.
subscriber: it subscribes to a busy topic; others do, too.
callee: it is called; others call another callee.`),
		Example: `  wireroom bench stall --spawn wireroom --spawn nexus --duration 15s`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 15*time.Second)
	f.StringSliceVar(&load.stalled, "stalled", stallKinds, "who stops reading: "+strings.Join(stallKinds, ", ")+"; each is a case")
	f.IntVar(&load.others, "others", 4, "sessions whose delay is measured")
	f.Float64Var(&load.rate, "rate", 50, "calls per second of each of the others")
	f.Float64Var(&load.feedRate, "feed-rate", 200, "messages per second that the stalled peer is to receive; what a subscriber's neighbours receive, too")
	f.IntVar(&load.feedSize, "feed-size", 32<<10, "bytes of the only argument of these messages")
	f.IntVar(&o.size, "size", 128, "bytes of the only argument of the others' calls")
	f.StringVar(&o.topic, "topic", "bench.stall", "start of the topic and the procedures")
	b.bind(cmd, func() error {
		if err := load.check(); err != nil {
			return err
		}
		for _, kind := range load.stalled {
			b.cases = append(b.cases, benchCase{
				name: "stalled " + kind,
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runStall(ctx, o, load, s, kind, say)
				},
			})
		}
		return nil
	})
	return cmd
}

// describe says what the load is.
func (l *stallLoad) describe(o *options) (summary string, settings map[string]any) {
	return fmt.Sprintf("%d others at %g/s each, stalled peer fed %d B at %g/s, %s", l.others, l.rate, l.feedSize, l.feedRate, o.rhythm()),
		o.settings(map[string]any{
			"stalled": l.stalled, "others": l.others, "rate": l.rate, "feed_rate": l.feedRate,
			"feed_bytes": l.feedSize, "payload_bytes": o.size,
		})
}

// check fails with a message about the first flag that is wrong.
func (l *stallLoad) check() error {
	if err := chosen("--stalled", l.stalled, stallKinds); err != nil {
		return err
	}
	if err := inRange("--others", l.others, 1, 1000); err != nil {
		return err
	}
	if err := distinct("--rate", []float64{l.rate}, 0.1, 100_000); err != nil {
		return err
	}
	if err := distinct("--feed-rate", []float64{l.feedRate}, 0.1, 100_000); err != nil {
		return err
	}
	return inRange("--feed-size", l.feedSize, minPayload, maxPayload)
}

// every returns the time between two events of a rate.
func every(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }
