//go:build linux

package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// What an event and a delivery of it cost, and an event compared with one on
// plain topics.
const (
	keyQueryCPU      = "server_cpu_us_per_event"
	keyQueryDelivery = "server_cpu_us_per_delivery"
	keyQueryRatio    = "cpu_ratio_to_topics"
)

var queryMetrics = []metric{
	{key: "events_per_second", label: "events/s", unit: "1/s"},
	{key: "deliveries_expected", label: "deliveries expected/s", unit: "1/s"},
	{key: "deliveries_per_second", label: "deliveries/s", unit: "1/s"},
	{key: "lost", label: "lost", unit: "1", bad: true},
	{key: "doubled", label: "delivered twice", unit: "1", bad: true},
	{key: "out_of_order", label: "out of order", unit: "1", bad: true},
	{key: "misdirected", label: "delivered to others", unit: "1", bad: true},
	{key: "disconnected", label: "subscribers disconnected", unit: "1", bad: true},
	{key: keyQueryCPU, label: "server CPU, µs/event", unit: "µs", digits: 1},
	{key: keyQueryRatio, label: "… ÷ that of plain topics", unit: "1", digits: 2},
	{key: keyQueryDelivery, label: "server CPU, µs/delivery", unit: "µs", digits: 2},
	{key: "latency_p50_ms", label: "latency p50, ms", unit: "ms", digits: 2},
	{key: "latency_p99_ms", label: "latency p99, ms", unit: "ms", digits: 2},
	{key: "latency_max_ms", label: "latency max, ms", unit: "ms", digits: 2},
	{key: "bytes_per_delivery", label: "bytes/delivery", unit: "B"},
	{key: "subscribe_seconds", label: "time to subscribe all, s", unit: "s", digits: 2},
	{key: "server_cpu_us_per_subscribe", label: "server CPU, µs/subscribe", unit: "µs", digits: 1},
	{key: "rss_bytes_per_session_joined", label: "RSS/session just joined, B", unit: "B"},
	{key: "rss_bytes_per_session", label: "RSS/session subscribed, B", unit: "B"},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// A queryLoad is the flags of the benchmark of queries.
type queryLoad struct {
	by       []string // the ways to subscribe, each a case
	matching int      // sessions that get an event
	rate     float64  // events per second
}

// newQuery returns the benchmark of subscriptions by queries.
func newQuery() *cobra.Command {
	o, load := &options{orders: true}, &queryLoad{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "query", metrics: queryMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = func() (string, map[string]any) { return load.describe(o) }
	b.relate = load.compare
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Subscribers by queries of their own beside subscribers of topics",
		Long: strings.TrimSpace(`
Each session subscribes once, and one publisher sends events, without asking for
acknowledgements, at a fixed rate. Each event is for as many sessions as --matching
says, in every case the same ones; what differs is how they say what they want:

  topic         a plain topic for each group of them; the publisher names it
  channel       the channel of an event class: the server finds its topic in the event
  shared-query  a query (_where) for the class, the same for all of a group
  query         a query for the class, another one for each session

Servers other than those that are started need the classes ` + ordersClass + ` and
` + channelsClass + `, with the fields customer, total and text, and with channel: customer.`),
		Example: `  wireroom bench query --spawn wireroom --sessions 10000 --rate 1000 --matching 10`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, defaultQueryDuration)
	f.IntVarP(&o.sessions, "sessions", "n", 10_000, "sessions that subscribe")
	f.Float64Var(&load.rate, "rate", 1000, "events per second")
	f.IntVar(&load.matching, "matching", 10, "sessions that each event is for; --sessions must be a multiple of it")
	f.StringSliceVar(&load.by, "by", queryWays, "how sessions subscribe; several are several cases")
	f.IntVar(&o.size, "size", 128, "bytes of the text in an event")
	f.StringVar(&o.topic, "topic", "bench.query", "start of the plain topics")
	b.bind(cmd, func() error {
		if err := load.check(o); err != nil {
			return err
		}
		for _, way := range load.by {
			b.cases = append(b.cases, benchCase{
				name:    "by " + way,
				applies: func(t *target) bool { return way == byTopic || t.spawn != spawnNexus },
				run: func(ctx context.Context, s *server, say progress) (sample, error) {
					return runQuery(ctx, o, load, s, way, say)
				},
			})
		}
		return nil
	})
	return cmd
}

// describe says what the load is.
func (q *queryLoad) describe(o *options) (summary string, settings map[string]any) {
	return fmt.Sprintf("%d sessions, %v events/s, each for %d, %d B, %s", o.sessions, q.rate, q.matching, o.size, o.rhythm()),
		o.settings(map[string]any{
			"by": q.by, "sessions": o.sessions, "rate": q.rate, "matching": q.matching, "payload_bytes": o.size,
		})
}

// check fails with a message about the first flag that is wrong.
func (q *queryLoad) check(o *options) error {
	if err := inRange("--sessions", o.sessions, 1, 1_000_000); err != nil {
		return err
	}
	if err := needFiles("--sessions", o.sessions); err != nil {
		return err
	}
	if q.rate < 0.1 || q.rate > 100_000 {
		return fmt.Errorf("--rate %v: expected 0.1 to 100000", q.rate)
	}
	if err := inRange("--matching", q.matching, 1, o.sessions); err != nil {
		return err
	}
	if o.sessions%q.matching != 0 {
		return fmt.Errorf("--sessions %d: expected a multiple of --matching %d", o.sessions, q.matching)
	}
	return chosen("--by", q.by, queryWays)
}

// compare divides what an event cost by what one on plain topics did.
func (q *queryLoad) compare(round [][]sample) {
	plain := slices.Index(q.by, byTopic)
	if plain < 0 || plain >= len(round) {
		return
	}
	for ci, row := range round {
		for ti, s := range row {
			base, ok := round[plain][ti][keyQueryCPU]
			if cpu, known := s[keyQueryCPU]; ok && known && ci != plain {
				s[keyQueryRatio] = cpu / base
			}
		}
	}
}
