package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events/store/redis"
)

// The usual case of appending writes and answers what the general one does. Two
// stores get the same calls, of which one tries the usual case first.
func TestAppendOracle(t *testing.T) {
	sv := start(t)
	info := sv.raw.Info(t.Context(), "replication").Val()
	_, run, _ := strings.Cut(info, "master_replid:")
	run = run[:40]
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := &appendOracle{
				t: t, raw: sv.raw, rand: rand.New(rand.NewPCG(seed, 0)),
				plain: fmt.Sprintf("plain%d", seed), general: fmt.Sprintf("general%d", seed),
			}
			o.begin(run, int(seed%2))
			for i := range 250 {
				o.call()
				if i%20 == 19 {
					o.compare()
				}
			}
			if o.usual < 30 || o.usual > 220 {
				t.Errorf("%d of 250 calls were of the usual case", o.usual)
			}
		})
	}
}

// An appendOracle sends calls to two stores.
type appendOracle struct {
	t              *testing.T
	raw            *goredis.Client
	rand           *rand.Rand
	plain, general string // their prefixes
	more           int    // nodes besides this one
	seq            int
	known          [3]string // the epoch of each class that the node knows
	usual          int       // calls that were
}

// begin has a node in both stores, and some more.
func (o *appendOracle) begin(run string, more int) {
	o.more = more
	for _, prefix := range []string{o.plain, o.general} {
		err := o.raw.HSet(o.t.Context(), "{"+prefix+"}:writer", "seq:me", 0, "generation", "g", "run", run, "nodes", 1+more,
			"feed", 0, "size", 33554432-4000).Err() // soon half of it is forgotten
		if err != nil {
			o.t.Fatal(err)
		}
	}
}

// disturb has both stores be as after something that happens seldom.
func (o *appendOracle) disturb() {
	field, value := "generation", fmt.Sprint("g", o.seq)
	if o.rand.IntN(2) == 0 {
		field, value = "run", strings.Repeat("0", 40) // of a process before
	}
	for _, prefix := range []string{o.plain, o.general} {
		if err := o.raw.HSet(o.t.Context(), "{"+prefix+"}:writer", field, value).Err(); err != nil {
			o.t.Fatal(err)
		}
	}
}

// call sends one call.
func (o *appendOracle) call() {
	if o.rand.IntN(30) == 0 {
		o.disturb()
	}
	classes := 1 + o.rand.IntN(3)
	alone, after := "1", o.seq
	if o.rand.IntN(8) == 0 != (o.more > 0) {
		alone = "0"
	}
	if o.rand.IntN(20) == 0 {
		after-- // which is refused, or answered as it was
	} else {
		o.seq++
	}
	args := []any{"me", after + 1, after, alone, classes}
	for c := range classes {
		keep := []int{0, 40, 5000}[c]
		epoch, last := o.known[c], 0
		switch o.rand.IntN(40) {
		case 0, 1:
			epoch = ""
		case 2:
			epoch = "another"
		}
		if o.rand.IntN(60) == 0 {
			last = 1 << 40 // the log has lost its end
		}
		args = append(args, keep, epoch, last, fmt.Sprintf("e%d.%d", o.seq, c))
	}
	kinds := []string{""}
	for o.rand.IntN(4) == 0 {
		kinds = append(kinds, []string{"", "g", "c", "gc"}[o.rand.IntN(4)])
	}
	class := make([]int, len(kinds))
	args = append(args, len(kinds))
	for i, flags := range kinds {
		class[i] = 1 + o.rand.IntN(classes)
		args = append(args, class[i], flags, 1_700_000_000_000+o.rand.IntN(5000))
	}
	requests := o.rand.IntN(12)
	if o.rand.IntN(20) == 0 {
		requests = 100 + o.rand.IntN(60)
	}
	for range requests {
		n := 1
		if o.rand.IntN(4) == 0 {
			n = o.rand.IntN(5)
		}
		if n != 1 {
			args = append(args, fmt.Sprint("*", n))
		}
		for range n {
			kind := o.rand.IntN(len(kinds))
			id := fmt.Sprint("m", o.rand.Uint32())
			if strings.Contains(kinds[kind], "g") {
				id = fmt.Sprint("g", o.rand.IntN(200))
			}
			args = append(args, kind+1, id)
			if strings.Contains(kinds[kind], "c") {
				args = append(args, fmt.Sprint("channel", o.rand.IntN(3)))
			}
			size := o.rand.IntN(40)
			if o.rand.IntN(100) == 0 {
				size = 16380 + o.rand.IntN(10)
			}
			args = append(args, strings.Repeat("x", size))
		}
	}
	got := o.run(redis.AppendPlain, o.plain, classes, args)
	if got == goredis.Nil.Error() {
		got = o.run(redis.AppendGeneral, o.plain, classes, args)
	} else {
		o.usual++
	}
	want := o.run(redis.AppendGeneral, o.general, classes, args)
	if got != want {
		o.t.Fatalf("%.400q\nanswered %q, want %q", args, got, want)
	}
	if heads, ok := strings.CutPrefix(want, "[ok "); ok {
		for c, head := range strings.Fields(strings.SplitN(heads, "\n", 2)[0]) {
			o.known[c], _, _ = strings.Cut(strings.TrimSuffix(head, "]"), ":")
		}
	}
}

// run runs a script on a store, and returns what it answers.
func (o *appendOracle) run(script *goredis.Script, prefix string, classes int, args []any) string {
	o.t.Helper()
	keys := []string{"{" + prefix + "}:writer"}
	for c := range classes {
		for _, of := range []string{"meta", "log", "ids", "channels"} {
			keys = append(keys, fmt.Sprintf("{%s}:1:%s:class%d", prefix, of, c))
		}
	}
	reply, err := script.Run(o.t.Context(), o.raw, append(keys, "{"+prefix+"}:feed"), args...).Result()
	if err != nil && err != goredis.Nil {
		o.t.Fatal(err)
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(reply)
}

// compare compares everything that the stores hold.
func (o *appendOracle) compare() {
	o.t.Helper()
	got, want := o.all(o.plain), o.all(o.general)
	for key, is := range want {
		if got[key] != is {
			o.t.Fatalf("%s holds %.2000s\nwant %.2000s", key, got[key], is)
		}
	}
	if len(got) != len(want) {
		o.t.Fatalf("%d keys, want %d", len(got), len(want))
	}
}

// all returns what each key of a store holds.
func (o *appendOracle) all(prefix string) map[string]string {
	ctx, all := o.t.Context(), make(map[string]string)
	for _, key := range o.raw.Keys(ctx, "{"+prefix+"}*").Val() {
		var holds any
		switch o.raw.Type(ctx, key).Val() {
		case "hash":
			holds = o.raw.HGetAll(ctx, key).Val()
		case "stream":
			holds = o.raw.XRange(ctx, key, "-", "+").Val()
		case "zset":
			holds = o.raw.ZRangeWithScores(ctx, key, 0, -1).Val()
		default:
			o.t.Fatalf("%s is of another type", key)
		}
		all[strings.TrimPrefix(key, "{"+prefix+"}")] = fmt.Sprint(holds)
	}
	return all
}
