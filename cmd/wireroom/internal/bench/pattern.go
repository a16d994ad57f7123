//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// What a publication costs, how many there are, and both compared with the
// case without patterns.
const (
	keyPatternRate     = "publishes_per_second"
	keyPatternRateLeft = "rate_ratio_to_none"
	keyPatternCPU      = "server_cpu_us_per_publish"
	keyPatternCPUMore  = "cpu_ratio_to_none"
)

var patternMetrics = []metric{
	{key: keyPatternRate, label: "acknowledged publishes/s", unit: "1/s"},
	{key: keyPatternRateLeft, label: "… ÷ that without patterns", unit: "1", digits: 2},
	{key: keyPatternCPU, label: "server CPU, µs/publish", unit: "µs", digits: 1},
	{key: keyPatternCPUMore, label: "… ÷ that without patterns", unit: "1", digits: 2},
	{key: "ack_p50_ms", label: "acknowledgement p50, ms", unit: "ms", digits: 3},
	{key: "ack_p99_ms", label: "acknowledgement p99, ms", unit: "ms", digits: 3},
	{key: "ack_max_ms", label: "acknowledgement max, ms", unit: "ms", digits: 2},
	{key: "failed", label: "publishes refused", unit: "1", bad: true},
	{key: "unacknowledged", label: "publishes never acknowledged", unit: "1", bad: true},
	{key: "lost", label: "events lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "disconnected", label: "sessions disconnected", unit: "1", bad: true},
	{key: "setup_seconds", label: "time to subscribe all, s", unit: "s", digits: 2},
	{key: "rss_bytes_per_pattern", label: "RSS/pattern subscription, B", unit: "B"},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// A patternLoad is the flags of the benchmark of pattern subscriptions.
type patternLoad struct {
	patterns   []int // how many, in each case
	matching   int   // of them, that match what is published
	perSession int   // subscriptions of a session
	inFlight   int
	setupLimit time.Duration
}

// newPattern returns the benchmark of publishing beside pattern subscriptions.
func newPattern() *cobra.Command {
	o, load := &options{}, &patternLoad{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "pattern", metrics: patternMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) { return load.describe(o) }
	b.relate = func(round [][]sample) { load.compare(round) }
	cmd := &cobra.Command{
		Use:   "pattern",
		Short: "Acknowledged publishes beside many pattern subscriptions",
		Long: strings.TrimSpace(`
One publisher waits for each acknowledgement before it publishes the next event,
while the server holds so many prefix and wildcard subscriptions, half and half,
that hardly any of them matches. Each event goes to exactly one subscriber: by a
pattern, and where there is none, by an exact subscription. So what differs
between the cases is what it takes to find out who matches.`),
		Example: `  wireroom bench pattern --spawn wireroom --spawn nexus --patterns 0,1000,10000,100000`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.IntSliceVar(&load.patterns, "patterns", []int{0, 1000, 10_000, 100_000}, "pattern subscriptions; several are several cases")
	f.IntVar(&load.matching, "matching", 4, "subscriptions that match, each another topic; the publisher takes these topics in turn")
	f.IntVar(&load.perSession, "per-session", 1000, "subscriptions of one session at most; servers limit them")
	f.IntVar(&load.inFlight, "in-flight", 1, "publishes that wait for their acknowledgement; with 1 none can share a read, a write or a wake-up with another")
	f.DurationVar(&load.setupLimit, "setup-limit", time.Minute, "how long subscribing may take before the case is given up")
	f.IntVar(&o.size, "size", 128, "bytes of an event's only argument")
	f.StringVar(&o.topic, "topic", "bench.pattern", "start of the topics")
	b.bind(cmd, func() error {
		if err := load.check(); err != nil {
			return err
		}
		for _, n := range load.patterns {
			b.cases = append(b.cases, benchCase{
				name: number(float64(n), 0) + " patterns",
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runPattern(ctx, o, load, s, n, say)
				},
			})
		}
		return nil
	})
	return cmd
}

// describe says what the load is.
func (p *patternLoad) describe(o *options) (summary string, settings map[string]any) {
	return fmt.Sprintf("1 publisher × %d in flight, %d B, %s", p.inFlight, o.size, o.rhythm()),
		o.settings(map[string]any{
			"patterns": p.patterns, "matching": p.matching, "in_flight": p.inFlight, "per_session": p.perSession,
			"setup_limit_seconds": p.setupLimit.Seconds(), "payload_bytes": o.size,
		})
}

// check fails with a message about the first flag that is wrong.
func (p *patternLoad) check() error {
	if err := distinct("--patterns", p.patterns, 0, 10_000_000); err != nil {
		return err
	}
	if err := inRange("--matching", p.matching, 1, 10_000); err != nil {
		return err
	}
	for _, n := range p.patterns {
		if n > 0 && n < p.matching {
			return fmt.Errorf("--patterns %d: expected 0, or at least as many as match (--matching %d)", n, p.matching)
		}
	}
	if err := inRange("--per-session", p.perSession, 1, 1_000_000); err != nil {
		return err
	}
	if err := inRange("--in-flight", p.inFlight, 1, 65536); err != nil {
		return err
	}
	if p.setupLimit < 100*time.Millisecond || p.setupLimit > time.Hour {
		return fmt.Errorf("--setup-limit %v: expected 100ms to 1h", p.setupLimit)
	}
	most := slices.Max(p.patterns)
	if err := needFiles("--matching and --patterns", p.matching+most/p.perSession+2); err != nil {
		return errors.Join(err, errors.New("or raise --per-session, if the server allows it"))
	}
	return nil
}

// compare divides rates and costs by those of the case without patterns.
func (p *patternLoad) compare(round [][]sample) {
	none := slices.Index(p.patterns, 0)
	if none < 0 || none >= len(round) {
		return
	}
	for ci, row := range round {
		for ti, s := range row {
			base := round[none][ti]
			if s == nil || base == nil || ci == none {
				continue
			}
			s[keyPatternRateLeft] = s[keyPatternRate] / base[keyPatternRate]
			if cpu, ok := s[keyPatternCPU]; ok {
				s[keyPatternCPUMore] = cpu / base[keyPatternCPU]
			}
		}
	}
}
