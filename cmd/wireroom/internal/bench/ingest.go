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

// The ways in that ingest can post by.
const (
	viaXMLRPC = "xmlrpc"
	viaHTTP   = "http"
	viaWAMP   = "wamp"
)

var ingestWays = []string{viaXMLRPC, viaHTTP, viaWAMP}

// What events per second are compared with.
const (
	keyIngestRate     = "events_per_second"
	keyPipelined      = "xadd_pipelined_per_second"
	keyRatioXADD      = "ratio_to_xadd"
	keyRatioPipelined = "ratio_to_xadd_pipelined"
	keyCommits        = "commits_per_second"
	keyBatches        = "journal_batches_per_second"
	keyPerSync        = "events_per_sync"
	keySyncs          = "syncs_per_second"
	keyRatioSyncs     = "ratio_to_syncs"
)

// syncsPerCommit is how often the embedded store calls fdatasync(2) for a
// commit of its file: for the pages, and for the one that makes them count. A
// batch that goes to the journal takes one.
const syncsPerCommit = 2

var ingestMetrics = []metric{
	{key: keyIngestRate, label: "acknowledged events/s", unit: "1/s"},
	{key: keyPipelined, label: "… one client, as many under way", unit: "1/s"},
	{key: keyRatioXADD, label: "… ÷ redis-benchmark XADD", unit: "1", digits: 2},
	{key: keyRatioPipelined, label: "… ÷ the same, one client", unit: "1", digits: 2},
	{key: keyCommits, label: "commits/s", unit: "1/s"},
	{key: keyBatches, label: "batches/s in the journal", unit: "1/s"},
	{key: keyPerSync, label: "events/fdatasync", unit: "1", digits: 1},
	{key: keySyncs, label: "fdatasyncs/s of the disk", unit: "1/s"},
	{key: keyRatioSyncs, label: "events/s ÷ (fdatasyncs/s of the disk × events/fdatasync)", unit: "1", digits: 2},
	{key: "failed", label: "failed", unit: "1", bad: true},
	{key: "latency_p50_ms", label: "latency p50, ms", unit: "ms", digits: 2},
	{key: "latency_p99_ms", label: "latency p99, ms", unit: "ms", digits: 2},
	{key: "latency_max_ms", label: "latency max, ms", unit: "ms", digits: 2},
	{key: "server_cpu_us_per_event", label: "server CPU, µs/event", unit: "µs", digits: 1},
	{key: "server_cores", label: "server CPU, cores", unit: "1", digits: 2},
	{key: "generator_cores", label: "generator CPU, cores", unit: "1", digits: 2},
	{key: "other_cores", label: "all other CPU, cores", unit: "1", digits: 2},
	{key: "server_rss_mb", label: "server RSS, MB", unit: "MB", digits: 1},
}

// newIngest returns the benchmark of what web applications do.
func newIngest() *cobra.Command {
	o := &options{}
	spawnable := []string{spawnWireroom, spawnPython, spawnWireroomRedis, spawnRedisBenchmark, spawnSync}
	b := &benchmark{
		name: "ingest", metrics: ingestMetrics, options: o, schemes: append([]string{"http", "https"}, wampSchemes...), spawnable: spawnable,
	}
	b.relate = func(round [][]sample) { compareIngest(b.targets, round) }
	b.describe = func() (string, map[string]any) {
		return fmt.Sprintf("%d B of text, %d rounds of %v", o.size, o.rounds, o.duration),
			o.settings(map[string]any{"payload_bytes": o.size})
	}
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Web applications that post events: acknowledged events/s, latency",
		Long: strings.TrimSpace(`
Posters send one event after the other over XML-RPC (event.publish at /RPC2),
HTTP (POST /events) or WAMP (PUBLISH with acknowledge), each on a connection that
stays open, and wait for each answer. With --in-flight N a poster has N events under
way: over WAMP so many publications, over HTTP one request with so many events,
which is answered when all are safe. If the class is retained, an answer means that the event is on disk:
choose the disk for a started server with --dir, and mind that an fsync on tmpfs
is free. The peer python-xmlrpc is Python's xmlrpc.server with a method that
does nothing.

A gateway with its store in a redis-server that is started beside it
(wireroom-redis) is compared with redis-benchmark, which sends XADD of as many bytes
to another one: from as many clients as there are posters, with as many commands under
way, and from one client that has as many under way as all of them. Both servers have an append-only file that is synced each
second. A gateway with its own store is compared with fdatasync: how often a file on
the same disk can be synced in a second.`),
		Example: `  wireroom bench ingest --spawn wireroom --spawn python-xmlrpc --posters 1,8,64 --dir /var/tmp
  wireroom bench ingest --spawn wireroom-redis --spawn redis-benchmark --posters 64 --dir /var/tmp
  wireroom bench ingest --spawn wireroom --spawn fdatasync --posters 64 --dir /var/tmp
  wireroom bench ingest --spawn wireroom-redis --spawn redis-benchmark --posters 64 --via http,wamp --in-flight 1,16
  wireroom bench ingest --target mine=http://127.0.0.1:8080,pid=4711 --key demo --class demo.message`,
	}
	f := cmd.Flags()
	o.addCommon(f, spawnable)
	o.addWAMP(f)
	o.addDuration(f, 10*time.Second)
	f.IntSliceVar(&o.posters, "posters", []int{1, 8, 64}, "posters at the same time; several are several cases")
	f.StringSliceVar(&o.via, "via", []string{viaXMLRPC, viaHTTP}, "xmlrpc, http or wamp; several are several cases")
	f.IntSliceVar(&o.inFlight, "in-flight", []int{1}, "events that each poster has under way; several are several cases; not with xmlrpc")
	f.StringVar(&o.key, "key", defaultKey, "secret of the ingest key")
	f.StringVar(&o.class, "class", defaultClass, "class of the events; its data has a number and a text")
	f.IntVar(&o.size, "size", 128, "bytes of the text")
	b.bind(cmd, func() error {
		return o.ingestCases(b)
	})
	return cmd
}

// ingestCases checks the flags of ingest and makes its cases.
func (o *options) ingestCases(b *benchmark) error {
	if err := distinct("--posters", o.posters, 1, 10_000); err != nil {
		return err
	}
	if err := needFiles("--posters", slices.Max(o.posters)); err != nil {
		return err
	}
	if err := plain("--key", o.key); err != nil {
		return errors.New("--key: expected printable ASCII without spaces, quotes and backslashes")
	}
	if err := plain("--class", o.class); err != nil {
		return err
	}
	if strings.ContainsAny(o.key+o.class, "<>&") {
		return errors.New("--key, --class: expected none of < > &")
	}
	if err := chosen("--via", o.via, ingestWays); err != nil {
		return err
	}
	if err := distinct("--in-flight", o.inFlight, 1, 1000); err != nil {
		return err
	}
	if slices.Contains(o.via, viaXMLRPC) && slices.Max(o.inFlight) > 1 {
		return errors.New("--in-flight: expected 1 with --via xmlrpc, over which each event is a call of its own")
	}
	for _, via := range o.via {
		for _, posters := range o.posters {
			for _, inFlight := range o.inFlight {
				load := ingestLoad{via: via, posters: posters, inFlight: inFlight}
				b.cases = append(b.cases, benchCase{
					name:    load.name(),
					applies: load.applies,
					run: func(ctx context.Context, s *server, say progress) (sample, error) {
						return runIngest(ctx, o, s, load, say)
					},
				})
			}
		}
	}
	return nil
}

// compareIngest divides what a store took in by what is below it, where both
// were measured: a gateway over Redis by redis-benchmark, one with its own
// store by syncs of the disk.
func compareIngest(targets []*target, round [][]sample) {
	row := round[len(round)-1]
	of := func(spawn string) sample {
		for i, t := range targets {
			if t.spawn == spawn && row[i] != nil {
				return row[i]
			}
		}
		return nil
	}
	xadd, syncs := of(spawnRedisBenchmark), of(spawnSync)
	for i, t := range targets {
		s := row[i]
		switch {
		case s == nil:
		case t.spawn == spawnWireroomRedis && xadd != nil:
			s[keyRatioXADD] = s[keyIngestRate] / xadd[keyIngestRate]
			s[keyRatioPipelined] = s[keyIngestRate] / xadd[keyPipelined]
		case t.spawn == spawnWireroom && syncs != nil && s[keyPerSync] > 0:
			s[keyRatioSyncs] = s[keyIngestRate] / (syncs[keySyncs] * s[keyPerSync])
		}
	}
}
