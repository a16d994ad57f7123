//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		v      float64
		digits int
		want   string
	}{
		{0, 0, "0"},
		{999.6, 0, "1,000"},
		{1234567, 0, "1,234,567"},
		{-1234.5, 1, "-1,234.5"},
		{-12, 0, "-12"},
		{0.005, 2, "0.01"},
		{123.456, 2, "123.46"},
		{1e9, 1, "1,000,000,000.0"},
	}
	for _, tt := range tests {
		if got := number(tt.v, tt.digits); got != tt.want {
			t.Errorf("number(%v, %d) = %q, want %q", tt.v, tt.digits, got, tt.want)
		}
	}
}

// made returns a finished report of one case with two targets, one of which
// failed in the second round.
func made() (*report, *benchmark) {
	b := &benchmark{
		name: "fanout", metrics: fanoutMetrics, options: &options{rounds: 2, subscribers: 10, serializerNames: []string{"json"}},
		cases:   []benchCase{{name: "rate 20/s"}},
		targets: []*target{{name: "one", url: "ws://one"}, {name: "nexus", spawn: spawnNexus}},
	}
	b.describe = b.options.describeFanout
	r := newReport(b)
	r.Machine = machine{CPU: "test", Cores: 2}
	r.add(0, 0, sample{"lost": 0, keyFanoutCPU: 8.25, "offered": 1000}, "", nil)
	r.add(0, 1, sample{"lost": 3, keyFanoutCPU: 16, "offered": 1000}, "a note", nil)
	r.add(0, 0, sample{"lost": 0, keyFanoutCPU: 8.75, "offered": 1000}, "", nil)
	r.add(0, 1, nil, "", errors.New("it broke:\nat the end"))
	r.finish(b)
	return r, b
}

func TestTextReport(t *testing.T) {
	r, b := made()
	_, tables, _ := strings.Cut(r.text(b), "\n\n")
	const want = `rate 20/s                                one   nexus
  deliveries offered                   1,000   1,000
  lost                                     0       3
  server CPU, µs/delivery   8.50 (8.25–8.75)   16.00
  nexus: a note
  nexus failed: it broke:
    at the end

Not every measurement was made.
`
	if tables != want {
		t.Errorf("got\n%s\nwant\n%s", tables, want)
	}
}

func TestJSONReport(t *testing.T) {
	r, b := made()
	b.options.output = "json"
	var out strings.Builder
	if err := r.write(&out, b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Format   int
		Complete bool
		Bad      []string
		Results  []struct {
			Case, Target, Spawned string
			Errors                []string
			Metrics               map[string]series
		}
		Metrics []metricInfo
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Error("the report is not one line")
	}
	if got.Format != 1 || got.Complete || len(got.Bad) != 1 || len(got.Results) != 2 || len(got.Metrics) != len(fanoutMetrics) {
		t.Fatalf("got %+v", got)
	}
	one, nexus := got.Results[0], got.Results[1]
	if one.Target != "one" || one.Metrics[keyFanoutCPU].Median != 8.5 || len(one.Metrics[keyFanoutCPU].Rounds) != 2 || one.Errors != nil {
		t.Errorf("first result: %+v", one)
	}
	if nexus.Spawned != "nexus" || len(nexus.Errors) != 1 || nexus.Metrics["lost"].Max != 3 {
		t.Errorf("second result: %+v", nexus)
	}
	if r.failures() != 1 {
		t.Errorf("failures() = %d, want 1", r.failures())
	}
}

// Every value that a benchmark reports must have a metric, or it would not be
// in the table; this is asked of real runs in run_test.go.
func unknownKeys(metrics []metricInfo, values map[string]series) []string {
	var unknown []string
	for k := range values {
		known := false
		for _, m := range metrics {
			known = known || m.Key == k
		}
		if !known {
			unknown = append(unknown, k)
		}
	}
	return unknown
}
