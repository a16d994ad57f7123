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

var idleMetrics = []metric{
	{key: "joins_per_second", label: "joins/s", unit: "1/s"},
	{key: "server_cpu_us_per_join", label: "server CPU, µs/join", unit: "µs", digits: 1},
	{key: "rss_bytes_per_session_joined", label: "RSS/session just joined, B", unit: "B"},
	{key: "rss_bytes_per_session", label: "RSS/session settled, B", unit: "B"},
	{key: "private_bytes_per_session", label: "private/session settled, B", unit: "B"},
	{key: "idle_percent_of_core", label: "CPU while idle, % of a core", unit: "%", digits: 2},
	{key: "pings_per_session", label: "pings/session while idle", unit: "1", digits: 2},
	{key: "disconnected", label: "sessions disconnected", unit: "1", bad: true},
	{key: "server_cores", label: "server CPU while joining, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// newIdle returns the benchmark of sessions that do nothing.
func newIdle() *cobra.Command {
	o := &options{}
	spawnable := []string{spawnWireroom, spawnNexus}
	b := &benchmark{name: "idle", metrics: idleMetrics, options: o, schemes: wampSchemes, spawnable: spawnable}
	b.describe = o.describeIdle
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "Sessions that join, subscribe and stay: joins/s, memory per session",
		Long: strings.TrimSpace(`
Each session joins and subscribes to a topic of its own. Memory is what the
server's processes have more of than before, divided by the sessions: right
after the last join, and after a while without traffic. A server that ran
before has memory to spare, and shows less: measure one that just started, as
--spawn does for each round.`),
		Example: `  wireroom bench idle --spawn wireroom --spawn nexus --sessions 5000`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	f.IntVarP(&o.sessions, "sessions", "n", 5000, "sessions")
	f.DurationVar(&o.settle, "settle", 10*time.Second, "how long to wait after the last join")
	o.addWire(f)
	f.StringVar(&o.topic, "topic", "bench.idle", "start of the topics: each session's has a number added")
	b.bind(cmd, func() error {
		if err := inRange("--sessions", o.sessions, 1, 1_000_000); err != nil {
			return err
		}
		if err := needFiles("--sessions", o.sessions); err != nil {
			return err
		}
		if err := o.checkWire(); err != nil {
			return err
		}
		if o.settle < 0 || o.settle > time.Hour {
			return fmt.Errorf("--settle %v: expected 0s to 1h", o.settle)
		}
		b.cases = []benchCase{{
			name: strconv.Itoa(o.sessions) + " sessions",
			run: func(ctx context.Context, s *server, say progress) (sample, error) {
				return runIdle(ctx, o, s, say)
			},
		}}
		return nil
	})
	return cmd
}

// describeIdle says what the load is.
func (o *options) describeIdle() (summary string, settings map[string]any) {
	return fmt.Sprintf("%d sessions, %s, %d rounds, settled for %v", o.sessions, strings.Join(o.serializerNames, "+"), o.rounds, o.settle) + o.wire(),
		o.settings(o.wireSettings(map[string]any{"sessions": o.sessions, "settle_seconds": o.settle.Seconds()}))
}

// A bystander receives nothing that matters.
type bystander struct{}

func (bystander) receive(p *peer, _ uint64, _, msg []byte, _ int64) {
	p.loop.fail(unexpected(p.ser, msg))
}

// runIdle measures one server.
func runIdle(ctx context.Context, o *options, s *server, say progress) (sample, error) {
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	// What the server needs once, for the first session, is no session's.
	first := &crowd{
		n: 1, abreast: 1, to: bystander{},
		ser:   o.serializer,
		topic: func(int) string { return o.topic + ".first" },
	}
	if err := w.joinAll(ctx, first); err != nil {
		return nil, err
	}
	before, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	m, err := startMeter(s.procs)
	if err != nil {
		return nil, err
	}
	say("%d sessions join", o.sessions)
	all := &crowd{
		n: o.sessions, abreast: o.abreast, to: bystander{},
		ser:      o.serializer,
		topic:    func(i int) string { return o.topic + "." + strconv.Itoa(i) },
		progress: func(n int) { say("%d sessions joined", n) },
	}
	if err := w.joinAll(ctx, all); err != nil {
		return nil, err
	}
	join, err := m.stop()
	if err != nil {
		return nil, err
	}
	fresh, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	say("settling for %v", o.settle)
	if m, err = startMeter(s.procs); err != nil {
		return nil, err
	}
	pings := w.totals().pings
	if err := pause(ctx, o.settle); err != nil {
		return nil, err
	}
	pings = w.totals().pings - pings
	idle, err := m.stop()
	if err != nil {
		return nil, err
	}
	settled, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	n := float64(o.sessions)
	sm := sample{
		"joins_per_second": n / join.wall.Seconds(),
		"disconnected":     float64(w.totals().broken),
	}
	sm["pings_per_session"] = float64(pings) / n
	if float64(pings) < n {
		s.note = fmt.Sprintf("it did not ping every session in %v: if it would later, being idle costs more than is shown", o.settle)
	}
	if len(s.procs) > 0 {
		sm["rss_bytes_per_session_joined"] = float64(fresh.rss-before.rss) / n
		sm["rss_bytes_per_session"] = float64(settled.rss-before.rss) / n
		sm["private_bytes_per_session"] = float64(settled.private-before.private) / n
		sm["idle_percent_of_core"] = 100 * idle.cores(idle.server)
	}
	return sm, sm.addCost(s, join, "server_cpu_us_per_join", n)
}
