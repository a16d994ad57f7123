//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/router"
)

// bench runs a command line and returns its report.
func bench(ctx context.Context, t *testing.T, args ...string) (*report, error) {
	t.Helper()
	cmd := Command()
	var out strings.Builder
	cmd.SetArgs(append(args, "-o", "json"))
	cmd.SetOut(&out)
	cmd.SetErr(t.Output())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(ctx)
	r := new(report)
	if jerr := json.Unmarshal([]byte(out.String()), r); jerr != nil {
		t.Fatalf("bench %v: no report (%v); error %v, output %q", args, jerr, err, out.String())
	}
	for _, res := range r.Results {
		if u := unknownKeys(r.Metrics, res.Values); u != nil {
			t.Errorf("bench %v: values without a metric: %v", args, u)
		}
	}
	return r, err
}

// need checks metrics that must lie between two values.
func need(t *testing.T, res *result, key string, least, most float64) {
	t.Helper()
	if v, ok := res.Values[key]; !ok || v.Min < least || v.Max > most {
		t.Errorf("%s, %s: %s = %+v, want %v to %v; errors %v", res.Case, res.Target, key, v, least, most, res.Errors)
	}
}

// A small run against nexus and the write loop, rounds in turn.
func TestFanout(t *testing.T) {
	r, err := bench(t.Context(), t, "fanout", "--spawn", "writeloop", "--spawn", "nexus", "--subscribers", "20",
		"--rate", "40,80", "--duration", "500ms", "--warmup", "100ms", "--rounds", "2", "--acknowledge", "--strict",
		"--serializer", "json,msgpack,cbor")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 4 || !r.Complete {
		t.Fatalf("%d results, complete %v; want 4, true", len(r.Results), r.Complete)
	}
	for i, res := range r.Results {
		offered := []float64{400, 400, 800, 800}[i]
		need(t, res, "offered", offered, offered)
		need(t, res, "delivered_percent", 100, 100)
		need(t, res, "deliveries_per_second", offered/10, offered*3)
		need(t, res, "latency_p50_ms", 0.001, 500)
		need(t, res, "bytes_per_delivery", 128, 200)
		need(t, res, keyFanoutCPU, 0.5, 1000)
		need(t, res, "server_rss_mb", 1, 500)
		if n := len(res.Values["offered"].Rounds); n != 2 {
			t.Errorf("%s, %s: %d rounds, want 2", res.Case, res.Target, n)
		}
		if res.Target == "nexus" {
			need(t, res, "unacknowledged", 0, 0)
			need(t, res, keyFanoutRatio, 0.2, 100)
		}
	}
}

func TestRPC(t *testing.T) {
	r, err := bench(t.Context(), t, "rpc", "--spawn", "nexus", "--callers", "3", "--in-flight", "1,4", "--duration", "500ms",
		"--warmup", "100ms", "--rounds", "1", "--strict", "--serializer", "cbor,json", "--readers", "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		need(t, res, "calls_per_second", 50, 1e6)
		need(t, res, "latency_p50_ms", 0.01, 500)
		need(t, res, "server_cpu_us_per_call", 1, 5000)
	}
}

func TestIdle(t *testing.T) {
	r, err := bench(t.Context(), t, "idle", "--spawn", "nexus", "--sessions", "200", "--settle", "100ms", "--rounds", "1", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	need(t, r.Results[0], "joins_per_second", 10, 1e5)
	need(t, r.Results[0], "rss_bytes_per_session", 5_000, 500_000)
}

// nexusHandler is nexus's router in this process.
func nexusHandler(t *testing.T) (http.Handler, router.Router) {
	t.Helper()
	r, err := router.NewRouter(&router.Config{
		RealmConfigs: []*router.RealmConfig{{URI: "realm1", AnonymousAuth: true}},
	}, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return router.NewWebsocketServer(r), r
}

// All ways to reach a router give all that was published.
func TestTransports(t *testing.T) {
	h, r := nexusHandler(t)
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	raw := router.NewRawSocketServer(r)
	socket := filepath.Join(t.TempDir(), "s")
	for _, at := range [][2]string{{"unix", socket}, {"tcp", "127.0.0.1:0"}} {
		ln, err := raw.ListenAndServe(at[0], at[1])
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if l, ok := ln.(net.Listener); ok && at[0] == "tcp" {
			raw := "rs://" + l.Addr().String()
			t.Run("rs", func(t *testing.T) { small(t, raw) })
		}
	}
	t.Run("unix", func(t *testing.T) { small(t, "unix://"+socket) })
	t.Run("ws", func(t *testing.T) { small(t, "ws"+strings.TrimPrefix(plain.URL, "http")) })
	t.Run("wss", func(t *testing.T) { small(t, "wss"+strings.TrimPrefix(secure.URL, "https")) })
}

// small is a short fan-out and a few calls.
func small(t *testing.T, url string) {
	args := []string{
		"--target", "x=" + url + ",pid=" + strconv.Itoa(os.Getpid()), "--insecure", "--rounds", "1",
		"--duration", "300ms", "--warmup", "0s", "--strict", "--serializer", "msgpack",
	}
	r, err := bench(t.Context(), t, append([]string{"fanout", "--subscribers", "5", "--rate", "100"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	need(t, r.Results[0], "delivered_percent", 100, 100)
	if r, err = bench(t.Context(), t, append([]string{"rpc", "--callers", "2"}, args...)...); err != nil {
		t.Fatal(err)
	}
	need(t, r.Results[0], "calls_per_second", 50, 1e6)
}

// An interrupted run reports what it has and ends what it started.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(1500*time.Millisecond, cancel)
	began := time.Now()
	r, err := bench(ctx, t, "fanout", "--spawn", "nexus", "--subscribers", "5", "--duration", "1h", "--rounds", "2")
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error %v, want context canceled", err)
	}
	if r.Complete {
		t.Error("the report says that it is complete")
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v to stop", d)
	}
	if left := children(t); left != "" {
		t.Errorf("processes are left:\n%s", left)
	}
}

// children lists the processes that this one started and that still run.
func children(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(all) == 0 {
		t.Skip("the kernel does not tell the children of a process")
	}
	var left strings.Builder
	for _, f := range all {
		if b, err := os.ReadFile(f); err == nil {
			left.Write(b)
		}
	}
	return strings.TrimSpace(left.String())
}

// A server that dies in the middle fails its measurement, with its last words.
func TestServerDies(t *testing.T) {
	c, err := startChild(false, "sh", "-c", "echo its last words >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	select {
	case <-c.ended:
	case <-time.After(time.Minute):
		t.Fatal("the process does not end")
	}
	err = c.explain(io.ErrUnexpectedEOF)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "its last words") {
		t.Errorf("explain = %v", err)
	}
	if err := c.await(t.Context(), func() error { return io.EOF }); err == nil || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("await = %v", err)
	}
}

// A server that does not listen to SIGTERM is killed.
func TestStubbornServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a server may take to end")
	}
	c, err := startChild(true, "sh", "-c", "trap '' TERM; echo listening here; while :; do read x || sleep 1; done")
	if err != nil {
		t.Fatal(err)
	}
	if addr, err := c.address(); addr != "here" || err != nil {
		t.Errorf("address = %q, %v", addr, err)
	}
	c.stop()
	if !c.died() {
		t.Error("it still runs")
	}
}

// What can't be measured is said, and the other targets are measured.
func TestFailingTarget(t *testing.T) {
	h, _ := nexusHandler(t)
	s := httptest.NewServer(h)
	defer s.Close()
	url := "ws" + strings.TrimPrefix(s.URL, "http")
	r, err := bench(t.Context(), t, "rpc", "--url", "ws://127.0.0.1:1/ws", "--url", url, "--rounds", "1", "--duration", "200ms", "--warmup", "0s")
	if err == nil || !strings.Contains(err.Error(), "1 measurements failed") {
		t.Errorf("error %v, want 1 measurements failed", err)
	}
	if e := r.Results[0].Errors; len(e) != 1 || !strings.Contains(e[0], "connection refused") {
		t.Errorf("errors of the first target: %v", e)
	}
	need(t, r.Results[1], "calls_per_second", 50, 1e6)
	if _, ok := r.Results[1].Values["server_cpu_us_per_call"]; ok {
		t.Error("there is a server CPU time without a pid")
	}
	// A router that refuses says why.
	r, _ = bench(t.Context(), t, "rpc", "--url", url, "--realm", "other", "--rounds", "1")
	if e := r.Results[0].Errors; len(e) != 1 || !strings.Contains(e[0], "wamp.error.no_such_realm") {
		t.Errorf("errors for another realm: %v", e)
	}
}

// ingestServer answers both ways in and refuses every nth event, but the first
// of a connection: that decides whether a case is measured at all.
func ingestServer(nth int) http.Handler {
	n := 0
	known := make(map[string]bool)
	mux := http.NewServeMux()
	lock := make(chan struct{}, 1)
	refuse := func(r *http.Request) bool {
		lock <- struct{}{}
		defer func() { <-lock }()
		n++
		first := !known[r.RemoteAddr]
		known[r.RemoteAddr] = true
		return nth > 0 && n%nth == 0 && !first
	}
	mux.HandleFunc("POST /x/RPC2", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(b), "<methodName>event.publish</methodName>") || !strings.Contains(string(b), "<string>the-key</string>") || refuse(r) {
			_, _ = io.WriteString(w, "<methodResponse><fault>no</fault></methodResponse>")
			return
		}
		_, _ = io.WriteString(w, "<methodResponse><params></params></methodResponse>")
	})
	mux.HandleFunc("POST /x/events", func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Class string
			Data  struct {
				Number int
				Text   string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || e.Class != "c" || len(e.Data.Text) != 40 ||
			r.Header.Get("Authorization") != "Bearer the-key" || refuse(r) {
			http.Error(w, "no", http.StatusBadRequest)
		}
	})
	return mux
}

func TestIngest(t *testing.T) {
	s := httptest.NewServer(ingestServer(0))
	defer s.Close()
	args := []string{"ingest", "--rounds", "1", "--duration", "300ms", "--warmup", "50ms", "--posters", "1,3", "--key", "the-key", "--class", "c", "--size", "40", "--strict"}
	r, err := bench(t.Context(), t, append(args, "--url", s.URL+"/x", "--pid", strconv.Itoa(os.Getpid()))...)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 4 {
		t.Fatalf("%d results, want 4", len(r.Results))
	}
	for _, res := range r.Results {
		need(t, res, "events_per_second", 50, 1e6)
		need(t, res, "failed", 0, 0)
	}
	bad := httptest.NewServer(ingestServer(5))
	defer bad.Close()
	if r, err = bench(t.Context(), t, append(args, "--url", bad.URL+"/x")...); err == nil || !strings.Contains(err.Error(), "--strict") {
		t.Errorf("a server that refuses some: error %v, want one about --strict", err)
	}
	for _, res := range r.Results {
		need(t, res, "failed", 1, 1e6)
	}
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	r, _ = bench(t.Context(), t, append(args, "--url", none.URL)...)
	if e := r.Results[0].Errors; len(e) != 1 || !strings.Contains(e[0], "404") {
		t.Errorf("a server that refuses all: errors %v", e)
	}
}

func TestPythonServer(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	r, err := bench(t.Context(), t, "ingest", "--spawn", "python-xmlrpc", "--rounds", "1", "--duration", "300ms", "--warmup", "0s", "--posters", "2", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 1 { // it has no HTTP events
		t.Fatalf("%d results, want 1", len(r.Results))
	}
	need(t, r.Results[0], "events_per_second", 20, 1e6)
}
