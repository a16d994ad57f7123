//go:build linux

package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// What makes the sessions come back, and what they do when they are told to
// come later.
const (
	stormReconnect = "reconnect" // their connections break
	stormRestart   = "restart"   // the server is killed, and started again
	stormHonour    = "honour"    // they wait as long as they are told
	stormIgnore    = "ignore"    // they try again at once
)

var stormMetrics = []metric{
	{key: "back_50_s", label: "half are back after, s", unit: "s", digits: 2},
	{key: "back_95_s", label: "95 % are back after, s", unit: "s", digits: 2},
	{key: "back_all_s", label: "all are back after, s", unit: "s", digits: 2},
	{key: "never_back", label: "not back in time", unit: "1", bad: true},
	{key: "disconnected", label: "disconnected again", unit: "1", bad: true},
	{key: "joins_per_second", label: "joins/s", unit: "1/s"},
	{key: "attempts_per_session", label: "attempts/session", unit: "1", digits: 2},
	{key: "refused_by_abort", label: "refused by ABORT with _retry_after", unit: "1"},
	{key: "refused_by_503", label: "refused by 503 with Retry-After", unit: "1"},
	{key: "refused_otherwise", label: "refused without saying until when", unit: "1"},
	{key: "failed_to_connect", label: "connections failed", unit: "1"},
	{key: "retry_after_p50_s", label: "told to come back after, median, s", unit: "s", digits: 2},
	{key: "retry_after_max_s", label: "… longest, s", unit: "s", digits: 2},
	{key: "join_p50_ms", label: "joining p50, ms", unit: "ms", digits: 1},
	{key: "join_p99_ms", label: "joining p99, ms", unit: "ms", digits: 1},
	{key: "pair_before_p50_ms", label: "pair that stayed: delay before p50, ms", unit: "ms", digits: 2},
	{key: "pair_before_p99_ms", label: "… before p99, ms", unit: "ms", digits: 2},
	{key: "pair_p50_ms", label: "… meanwhile p50, ms", unit: "ms", digits: 2},
	{key: "pair_p99_ms", label: "… meanwhile p99, ms", unit: "ms", digits: 2},
	{key: "pair_max_ms", label: "… meanwhile max, ms", unit: "ms", digits: 2},
	{key: "pair_lost", label: "… events lost", unit: "1", bad: true},
	{key: "stayed_disconnected", label: "sessions disconnected that stayed", unit: "1", bad: true},
	{key: "restart_s", label: "server ready after, s", unit: "s", digits: 2},
	{key: "server_cpu_us_per_join", label: "server CPU, µs/join", unit: "µs", digits: 1},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// A stormLoad is the flags of the benchmark of reconnect storms.
type stormLoad struct {
	modes    []string
	retries  []string
	stay     int           // sessions that stay
	pairRate float64       // events per second of the pair that stays
	before   time.Duration // how long the pair is measured before
	away     time.Duration // between going and coming back
	atOnce   int           // attempts at the same time; 0: all
	limit    time.Duration // for all to be back
}

// newStorm returns the benchmark of sessions that all come back at once.
func newStorm() *cobra.Command {
	o, load := &options{}, &stormLoad{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "storm", metrics: stormMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) { return load.describe(o) }
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Sessions that all come back at once: how long it takes, what others feel",
		Long: strings.TrimSpace(`
Sessions that have subscribed vanish, all at once, and come back, all at once: a
network that failed, or (--mode restart) a server that was killed and started
again. Each connects, joins and subscribes until it is back. Who is refused waits
as long as the server says, in _retry_after of ABORT or Retry-After of a 503; or,
with --retry-after ignore, tries again at once. Who fails without being told
waits longer each time. Meanwhile a publisher and a subscriber that stayed, in a
process of their own, measure how long their events take.`),
		Example: `  wireroom bench storm --spawn wireroom --spawn nexus --sessions 5000
  wireroom bench storm --spawn wireroom --admission 500 --retry-after honour,ignore --mode reconnect,restart`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	f.IntVarP(&o.sessions, "sessions", "n", 5000, "sessions that vanish and come back")
	f.IntVar(&o.admission, "admission", 0, "sessions per second that a started wireroom admits; 0: any number, its default")
	f.StringSliceVar(&load.modes, "mode", []string{stormReconnect}, "reconnect, or restart, which kills a started server; both are several cases")
	f.StringSliceVar(&load.retries, "retry-after", []string{stormHonour}, "honour or ignore what a server says about when to come back; both are several cases")
	f.IntVar(&load.stay, "stay", 100, "sessions that stay, besides the pair that is measured (reconnect)")
	f.Float64Var(&load.pairRate, "rate", 100, "events per second of the pair that stays")
	f.DurationVar(&load.before, "before", 3*time.Second, "how long the pair is measured before the storm")
	f.DurationVar(&load.away, "away", 0, "how long the sessions are away (reconnect)")
	f.IntVar(&load.atOnce, "at-once", 0, "attempts at the same time; 0: as many as there are sessions")
	f.DurationVar(&load.limit, "limit", time.Minute, "how long they may take to come back; who is not back then counts")
	f.StringVar(&o.topic, "topic", "bench.storm", "start of the topics: each session's has a number added")
	b.bind(cmd, func() error {
		if err := load.check(o); err != nil {
			return err
		}
		b.cases = o.stormCases(load)
		return nil
	})
	return cmd
}

// describeStorm says what the load is.
func (l *stormLoad) describe(o *options) (summary string, settings map[string]any) {
	summary = fmt.Sprintf("%d sessions come back, %d stay, %s, %d rounds of at most %v", o.sessions, l.stay, strings.Join(o.serializerNames, "+"), o.rounds, l.limit)
	if o.admission > 0 {
		summary += fmt.Sprintf(", wireroom admits %d/s", o.admission)
	}
	return summary, o.settings(map[string]any{
		"sessions": o.sessions, "stay": l.stay, "rate": l.pairRate, "away_seconds": l.away.Seconds(),
		"at_once": l.atOnce, "limit_seconds": l.limit.Seconds(), "admission": o.admission,
	})
}

// stormCases makes a case of each mode and each way to take a refusal.
func (o *options) stormCases(load *stormLoad) []benchCase {
	var all []benchCase
	for _, mode := range load.modes {
		for _, retry := range load.retries {
			name := mode
			if len(load.retries) > 1 {
				name += ", " + map[string]string{stormHonour: "waits honoured", stormIgnore: "waits ignored"}[retry]
			}
			all = append(all, benchCase{
				name:    name,
				applies: func(t *target) bool { return mode == stormReconnect || t.spawn != "" },
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runStorm(ctx, o, load, s, mode, retry, say)
				},
			})
		}
	}
	return all
}

// check fails with a message about the first flag that is wrong.
func (l *stormLoad) check(o *options) error {
	if err := chosen("--mode", l.modes, []string{stormReconnect, stormRestart}); err != nil {
		return err
	}
	if err := chosen("--retry-after", l.retries, []string{stormHonour, stormIgnore}); err != nil {
		return err
	}
	if err := inRange("--admission", o.admission, 0, 100_000); err != nil {
		return err
	}
	if err := inRange("--sessions", o.sessions, 1, 1_000_000); err != nil {
		return err
	}
	if err := inRange("--stay", l.stay, 0, 1_000_000); err != nil {
		return err
	}
	if err := needFiles("--sessions and --stay", o.sessions+l.stay); err != nil {
		return err
	}
	if err := inRange("--at-once", l.atOnce, 0, 1_000_000); err != nil {
		return err
	}
	if err := distinct("--rate", []float64{l.pairRate}, 0.1, 100_000); err != nil {
		return err
	}
	if l.before < 0 || l.before > time.Hour || l.away < 0 || l.away > time.Hour {
		return fmt.Errorf("--before %v, --away %v: expected 0s to 1h", l.before, l.away)
	}
	if l.limit < time.Second || l.limit > time.Hour {
		return fmt.Errorf("--limit %v: expected 1s to 1h", l.limit)
	}
	return nil
}
