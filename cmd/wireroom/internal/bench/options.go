//go:build linux

package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options is what the flags say. Each benchmark uses a part of it.
type options struct {
	// Which servers.
	targetFlags []string
	urls        []string
	pids        []int
	spawns      []string
	login       login
	ticketFile  string
	dir         string // for the files of spawned servers; "" is the system's

	// How much.
	rounds   int
	duration time.Duration
	warmup   time.Duration
	output   outputFormat
	strict   bool
	quiet    bool

	serializerNames []string
	serializers     []serializer
	size            int         // bytes of the payload
	sizes           []int       // of several cases
	filling         fillingKind // of the payload
	topic           string
	abreast         int // joins at the same time
	readers         int // loops that read

	subscribers int
	rates       []float64
	acknowledge bool

	callers  int
	inFlight []int

	sessions int
	settle   time.Duration

	// How spawned servers are configured.
	admission  int           // sessions per second that wireroom admits; 0: any
	linger     time.Duration // of wireroom
	tls        bool
	deflateMin int  // bytes of a message that wireroom compresses
	orders     bool // wireroom has the classes of the benchmark of queries
	persistent bool // wireroom has persistent subscriptions, and a class beside
	nodes      int  // gateways that share one Redis; 0 is 1

	via     []string
	posters []int
	key     string
	class   string
	free    string // a class that is not retained; empty: wireroom has none
}

// settings returns what a report says about the load, besides more.
func (o *options) settings(more map[string]any) map[string]any {
	if o.serializerNames != nil {
		more["serializers"] = o.serializerNames
	}
	if o.duration > 0 {
		more["duration_seconds"] = o.duration.Seconds()
		more["warmup_seconds"] = o.warmup.Seconds()
	}
	return more
}

// rhythm says how long is measured, for the line above the tables.
func (o *options) rhythm() string {
	return fmt.Sprintf("%s, %d rounds of %v", strings.Join(o.serializerNames, "+"), o.rounds, o.duration)
}

// An outputFormat is how the report is written: text or json.
type outputFormat string

// String, Set and Type make an outputFormat a flag's value.
func (f *outputFormat) String() string { return string(*f) }

// Set accepts "text" and "json".
func (f *outputFormat) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New(`expected "text" or "json"`)
	}
	*f = outputFormat(s)
	return nil
}

// Type is what the help shows as the value.
func (f *outputFormat) Type() string { return "text|json" }

// addCommon adds the flags that all benchmarks have.
func (o *options) addCommon(f *pflag.FlagSet, spawnable []string) {
	f.StringArrayVar(&o.targetFlags, "target", nil, "server to measure, as name=URL or name=URL,pid=N; repeatable")
	f.StringArrayVar(&o.urls, "url", nil, "URL of a server to measure; repeatable")
	f.IntSliceVar(&o.pids, "pid", nil, "process of the server at the --url of the same place; repeatable")
	f.StringArrayVar(&o.spawns, "spawn", nil, "start a server for the run: "+strings.Join(spawnable, ", ")+"; repeatable")
	f.StringVar(&o.dir, "dir", "", "folder for the stores of started servers (default: the system's temporary folder)")
	f.IntVar(&o.rounds, "rounds", 3, "how often each server is measured, in turn; medians are reported")
	o.output = "text"
	f.VarP(&o.output, "output", "o", "text, or json: one JSON value with every round and the machine")
	f.BoolVar(&o.strict, "strict", false, "fail if anything was lost, doubled, out of order or refused")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on the standard error")
}

// addWAMP adds the flags of the benchmarks that speak WAMP.
func (o *options) addWAMP(f *pflag.FlagSet) {
	f.StringVar(&o.login.realm, "realm", defaultRealm, "realm to join")
	f.StringVar(&o.login.authID, "authid", "", "join with this authid and a ticket instead of anonymously")
	f.StringVar(&o.ticketFile, "ticket-file", "", "file with the ticket for --authid")
	f.BoolVar(&o.login.insecure, "insecure", false, "accept any TLS certificate")
	f.StringSliceVar(&o.serializerNames, "serializer", []string{"json"}, "json, msgpack or cbor; several are taken in turn by the sessions")
	f.IntVar(&o.readers, "readers", max(runtime.NumCPU()/2, 1), "threads of the generator that read; the server needs cores, too")
	f.IntVar(&o.abreast, "join-abreast", 32, "sessions that join at the same time")
}

// addDuration adds the flags of the benchmarks that run for a time.
func (o *options) addDuration(f *pflag.FlagSet, standard time.Duration) {
	f.DurationVar(&o.duration, "duration", standard, "how long each measurement lasts")
	f.DurationVar(&o.warmup, "warmup", 2*time.Second, "how long the same load runs before, unmeasured")
}

// validate checks the common flags that were added, reads what they name, and
// fails with a message about the first that is wrong.
func (o *options) validate(f *pflag.FlagSet) error {
	has := func(name string) bool { return f.Lookup(name) != nil }
	if err := inRange("--rounds", o.rounds, 1, 1000); err != nil {
		return err
	}
	if has("duration") {
		if o.duration < 100*time.Millisecond || o.duration > time.Hour {
			return fmt.Errorf("--duration %v: expected 100ms to 1h", o.duration)
		}
		if o.warmup < 0 || o.warmup > time.Hour {
			return fmt.Errorf("--warmup %v: expected 0s to 1h", o.warmup)
		}
	}
	if has("size") {
		sizes := o.sizes
		if sizes == nil {
			sizes = []int{o.size}
		}
		if err := distinct("--size", sizes, minPayload, maxPayload); err != nil {
			return err
		}
	}
	if o.dir != "" {
		if info, err := os.Stat(o.dir); err != nil || !info.IsDir() {
			return fmt.Errorf("--dir %q: expected a folder", o.dir)
		}
	}
	if !has("realm") {
		return nil
	}
	return o.validateWAMP(has("topic"))
}

func (o *options) validateWAMP(hasTopic bool) error {
	if err := plain("--realm", o.login.realm); err != nil {
		return err
	}
	if hasTopic {
		if err := plain("--topic", o.topic); err != nil {
			return err
		}
	}
	if err := inRange("--join-abreast", o.abreast, 1, 1000); err != nil {
		return err
	}
	if err := inRange("--readers", o.readers, 1, 64); err != nil {
		return err
	}
	if (o.login.authID == "") != (o.ticketFile == "") {
		return errors.New("--authid and --ticket-file: expected both or none")
	}
	if o.ticketFile != "" {
		if err := plain("--authid", o.login.authID); err != nil {
			return err
		}
		b, err := os.ReadFile(o.ticketFile)
		if err != nil {
			return fmt.Errorf("--ticket-file: %w", err)
		}
		o.login.ticket = strings.TrimSpace(string(b))
		if plain("", o.login.ticket) != nil {
			return fmt.Errorf("--ticket-file %s: expected a ticket of printable ASCII without quotes", o.ticketFile)
		}
	}
	if len(o.serializerNames) == 0 {
		return errors.New("--serializer: expected json, msgpack or cbor")
	}
	o.serializers = nil
	for _, name := range o.serializerNames {
		s, err := parseSerializer(name)
		if err != nil {
			return fmt.Errorf("--serializer: %w", err)
		}
		o.serializers = append(o.serializers, s)
	}
	return nil
}

// serializer returns that of session i.
func (o *options) serializer(i int) serializer { return o.serializers[i%len(o.serializers)] }

// inRange checks a number.
func inRange(flag string, v, least, most int) error {
	if v < least || v > most {
		return fmt.Errorf("%s %d: expected %d to %d", flag, v, least, most)
	}
	return nil
}

// plain checks a text that the generator sends as it is.
func plain(flag, s string) error {
	bad := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
	if s == "" || len(s) > 4096 || bad {
		return fmt.Errorf("%s %q: expected printable ASCII without spaces, quotes and backslashes", flag, s)
	}
	return nil
}

// distinct checks a list of numbers of which each makes a case.
func distinct[N int | float64](flag string, all []N, least, most N) error {
	if len(all) == 0 {
		return fmt.Errorf("%s: expected a number", flag)
	}
	for i, v := range all {
		if v < least || v > most {
			return fmt.Errorf("%s %v: expected %v to %v", flag, v, least, most)
		}
		if slices.Contains(all[:i], v) {
			return fmt.Errorf("%s %v: given twice", flag, v)
		}
	}
	return nil
}

// chosen checks a list of words of which each makes a case.
func chosen(flag string, given, known []string) error {
	words := strings.Join(known, ", ")
	if len(given) == 0 {
		return fmt.Errorf("%s: expected some of %s", flag, words)
	}
	for i, v := range given {
		if !slices.Contains(known, v) {
			return fmt.Errorf("%s %q: expected some of %s", flag, v, words)
		}
		if slices.Contains(given[:i], v) {
			return fmt.Errorf("%s %s: given twice", flag, v)
		}
	}
	return nil
}

// needFiles checks that n connections fit the limit of open files.
func needFiles(flag string, n int) error {
	const others = 64
	if limit := openFiles(); limit > 0 && uint64(n)+others > limit {
		return fmt.Errorf("%s %d: this process may have %d open files, and each session needs one; raise the limit with ulimit -Hn", flag, n, limit)
	}
	return nil
}
