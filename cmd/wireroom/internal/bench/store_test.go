//go:build linux

package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync/atomic"
	"testing"
)

// needRedis skips a test where there is no redis-server.
func needRedis(t *testing.T) {
	t.Helper()
	for _, name := range []string{"redis-server", "redis-benchmark"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("there is no " + name)
		}
	}
}

// Clients that come back get all that they missed, from both stores.
func TestBack(t *testing.T) {
	needWireroom(t)
	needRedis(t)
	r, err := bench(t.Context(), t, "back", "--spawn", "wireroom", "--spawn", "wireroom-redis", "--clients", "5", "--missed", "70",
		"--before", "50ms", "--rounds", "1", "--strict", "--serializer", "json,cbor")
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		need(t, res, "caught_all_s", 0.0001, 60)
		need(t, res, "never_caught", 0, 0)
		need(t, res, "replayed_per_second", 1, 1e7)
		need(t, res, "pair_lost", 0, 0)
	}
}

// An event reaches subscribers of both gateways, once.
func TestNodes(t *testing.T) {
	needWireroom(t)
	needRedis(t)
	r, err := bench(t.Context(), t, "nodes", "--spawn", "wireroom", "--spawn", "wireroom-redis",
		"--duration", "100ms", "--warmup", "50ms", "--rounds", "1", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	need(t, r.Results[0], keySameP50, 0.001, 60_000)
	need(t, r.Results[1], keyOtherP99, 0.001, 60_000)
	need(t, r.Results[1], keyElseExtraP50, -60_000, 60_000)
	for _, res := range r.Results {
		need(t, res, keyFreeP50, 0.001, 60_000)
		need(t, res, keySameKeptP99, -60_000, 60_000)
		need(t, res, "lost", 0, 0)
	}
	need(t, r.Results[1], keyElseKeptP50, -60_000, 60_000)
}

// What stores take in is compared with what is below them.
func TestIngestStores(t *testing.T) {
	needWireroom(t)
	needRedis(t)
	r, err := bench(t.Context(), t, "ingest", "--spawn", "wireroom", "--spawn", "fdatasync", "--spawn", "wireroom-redis", "--spawn", "redis-benchmark",
		"--posters", "4", "--via", "http", "--duration", "100ms", "--warmup", "20ms", "--rounds", "1", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	need(t, r.Results[0], keyPerSync, 0.1, 1000)
	need(t, r.Results[0], keyRatioSyncs, 1e-6, 1000)
	need(t, r.Results[1], keySyncs, 1, 1e7)
	need(t, r.Results[2], keyRatioXADD, 1e-6, 1000)
	need(t, r.Results[2], keyRatioPipelined, 1e-6, 1000)
	need(t, r.Results[3], keyPipelined, 1, 1e8)
}

// Posters may have several events under way, and connections that the server
// closes are opened anew.
func TestIngestInFlight(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "ingest", "--spawn", "wireroom", "--posters", "2", "--via", "http,wamp", "--in-flight", "1,3",
		"--duration", "100ms", "--warmup", "20ms", "--rounds", "1", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 4 {
		t.Fatalf("%d results, want 4", len(r.Results))
	}
	for _, res := range r.Results {
		need(t, res, "events_per_second", 1, 1e7)
		need(t, res, "failed", 0, 0)
	}

	var requests atomic.Int64
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1)%2 == 0 {
			w.Header().Set("Connection", "close")
		}
	}))
	defer closing.Close()
	r, err = bench(t.Context(), t, "ingest", "--url", closing.URL, "--posters", "2", "--via", "http,wamp",
		"--duration", "200ms", "--warmup", "0s", "--rounds", "1", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 1 { // there is no WAMP at such an address
		t.Fatalf("%d results, want 1", len(r.Results))
	}
	need(t, r.Results[0], "events_per_second", 20, 1e7)
	need(t, r.Results[0], "failed", 0, 0)
}

// What redis-benchmark reports is read, and what is no report refused.
func TestParseRedisBenchmark(t *testing.T) {
	got, err := parseRedisBenchmark([]byte("\"test\",\"rps\",\"avg_latency_ms\"\n\"XADD log * d {\"a\":1,\"b\":2}\",\"1234.50\",\"0.1\"\n"))
	if err != nil || got != 1234.5 {
		t.Errorf("%v, %v, want 1234.5", got, err)
	}
	for _, out := range []string{"", "\"test\",\"rps\"\n", "a,b\nc,none\n", "a,b\nc,0\n"} {
		if _, err := parseRedisBenchmark([]byte(out)); err == nil {
			t.Errorf("%q is taken for a report", out)
		}
	}
}
