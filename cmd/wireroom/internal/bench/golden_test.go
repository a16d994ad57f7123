//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What a report looks like, as tables and in JSON, is what people and scripts
// read: it changes only on purpose. Each metric has a value in some case.
func TestGoldenReports(t *testing.T) {
	o := &options{
		rounds: 2, duration: 10 * time.Second, warmup: 2 * time.Second, serializerNames: []string{"json", "msgpack"},
		subscribers: 1000, rates: []float64{20}, sizes: []int{128, 1024}, size: 128, filling: fillText,
		sessions: 19000, settle: time.Minute, tls: true, deflateMin: 256, login: login{deflate: true},
	}
	pattern := &patternLoad{patterns: []int{0, 100_000}, matching: 4, perSession: 1000, inFlight: 1, setupLimit: time.Minute}
	query := &queryLoad{by: queryWays, matching: 10, rate: 1000}
	stall := &stallLoad{stalled: stallKinds, others: 4, rate: 50, feedRate: 200, feedSize: 32768}
	storm := &stormLoad{stay: 100, pairRate: 100, limit: time.Minute}
	back := &backLoad{missed: 1000, pairRate: 100, limit: time.Minute}
	tests := []struct {
		name     string
		metrics  []metric
		describe func() (string, map[string]any)
	}{
		{"back", backMetrics, func() (string, map[string]any) { return back.describe(o) }},
		{"fanout", fanoutMetrics, o.describeFanout},
		{"idle", idleMetrics, o.describeIdle},
		{"nodes", nodesMetrics, func() (string, map[string]any) { return o.describeNodes(200) }},
		{"pattern", patternMetrics, func() (string, map[string]any) { return pattern.describe(o) }},
		{"query", queryMetrics, func() (string, map[string]any) { return query.describe(o) }},
		{"stall", stallMetrics, func() (string, map[string]any) { return stall.describe(o) }},
		{"storm", stormMetrics, func() (string, map[string]any) { return storm.describe(o) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &benchmark{
				name: tt.name, metrics: tt.metrics, options: o, describe: tt.describe,
				cases:   []benchCase{{name: "the first case"}, {name: "the second"}},
				targets: []*target{{name: "wireroom", spawn: spawnWireroom}, {name: "nexus", spawn: spawnNexus}},
			}
			r := newReport(b)
			r.Started, r.Machine = time.Time{}, machine{CPU: "a CPU", Cores: 2, GOMAXPROCS: 2, Memory: 8e9, Kernel: "6.1", Arch: "amd64", Go: "go1.26"}
			for round := range 2 {
				s := sample{}
				for i, m := range tt.metrics {
					s[m.key] = float64(1000*i)/7 + float64(round)
				}
				r.add(0, 0, s, "a note", nil)
			}
			r.add(0, 1, nil, "", &notDoneError{time.Minute, "half of it"})
			r.add(1, 0, sample{tt.metrics[0].key: 1e6}, "", nil)
			r.add(1, 1, nil, "", errors.New("it failed"))
			r.finish(b)
			r.Took = 42
			got := []byte(r.text(b) + "\n")
			asJSON, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(append(got, asJSON...), '\n')
			file := filepath.Join("testdata", "reports", tt.name+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the report is not that of %s any more; if that is meant, run the test with -update:\n%s", file, got)
			}
		})
	}
}
