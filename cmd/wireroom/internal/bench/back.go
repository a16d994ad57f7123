//go:build linux

package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var backMetrics = []metric{
	{key: "caught_50_s", label: "half have caught up after, s", unit: "s", digits: 2},
	{key: "caught_95_s", label: "95 % have caught up after, s", unit: "s", digits: 2},
	{key: "caught_all_s", label: "all have caught up after, s", unit: "s", digits: 2},
	{key: "never_caught", label: "not caught up in time", unit: "1", bad: true},
	{key: "replayed_per_second", label: "replayed events/s", unit: "1/s"},
	{key: "lost", label: "lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "disconnected", label: "disconnected again", unit: "1", bad: true},
	{key: "attempts_per_client", label: "attempts/client", unit: "1", digits: 2},
	{key: "pair_before_p50_ms", label: "live events of others: delay before p50, ms", unit: "ms", digits: 2},
	{key: "pair_before_p99_ms", label: "… before p99, ms", unit: "ms", digits: 2},
	{key: "pair_p50_ms", label: "… meanwhile p50, ms", unit: "ms", digits: 2},
	{key: "pair_p99_ms", label: "… meanwhile p99, ms", unit: "ms", digits: 2},
	{key: "pair_max_ms", label: "… meanwhile max, ms", unit: "ms", digits: 2},
	{key: "pair_late_p99_ms", label: "… of that until it was sent, p99, ms", unit: "ms", digits: 2},
	{key: "pair_lost", label: "… lost", unit: "1", bad: true},
	{key: "rss_bytes_per_absent", label: "RSS growth/client that was there and is not, B", unit: "B"},
	{key: "server_cpu_us_per_event", label: "server CPU, µs/replayed event", unit: "µs", digits: 2},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// A backLoad is the flags of the benchmark of clients that come back.
type backLoad struct {
	missed   int           // events, by each client
	atOnce   int           // clients that subscribe at the same time; 0: all
	pairRate float64       // live events per second, meanwhile
	before   time.Duration // how long the pair is measured before
	limit    time.Duration // for all to catch up
}

// newBack returns the benchmark of clients that come back to their persistent
// subscriptions.
func newBack() *cobra.Command {
	o, load := &options{persistent: true}, &backLoad{}
	spawnable := []string{spawnWireroom, spawnWireroomRedis}
	b := &benchmark{name: "back", metrics: backMetrics, options: o, schemes: []string{"ws", "wss"}, spawnable: spawnable}
	b.describe = func() (string, map[string]any) { return load.describe(o) }
	cmd := &cobra.Command{
		Use:   "back",
		Short: "Clients that all come back to what they have missed: how long it takes, what others feel",
		Long: strings.TrimSpace(`
Clients with a cookie of /session have a persistent subscription each, all to the
same class, and go. Events are published. Then all clients come back at once, and
are sent what they have missed: reported is how long it takes until each has all
of it, once and in order. Meanwhile a publisher and a subscriber of another class
that keeps its events, in a process of their own, measure how long theirs take.

Servers other than those that are started need the class --class with
persistent: true and the class ` + liveClass + `, both with retain and with the
fields number (int) and text (string), which everybody may publish to.`),
		Example: `  wireroom bench back --spawn wireroom --spawn wireroom-redis --clients 1000 --missed 1000 --dir /var/tmp`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	f.IntVarP(&o.sessions, "clients", "n", 1000, "clients that come back")
	f.IntVar(&load.missed, "missed", 1000, "events that each has missed")
	f.IntVar(&o.size, "size", 128, "bytes of the text in an event")
	f.StringVar(&o.class, "class", defaultClass, "class that they subscribe to")
	f.Float64Var(&load.pairRate, "rate", 100, "live events per second meanwhile, of another class")
	f.DurationVar(&load.before, "before", 3*time.Second, "how long the live events are measured before")
	f.IntVar(&load.atOnce, "at-once", 0, "clients that connect at the same time; 0: all")
	f.DurationVar(&load.limit, "limit", time.Minute, "how long they may take to catch up; who has not then counts")
	b.bind(cmd, func() error {
		if err := load.check(o); err != nil {
			return err
		}
		b.cases = []benchCase{{
			name: "back",
			run: func(ctx context.Context, s *server, say progress) (sample, error) {
				return runBack(ctx, o, load, s, say)
			},
		}}
		return nil
	})
	return cmd
}

// describe says what the load is.
func (l *backLoad) describe(o *options) (summary string, settings map[string]any) {
	summary = fmt.Sprintf("%d clients come back, %d events missed by each, %d B, %s, %d rounds of at most %v",
		o.sessions, l.missed, o.size, strings.Join(o.serializerNames, "+"), o.rounds, l.limit)
	return summary, o.settings(map[string]any{
		"clients": o.sessions, "missed": l.missed, "payload_bytes": o.size, "rate": l.pairRate,
		"at_once": l.atOnce, "limit_seconds": l.limit.Seconds(),
	})
}

// check fails with a message about the first flag that is wrong.
func (l *backLoad) check(o *options) error {
	if err := inRange("--clients", o.sessions, 1, 1_000_000); err != nil {
		return err
	}
	if err := needFiles("--clients", o.sessions); err != nil {
		return err
	}
	// A started wireroom keeps 100,000 events of the class.
	if err := inRange("--missed", l.missed, 1, 100_000); err != nil {
		return err
	}
	if err := plain("--class", o.class); err != nil {
		return err
	}
	if err := inRange("--at-once", l.atOnce, 0, 1_000_000); err != nil {
		return err
	}
	if err := distinct("--rate", []float64{l.pairRate}, 0.1, 100_000); err != nil {
		return err
	}
	if l.before < 0 || l.before > time.Hour {
		return fmt.Errorf("--before %v: expected 0s to 1h", l.before)
	}
	if l.limit < time.Second || l.limit > time.Hour {
		return fmt.Errorf("--limit %v: expected 1s to 1h", l.limit)
	}
	return nil
}
