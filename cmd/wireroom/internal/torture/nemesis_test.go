//go:build linux

package torture_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A nemesis breaks one thing after the other.
type nemesis struct {
	cluster *cluster
	rec     *recorder
	rng     *rand.Rand
	ticks   []*atomic.Int64 // of each gateway: events without a class that came
	sizes   atomic.Pointer[[]size]
	faults  int
	away    []time.Duration // how long it took until /readyz was red
}

// A size is how long the AOF was at a time.
type size struct {
	at   time.Time
	file string
	size int64
}

// A fault is something that can be broken. do breaks it, waits, and repairs it.
type fault struct {
	name string
	do   func(n *nemesis)
}

// kept waits until no fault can lose what there is now: subscriptions that were
// made a moment ago may be lost like events, and then nobody knows from where on
// they are.
func (n *nemesis) kept(ctx context.Context) {
	switch {
	case n.cluster.several != nil:
		n.cluster.several.await("replicas have everything", n.cluster.several.whole)
	case n.cluster.mode.promise.Loses > 0 && !n.cluster.mode.forgets:
		pause(ctx, n.cluster.mode.promise.Loses)
	}
}

// run breaks things until ctx is done. Whatever it has broken is whole then.
func (n *nemesis) run(ctx context.Context) {
	pause(ctx, time.Duration(200+n.rng.IntN(500))*time.Millisecond)
	// Each once, in a random order, before any comes again.
	for first := true; first || ctx.Err() == nil; {
		for _, i := range n.rng.Perm(len(n.cluster.mode.faults)) {
			if ctx.Err() != nil && !first {
				return
			}
			first = false
			n.cluster.mode.faults[i].do(n)
			n.faults++
			pause(ctx, time.Duration(100+n.rng.IntN(1500))*time.Millisecond)
		}
	}
}

// breaks notes that something is about to be broken, and returns what notes that
// it is whole.
func (n *nemesis) breaks(what entry) (heal func()) {
	what.Kind = kindFault
	n.rec.add(what)
	return func() { n.rec.add(entry{Kind: kindHeal, Who: what.Who, Note: what.Note}) }
}

// between waits for a time that is drawn.
func (n *nemesis) between(least, most int) {
	time.Sleep(time.Duration(least+n.rng.IntN(most-least)) * time.Millisecond)
}

// gateway draws one of them.
func (n *nemesis) gateway() (int, *gateway) {
	i := n.rng.IntN(len(n.cluster.gateways))
	return i, n.cluster.gateways[i]
}

var gatewayKilled = fault{"the gateway is killed", func(n *nemesis) {
	_, g := n.gateway()
	if !g.alive() {
		return
	}
	heal := n.breaks(entry{Who: g.name, Crash: true, Note: "SIGKILL"})
	g.kill()
	if n.rng.IntN(2) == 0 {
		n.between(10, 1500)
	}
	g.start()
	heal()
}}

var gatewayRestarted = fault{"the gateway is restarted", func(n *nemesis) {
	_, g := n.gateway()
	if !g.alive() {
		return
	}
	heal := n.breaks(entry{Who: g.name, Pongs: true, Note: "SIGTERM"})
	g.stop()
	g.start()
	heal()
}}

var gatewayStopped = fault{"the gateway stands still", func(n *nemesis) {
	_, g := n.gateway()
	heal := n.breaks(entry{Who: g.name, Pongs: true, Note: "SIGSTOP"})
	g.signal(syscall.SIGSTOP)
	n.between(100, 3000)
	g.signal(syscall.SIGCONT)
	heal()
}}

var clientsCut = fault{"clients' connections are cut", func(n *nemesis) {
	_, g := n.gateway()
	heal := n.breaks(entry{Who: "clients of " + g.name, Pongs: true, Note: "reset"})
	g.front.cut()
	n.between(10, 1500)
	g.front.refuse(false)
	heal()
}}

var clientsHeld = fault{"clients' connections are black holes", func(n *nemesis) {
	_, g := n.gateway()
	heal := n.breaks(entry{Who: "clients of " + g.name, Pongs: true, Note: n.blackHole(g.front)})
	n.between(100, 8000)
	n.light(g.front)
	heal()
}}

// blackHole makes them of proxies, in one direction or both.
func (n *nemesis) blackHole(proxies ...*proxy) string {
	which := 1 + n.rng.IntN(3)
	for _, p := range proxies {
		if which&1 != 0 {
			p.hold(up)
		}
		if which&2 != 0 {
			p.hold(down)
		}
	}
	return []string{"", "black hole up", "black hole down", "black hole"}[which]
}

// light ends black holes: what they hold arrives, or is lost.
func (n *nemesis) light(proxies ...*proxy) {
	lost := n.rng.IntN(2) == 0
	for _, p := range proxies {
		if lost {
			p.cut()
			p.refuse(false)
		}
		p.release()
	}
}

var redisKilled = fault{"Redis is killed", func(n *nemesis) {
	n.killRedis(entry{Note: "SIGKILL", Loses: n.late()}, func() {})
}}

// late reports whether Redis may answer before it writes: with everysec it does
// as long as a sync is under way, for up to 2 seconds, which takes a busy disk.
func (n *nemesis) late() bool { return n.cluster.mode.promise.Loses > 0 }

var redisEmptied = fault{"Redis is killed and forgets", func(n *nemesis) {
	n.killRedis(entry{Note: "SIGKILL, nothing was kept", Loses: true}, func() {})
}}

var powerLost = fault{"Redis loses power", func(n *nemesis) {
	n.killRedis(entry{Note: "power", Loses: true}, n.losePower)
}}

// killRedis kills it, and starts it again when the gateways have noticed, or at
// once.
func (n *nemesis) killRedis(e entry, meanwhile func()) {
	e.Who, e.Crash, e.Store = "redis", true, true
	heal := n.breaks(e)
	n.cluster.redis.kill()
	meanwhile()
	if n.rng.IntN(3) > 0 {
		n.noticed()
	}
	n.cluster.redis.start()
	heal()
}

// sample notes how long the AOF is, until ctx is done.
func (n *nemesis) sample(ctx context.Context) {
	var sizes []size
	for ctx.Err() == nil {
		if file, long, err := n.cluster.redis.aof(); err == nil {
			sizes = append(sizes, size{time.Now(), file, long})
			if len(sizes) > 100 {
				sizes = append([]size(nil), sizes[50:]...)
			}
			kept := append([]size(nil), sizes...)
			n.sizes.Store(&kept)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// losePower takes from the AOF what came in the last two seconds, or less. That
// is what the system may not have written.
func (n *nemesis) losePower() {
	sizes := n.sizes.Load()
	if sizes == nil {
		return
	}
	since := time.Now().Add(-time.Duration(n.rng.IntN(2000)) * time.Millisecond)
	for _, s := range *sizes {
		if s.at.Before(since) {
			continue
		}
		// It may have been longer, and not shorter.
		if file, long, err := n.cluster.redis.aof(); err == nil && file == s.file && long > s.size {
			if err := os.Truncate(file, s.size); err != nil {
				n.rec.wrong(0, "nemesis", "%v", err)
			}
			n.rec.add(entry{Kind: kindReady, Who: "nemesis", Note: fmt.Sprintf("the AOF loses %d of %d bytes", long-s.size, long)})
		}
		return
	}
}

var redisStopped = fault{"Redis stands still", func(n *nemesis) {
	heal := n.breaks(entry{Who: "redis", Note: "SIGSTOP"})
	n.cluster.redis.signal(syscall.SIGSTOP)
	n.short()
	n.cluster.redis.signal(syscall.SIGCONT)
	heal()
}}

// short waits for a moment, or until the gateways have noticed.
func (n *nemesis) short() {
	if n.rng.IntN(3) == 0 {
		n.between(50, 1500)
	} else {
		n.noticed()
	}
}

var storeCut = fault{"the connections to Redis are cut", func(n *nemesis) {
	i, g := n.gateway()
	heal := n.breaks(entry{Who: "redis of " + g.name, Note: "reset"})
	for _, link := range n.cluster.links[i] {
		link.cut()
	}
	if n.rng.IntN(2) == 0 {
		n.noticed(i)
	}
	for _, link := range n.cluster.links[i] {
		link.refuse(false)
	}
	heal()
}}

var storeHeld = fault{"the connections to Redis are black holes", func(n *nemesis) {
	i, g := n.gateway()
	heal := n.breaks(entry{Who: "redis of " + g.name, Note: n.blackHole(n.cluster.links[i]...)})
	if n.rng.IntN(3) == 0 {
		n.between(50, 1500)
	} else {
		n.noticed(i)
	}
	n.light(n.cluster.links[i]...)
	heal()
}}

var bothKilled = fault{"gateway and Redis are killed", func(n *nemesis) {
	n.killBoth(entry{Note: "SIGKILL", Loses: n.late()}, func() {})
}}

var bothEmptied = fault{"gateway and Redis are killed, and Redis forgets", func(n *nemesis) {
	n.killBoth(entry{Note: "SIGKILL, nothing was kept", Loses: true}, func() {})
}}

var bothLosePower = fault{"gateways and Redis lose power", func(n *nemesis) {
	n.killBoth(entry{Note: "power", Loses: true}, n.losePower)
}}

// killBoth kills Redis and some of the gateways, or all, in any order.
func (n *nemesis) killBoth(e entry, meanwhile func()) {
	victims := n.victims()
	heal := n.killing(victims)
	e.Who, e.Crash, e.Store = "redis", true, true
	e.Note += fmt.Sprintf(", with %d gateways", len(victims))
	healStore := n.breaks(e)
	first := n.rng.IntN(2) == 0
	if first {
		n.cluster.redis.kill()
		n.between(1, 300)
	}
	for _, g := range victims {
		g.kill()
	}
	if !first {
		n.cluster.redis.kill()
	}
	meanwhile()
	n.cluster.redis.start()
	healStore()
	for _, g := range victims {
		g.start()
	}
	heal()
}

// victims draws some of the gateways that run, or all.
func (n *nemesis) victims() (victims []*gateway) {
	for _, i := range n.rng.Perm(len(n.cluster.gateways))[:1+n.rng.IntN(len(n.cluster.gateways))] {
		if g := n.cluster.gateways[i]; g.alive() {
			victims = append(victims, g)
		}
	}
	return victims
}

// killing notes that gateways are about to be killed, and returns what notes
// that they run again.
func (n *nemesis) killing(victims []*gateway) (heal func()) {
	var heals []func()
	for _, g := range victims {
		heals = append(heals, n.breaks(entry{Who: g.name, Crash: true, Note: "SIGKILL, with its store"}))
	}
	return func() {
		for _, heal := range heals {
			heal()
		}
	}
}

var diskFull = fault{"the disk is full", func(n *nemesis) {
	i, g := n.gateway()
	info, err := os.Stat(n.cluster.files[i])
	if err != nil || !g.alive() {
		return
	}
	n.fill(g.name, g.cmd.Process.Pid, uint64(info.Size()))
}}

var redisDiskFull = fault{"the disk of Redis is full", func(n *nemesis) {
	_, long, err := n.cluster.redis.aof()
	if err != nil || !n.cluster.redis.alive() {
		return
	}
	// With appendfsync always Redis rather ends than go on; with everysec it
	// refuses writes. Both is a full disk.
	heal := n.breaks(entry{Who: "redis", Store: true, Crash: true, Note: "its process may end of a full disk"})
	n.fill("disk of redis", n.cluster.redis.cmd.Process.Pid, uint64(max(long, 1<<10)))
	if !n.cluster.redis.alive() {
		n.cluster.redis.start()
	}
	heal()
}}

// fill has a process find no room in its file.
func (n *nemesis) fill(who string, pid int, size uint64) {
	heal := n.breaks(entry{Who: who, Note: fmt.Sprintf("no file gets longer than %d bytes", size)})
	if err := limit(pid, size); err != nil {
		n.rec.wrong(0, "nemesis", "prlimit: %v", err)
	}
	n.between(100, 2500)
	if err := limit(pid, 0); err != nil && !strings.Contains(err.Error(), "no such process") {
		n.rec.wrong(0, "nemesis", "prlimit: %v", err)
	}
	heal()
}

// enough bounds how long the store is left away until the gateways have
// noticed and gone on without it.
const enough = 30 * time.Second

// noticed waits until the gateways (all, or those that are named) say by
// /readyz that their store is away, while events that need none go on. That
// neither happens is a violation.
func (n *nemesis) noticed(which ...int) {
	if len(which) == 0 {
		for i := range n.cluster.gateways {
			which = append(which, i)
		}
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	for _, i := range which {
		if g := n.cluster.gateways[i]; g.alive() {
			n.awaitRed(g.name, began, n.ticks[i], func() (bool, string) { return g.ready(context.Background(), client) })
		}
	}
}

// awaitRed waits until a gateway is not ready, by what ready says, and three more
// ticks have come since it knows that; enough at most since began.
func (n *nemesis) awaitRed(name string, began time.Time, ticks *atomic.Int64, ready func() (is bool, text string)) {
	isRed, had, text := false, int64(0), ""
	for {
		if !isRed {
			var is bool
			if is, text = ready(); !is {
				red := time.Since(began)
				n.rec.add(entry{Kind: kindReady, Who: name, Note: "red: " + text, Within: red.Milliseconds()})
				n.away = append(n.away, red)
				isRed, had = true, ticks.Load() // from when it knows
			}
		}
		switch {
		case isRed && ticks.Load() > had+2:
			return
		case time.Since(began) <= enough:
			time.Sleep(20 * time.Millisecond)
			continue
		case isRed:
			n.rec.wrong(8, name, "its store has been away for %v, and events without a class have stopped", enough)
		default:
			n.rec.wrong(8, name, "its store has been away for %v, and /readyz says: %s", enough, text)
		}
		return
	}
}
