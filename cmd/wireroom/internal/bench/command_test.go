//go:build linux

package bench

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// A wrong command line is refused before anything is started.
func TestBadCommandLines(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ args, want string }{
		{"fanout", "nothing to measure: give --target, --url or --spawn (wireroom, nexus, writeloop)"},
		{"fanout now --spawn nexus", `unknown command "now"`},
		{"fanout --spawn apache", `--spawn "apache": expected one of wireroom, nexus, writeloop`},
		{"rpc --spawn writeloop", `--spawn "writeloop": expected one of wireroom, nexus`},
		{"ingest --spawn nexus", `--spawn "nexus": expected one of wireroom, python-xmlrpc`},
		{"fanout --url http://localhost/ws", `scheme "http", expected one of ws, wss`},
		{"ingest --url ftp://localhost/ws", `scheme "ftp", expected one of http, https`},
		{"fanout --url ws:///ws", "it names no host"},
		{"fanout --url rs://localhost", "needs a port"},
		{"fanout --url unix:", "expected unix:///path"},
		{"fanout --url ws://a/ --pid 1,2", "--pid is given 2 times and --url 1 times"},
		{"fanout --url ws://a/ --pid -4", "--pid -4: expected the number of a process"},
		{"fanout --url ws://a/ --pid 8388608", "process 8388608"},
		{"fanout --target ws://a/", "expected name=URL"},
		{"fanout --target a=ws://a/,pid=x", `pid "x"`},
		{"fanout --spawn nexus --rate 0", "--rate 0: expected 0.1 to 100000"},
		{"fanout --spawn nexus --rate 20,20", "--rate 20: given twice"},
		{"fanout --spawn nexus --subscribers 0", "--subscribers 0: expected 1 to 1000000"},
		{"fanout --spawn nexus --subscribers 999999", "raise the limit with ulimit -Hn"},
		{"fanout --spawn nexus --size 30", "--size 30: expected " + strconv.Itoa(minPayload) + " to"},
		{"fanout --spawn nexus --rounds 0", "--rounds 0: expected 1 to 1000"},
		{"fanout --spawn nexus --duration 1ms", "--duration 1ms: expected 100ms to 1h"},
		{"fanout --spawn nexus --warmup -1s", "--warmup -1s: expected 0s to 1h"},
		{"fanout --spawn nexus --serializer xml", `unknown serializer "xml", expected json, msgpack or cbor`},
		{"fanout --spawn nexus --topic a\"b", "expected printable ASCII"},
		{"fanout --spawn nexus --authid joe", "--authid and --ticket-file: expected both or none"},
		{"fanout --spawn nexus --authid joe --ticket-file " + empty, "expected a ticket"},
		{"fanout --spawn nexus --authid joe --ticket-file /nonexistent", "no such file"},
		{"fanout --spawn nexus --dir /nonexistent", "--dir \"/nonexistent\": expected a folder"},
		{"fanout --spawn nexus -o xml", `expected "text" or "json"`},
		{"fanout --spawn nexus --join-abreast 0", "--join-abreast 0: expected 1 to 1000"},
		{"fanout --spawn nexus --readers 65", "--readers 65: expected 1 to 64"},
		{"rpc --spawn nexus --in-flight 0", "--in-flight 0: expected 1 to 65536"},
		{"rpc --spawn nexus --callers 0", "--callers 0: expected 1 to"},
		{"idle --spawn nexus --sessions 0", "--sessions 0: expected 1 to"},
		{"idle --spawn nexus --settle -1s", "--settle -1s: expected"},
		{"idle --url ws://a/ --tls", "--tls: is for servers that are started"},
		{"idle --spawn nexus --deflate --deflate-min -1", "--deflate-min -1: expected 0 to 1048576"},
		{"fanout --spawn nexus --linger 10ms", "--linger: is for a wireroom that is started"},
		{"fanout --spawn wireroom --linger 2s", "--linger 2s: expected 0s to 1s"},
		{"fanout --spawn nexus --payload picture", `expected "text" or "random"`},
		{"fanout --spawn nexus --size 128,128", "--size 128: given twice"},
		{"pattern --spawn nexus --patterns 3", "--patterns 3: expected 0, or at least as many as match"},
		{"pattern --spawn nexus --patterns -1", "--patterns -1: expected 0 to"},
		{"pattern --spawn nexus --matching 0", "--matching 0: expected 1 to"},
		{"pattern --spawn nexus --per-session 0", "--per-session 0: expected 1 to"},
		{"pattern --spawn nexus --per-session 1", "or raise --per-session"},
		{"pattern --spawn nexus --in-flight 0", "--in-flight 0: expected 1 to 65536"},
		{"pattern --spawn nexus --setup-limit 1ms", "--setup-limit 1ms: expected 100ms to 1h"},
		{"query --spawn nexus --sessions 0", "--sessions 0: expected 1 to"},
		{"query --spawn wireroom --sessions 25", "--sessions 25: expected a multiple of --matching 10"},
		{"query --spawn wireroom --sessions 20 --matching 21", "--matching 21: expected 1 to 20"},
		{"query --spawn wireroom --sessions 20 --matching 0", "--matching 0: expected 1 to 20"},
		{"query --spawn wireroom --sessions 20 --rate 0", "--rate 0: expected 0.1 to 100000"},
		{"query --spawn wireroom --sessions 20 --by name", `--by "name": expected some of topic, channel, shared-query, query`},
		{"query --spawn wireroom --sessions 20 --by query,query", "--by query: given twice"},
		{"stall --spawn nexus --stalled waiter", `--stalled "waiter": expected some of caller-progress, caller-results`},
		{"stall --spawn nexus --stalled callee,callee", "--stalled callee: given twice"},
		{"stall --spawn nexus --others 0", "--others 0: expected 1 to 1000"},
		{"stall --spawn nexus --rate 0", "--rate 0: expected 0.1 to"},
		{"stall --spawn nexus --feed-rate 0", "--feed-rate 0: expected 0.1 to"},
		{"stall --spawn nexus --feed-size 1", "--feed-size 1: expected " + strconv.Itoa(minPayload)},
		{"storm --spawn nexus --mode flood", `--mode "flood": expected some of reconnect, restart`},
		{"storm --spawn nexus --retry-after never", `--retry-after "never": expected some of honour, ignore`},
		{"storm --spawn nexus --sessions 0", "--sessions 0: expected 1 to"},
		{"storm --spawn nexus --stay -1", "--stay -1: expected 0 to"},
		{"storm --spawn nexus --at-once -1", "--at-once -1: expected 0 to"},
		{"storm --spawn nexus --admission -1", "--admission -1: expected 0 to 100000"},
		{"storm --spawn nexus --rate 0", "--rate 0: expected 0.1 to"},
		{"storm --spawn nexus --before -1s", "--before -1s, --away 0s: expected 0s to 1h"},
		{"storm --spawn nexus --limit 1ms", "--limit 1ms: expected 1s to 1h"},
		{"back --spawn nexus", `--spawn "nexus": expected one of wireroom, wireroom-redis`},
		{"back --spawn wireroom --clients 0", "--clients 0: expected 1 to"},
		{"back --spawn wireroom --missed 0", "--missed 0: expected 1 to 100000"},
		{"back --spawn wireroom --at-once -1", "--at-once -1: expected 0 to"},
		{"back --spawn wireroom --rate 0", "--rate 0: expected 0.1 to"},
		{"back --spawn wireroom --before -1s", "--before -1s: expected 0s to 1h"},
		{"back --spawn wireroom --limit 1ms", "--limit 1ms: expected 1s to 1h"},
		{"nodes --spawn wireroom --rate 0", "--rate 0: expected 0.1 to 100000"},
		{"nodes --spawn wireroom --class a.b --unretained-class a.b", "expected two, found a.b twice"},
		{"nodes --spawn wireroom --class a\"b", "expected printable ASCII"},
		{"ingest --spawn wireroom --via smtp", `--via "smtp": expected some of xmlrpc, http, wamp`},
		{"ingest --spawn wireroom --in-flight 0", "--in-flight 0: expected 1 to 1000"},
		{"ingest --spawn wireroom --in-flight 2", "expected 1 with --via xmlrpc"},
		{"ingest --spawn wireroom --via http,http", "--via http: given twice"},
		{"ingest --spawn wireroom --posters 0", "--posters 0: expected 1 to 10000"},
		{"ingest --spawn wireroom --class a<b", "expected none of < > &"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			cmd := Command()
			cmd.SetArgs(strings.Fields(tt.args))
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// What a spawned wireroom is configured with must be valid.
func TestWireroomConfig(t *testing.T) {
	for _, o := range []*options{
		{},
		{key: "another-key-of-its-own", class: "shop.order", login: login{realm: "other"}},
		{linger: 10 * time.Millisecond, admission: 500},
		{orders: true},
		{persistent: true},
		{free: "bench.free"},
		{tls: true, deflateMin: 0, login: login{deflate: true}},
	} {
		cert := &certificate{}
		if o.tls {
			var err error
			if cert, err = newCertificate(t.TempDir()); err != nil {
				t.Fatal(err)
			}
		}
		text, err := o.wireroomConfig("127.0.0.1:8080", "file:/tmp/a folder: with #signs/wireroom.db", cert)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := config.Parse("wireroom.yaml", text); len(problems) > 0 {
			t.Errorf("%s\n%v", text, problems)
		}
	}
}

func TestCollect(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	o := &options{
		targetFlags: []string{"a=ws://h/x,y,pid=" + pid + ",pid=" + pid, "b=unix:///run/s"},
		urls:        []string{"ws://u:1/", "wss://v/"},
		pids:        []int{os.Getpid()},
		spawns:      []string{"nexus", "nexus"},
	}
	all, err := o.collect(wampSchemes, []string{"nexus"})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name, url, spawn string
		procs            int
	}{
		{"a", "ws://h/x,y", "", 2},
		{"b", "unix:///run/s", "", 0},
		{"ws://u:1/", "ws://u:1/", "", 1},
		{"wss://v/", "wss://v/", "", 0},
		{"nexus", "", "nexus", 0},
		{"nexus#2", "", "nexus", 0},
	}
	if len(all) != len(want) {
		t.Fatalf("%d targets, want %d", len(all), len(want))
	}
	for i, w := range want {
		if g := all[i]; g.name != w.name || g.url != w.url || g.spawn != w.spawn || len(g.procs) != w.procs {
			t.Errorf("target %d: %+v, want %+v", i, *g, w)
		}
	}
}
