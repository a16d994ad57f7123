//go:build linux

package torture_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHistory has clients of all kinds publish and subscribe while a nemesis
// breaks what can break, and checks the history of it, in rounds: each has a
// mode, a seed and empty stores of its own.
//
// It takes some seconds in which things are broken, or TORTURE (a duration,
// such as 20m), over all modes, or those that fit TORTURE_MODE, with all faults, or
// those whose names fit TORTURE_FAULT; the seed of the first round is TORTURE_SEED,
// or drawn.
func TestHistory(t *testing.T) {
	length, seed := 3*time.Second, uint64(time.Now().UnixNano()%1e9)
	long := os.Getenv("TORTURE")
	if long != "" {
		var err error
		if length, err = time.ParseDuration(long); err != nil {
			t.Fatalf("TORTURE: %v", err)
		}
	}
	if s := os.Getenv("TORTURE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("TORTURE_SEED: %v", err)
		}
	}
	fits, err := regexp.Compile(os.Getenv("TORTURE_MODE"))
	if err != nil {
		t.Fatalf("TORTURE_MODE: %v", err)
	}
	chosen := slices.DeleteFunc(slices.Clone(modes), func(m mode) bool {
		return !fits.MatchString(m.name) || long == "" && !m.always
	})
	if steps() {
		for i := range chosen {
			chosen[i].faults = append(slices.Clip(chosen[i].faults), clockSet)
		}
	}
	some, err := regexp.Compile(os.Getenv("TORTURE_FAULT"))
	if err != nil {
		t.Fatalf("TORTURE_FAULT: %v", err)
	}
	chosen = slices.DeleteFunc(chosen, func(m mode) bool {
		return !slices.ContainsFunc(m.faults, func(f fault) bool { return some.MatchString(f.name) })
	})
	for i, m := range chosen {
		chosen[i].faults = slices.DeleteFunc(slices.Clone(m.faults), func(f fault) bool { return !some.MatchString(f.name) })
	}
	if len(chosen) == 0 {
		t.Fatalf("no mode fits TORTURE_MODE=%q and TORTURE_FAULT=%q", fits, some)
	}
	program(t) // which takes its time
	// A short run is not divided among so many modes that none gets anywhere, and
	// on a slow machine ends when its time is over. Which modes have their turn is
	// a matter of the seed.
	first := len(chosen)
	if long != "" {
		first = max(1, min(first, int(length/(roundLeast+roundAround))))
	}
	began := time.Now()
	for i := 0; ; i++ {
		left := length - time.Since(began)
		if long == "" && i >= first || long != "" && i > 0 && left <= roundLeast+roundAround {
			break
		}
		round := seed + uint64(i)
		m := &chosen[round%uint64(len(chosen))]
		// In the first pass each mode has its part; after that rounds are long
		// enough to meet each fault a few times.
		each := min(length/time.Duration(first), roundMost)
		if i >= first {
			each = min(left, roundMost)
		}
		if long != "" {
			each = max(each-roundAround, time.Second)
		}
		t.Run(fmt.Sprintf("%s/seed=%d", m.name, round), func(t *testing.T) { play(t, m, round, each) })
		if t.Failed() {
			break
		}
	}
}

const (
	roundMost   = 45 * time.Second // for which things are broken in a round
	roundLeast  = 8 * time.Second
	roundAround = 4 * time.Second // what a round takes besides, or so
)

// play plays one round.
func play(t *testing.T, m *mode, seed uint64, length time.Duration) {
	p := m.promise
	p.Name = m.name
	rec := newRecorder(seed, p)
	source := uint64(0)
	rng := func() *rand.Rand { source++; return rand.New(rand.NewPCG(seed, source)) }
	c := startCluster(t, m, rec, rng())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var living sync.WaitGroup // subscribers, and who watches
	living.Go(func() { c.watch(ctx) })

	// Subscribers first, so that each is to get everything.
	n := &nemesis{cluster: c, rec: rec, rng: rng()}
	clients := newClients(c, rec, rng)
	over := make(chan struct{})
	var publishing sync.WaitGroup
	for _, cl := range clients {
		living.Go(func() { cl.run(ctx) })
	}
	for _, cl := range clients {
		select {
		case <-cl.ready:
		case <-time.After(patience):
			t.Fatalf("%s is not subscribed after %v", cl.Name, patience)
		}
	}
	for i, g := range c.gateways {
		topic := "plain.tick." + string(rune('a'+i))
		ticks := new(atomic.Int64)
		n.ticks = append(n.ticks, ticks)
		tock := newTock(c, rec, rng(), g, topic, ticks)
		living.Go(func() { tock.run(ctx) })
		tick := &talker{name: "tick-" + string(rune('a'+i)), classes: []string{topic}, plain: true, every: 40 * time.Millisecond, where: direct(g), rec: rec, rng: rng()}
		publishing.Go(func() { tick.run(ctx, over) })
	}
	for i := range 4 {
		pub := newPublisher(c, rec, fmt.Sprint("p", i), allClasses, rng())
		pub.calls, pub.gives = i == 2, i == 3
		publishing.Go(func() { pub.run(ctx, over) })
	}
	for i := range 2 {
		draw := rng()
		talk := &talker{
			name: fmt.Sprint("w", i), classes: allClasses, every: 60 * time.Millisecond, rec: rec, rng: draw,
			where: func() string { return c.gateways[draw.IntN(len(c.gateways))].front.addr() },
		}
		publishing.Go(func() { talk.run(ctx, over) })
	}

	for _, cl := range clients {
		if cl.settled != nil {
			select {
			case <-cl.settled:
			case <-time.After(patience):
				t.Fatalf("%s has not logged in after %v", cl.Name, patience)
			}
		}
	}
	n.kept(ctx)
	breaking, whole := context.WithTimeout(ctx, length)
	defer whole()
	var destroying sync.WaitGroup
	if c.redis != nil {
		destroying.Go(func() { n.sample(breaking) })
	}
	n.run(breaking)
	destroying.Wait()

	// Nothing is broken any more. Publishers bring to an end what they began,
	// then the last events come, and when everybody has them it is over.
	c.settled()
	close(over)
	if !within(patience, publishing.Wait) {
		rec.wrong(0, "publishers", "they have no answers after %v", patience)
		cancel()
	}
	last := newPublisher(c, rec, "last", allClasses, rng())
	ending, tooLate := context.WithTimeout(ctx, 2*patience)
	defer tooLate()
	for _, name := range []string{"y", "z"} {
		for _, class := range allClasses {
			for _, d := range lastEvents(class, name) {
				last.publish(ending, class, []payload{d}, false)
			}
		}
	}
	last.client.CloseIdleConnections()
	awaitClients(clients)
	for _, class := range allClasses {
		readLog(ending, c, rec, class)
	}
	cancel()
	living.Wait()
	for _, g := range c.gateways {
		if g.alive() {
			g.stop()
		}
		g.look()
	}
	report(t, rec, n)
}

// awaitClients waits until all have their last events, but not for ever.
func awaitClients(clients []*client) {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		if !slices.ContainsFunc(clients, func(cl *client) bool { return !cl.last.done() }) {
			return
		}
	}
}

// within reports whether f returns in time.
func within(d time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// direct leads to a gateway past its proxy.
func direct(g *gateway) func() string {
	return func() string {
		addr, _ := g.addr()
		return addr
	}
}

// newClients returns the subscribers of a round: each kind for each class.
func newClients(c *cluster, rec *recorder, rng func() *rand.Rand) []*client {
	var all []*client
	add := func(name string, s subscriber, change func(*client)) {
		for _, class := range allClasses {
			if !s.Keeps && class == allClasses[1] {
				continue // two of each are enough
			}
			s.Name, s.Class = name+"-"+class, class
			s.All, s.Filters = s.Keeps, s.Room != "" || len(s.Tags) > 0
			cl := &client{subscriber: s, cluster: c, rec: rec, rng: rng(), restless: true, ready: make(chan struct{})}
			if len(s.Tags) > 0 {
				cl.where = whereTags(s.Tags)
			}
			change(cl)
			if cl.last == nil {
				cl.last = lastFor(&cl.subscriber)
			}
			rec.subscriber(cl.subscriber)
			all = append(all, cl)
		}
	}
	add("steady", subscriber{Keeps: true}, func(cl *client) { cl.restless = false })
	add("since", subscriber{Keeps: true}, func(*client) {})
	add("since-room", subscriber{Keeps: true, Room: "r1"}, func(*client) {})
	add("since-where", subscriber{Keeps: true, Tags: []int{1, 3}}, func(*client) {})
	add("resume", subscriber{Keeps: true}, func(cl *client) { cl.resumes = true })
	if c.mode.forgets {
		return all // a store that forgets everything forgets who its clients are
	}
	add("auto", subscriber{Auto: true}, func(cl *client) { cl.acks = ackAuto })
	add("auto-room", subscriber{Auto: true, Room: "r2"}, func(cl *client) { cl.acks = ackAuto })
	add("auto-where", subscriber{Auto: true, Tags: []int{0, 2}}, func(cl *client) { cl.acks = ackAuto })
	add("upto", subscriber{}, func(cl *client) { cl.acks = ackUpto })
	add("upto-where", subscriber{Tags: []int{1}}, func(cl *client) { cl.acks = ackUpto })
	add("each", subscriber{}, func(cl *client) { cl.acks = ackEach })
	add("login", subscriber{}, func(cl *client) {
		cl.acks, cl.becomes, cl.settled = ackUpto, "eve", make(chan struct{})
	})
	// Two sessions of a user have one subscription, whichever gateways they are on.
	for _, u := range []struct{ user, ticket, acks string }{{"ada", jwtOf("ada"), ackUpto}, {"robot", robotTicket, ackAuto}} {
		last := map[string]*expectation{}
		for _, device := range []string{"1", "2"} {
			add(u.user+device, subscriber{Shared: u.user, Auto: u.acks == ackAuto}, func(cl *client) {
				cl.who, cl.acks, cl.name = identity{user: u.user, ticket: u.ticket}, u.acks, "of "+cl.Class
				if last[cl.Class] == nil {
					last[cl.Class] = lastFor(&cl.subscriber)
				}
				cl.last = last[cl.Class]
			})
		}
	}
	return all
}

// newTock returns who subscribes to the topic without a class, past the proxy.
func newTock(c *cluster, rec *recorder, rng *rand.Rand, g *gateway, topic string, ticks *atomic.Int64) *client {
	s := subscriber{Name: "tock-" + topic, Class: topic, Plain: true}
	rec.subscriber(s)
	return &client{subscriber: s, cluster: c, rec: rec, rng: rng, address: direct(g), count: ticks, ready: make(chan struct{})}
}

// readLog writes down what the log of a class has in the end: all before the
// last events but one.
func readLog(ctx context.Context, c *cluster, rec *recorder, class string) {
	var records []entry
	for ctx.Err() == nil {
		records = records[:0]
		err := func() error {
			w, err := dialWAMP(ctx, c.gateways[0].front.addr(), identity{}, nil)
			if err != nil {
				return err
			}
			defer w.vanish()
			if err := w.send(wampSubscribe, w.request(), map[string]any{"_since": 0}, class); err != nil {
				return err
			}
			left := map[string]bool{}
			for _, d := range lastEvents(class, "z") {
				left[d.Key] = true
			}
			for len(left) > 0 {
				until, _ := ctx.Deadline()
				m, err := w.read(until)
				if err != nil {
					return err
				}
				if m.code == wampSubscribed {
					continue
				}
				if m.code != wampEvent {
					return fmt.Errorf("unexpected: %s", m)
				}
				a, err := m.event()
				if err != nil {
					return err
				}
				d := &a.details
				records = append(records, entry{
					Kind: kindFinal, Who: "log", ID: a.data.Key, Class: class, Room: a.data.Room, Tag: a.data.Tag,
					Epoch: d.Epoch, Offset: d.Offset, Pub: a.publication, Time: d.Time,
				})
				delete(left, a.data.Key)
			}
			return nil
		}()
		if err == nil {
			break
		}
		pause(ctx, 100*time.Millisecond)
	}
	if ctx.Err() != nil {
		rec.wrong(1, "log", "%s cannot be read to its end: %v", class, errors.Join(ctx.Err(), io.ErrUnexpectedEOF))
		return
	}
	for _, e := range records {
		rec.add(e)
	}
}

// report checks the history, and says what was done and what was found.
func report(t *testing.T, rec *recorder, n *nemesis) {
	t.Helper()
	h := rec.history()
	counts := map[kind]int{}
	replayed, again := 0, 0
	had := map[string]bool{}
	for i := range h.entries {
		counts[h.entries[i].Kind]++
		if h.entries[i].Replayed {
			replayed++
		}
		if e := &h.entries[i]; e.Kind == kindEvent && e.Offset > 0 {
			key := fmt.Sprint(e.Who, e.place())
			if had[key] {
				again++
			}
			had[key] = true
		}
	}
	began := time.Now()
	found, lost := check(h)
	slices.SortStableFunc(n.away, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	slowest := time.Duration(0)
	if len(n.away) > 0 {
		slowest = n.away[len(n.away)-1]
	}
	t.Logf("%s, TORTURE_SEED=%d: %d faults; %d publications acknowledged, %d refused, %d unknown; %d events, %d of them replayed, %d for the second time, over %d connections; %d acknowledgements; %d lost by the store, %d notices of loss; /readyz red %d times, at the latest after %v; %d entries, checked in %v: %d violations",
		h.Promise.Name, h.Seed, n.faults, counts[kindOK], counts[kindRefused], counts[kindUnknown], counts[kindEvent], replayed, again, counts[kindSubscribed], counts[kindAcked],
		lost, counts[kindGap], len(n.away), slowest.Round(time.Millisecond), len(h.entries), time.Since(began).Round(time.Millisecond), len(found))
	if n.faults == 0 || counts[kindOK] == 0 || counts[kindEvent] == 0 || counts[kindFinal] == 0 {
		t.Errorf("the round shows nothing: faults, receipts, events or the log are missing")
	}
	emptied := slices.ContainsFunc(h.entries, func(e entry) bool { return e.Kind == kindFault && e.Loses })
	if emptied && h.Promise.Loses > time.Hour && lost == 0 {
		t.Errorf("the store has been emptied, and nothing was lost: the checker sees nothing")
	}
	if len(found) > 0 || os.Getenv("TORTURE_KEEP") != "" {
		dir := cmp.Or(os.Getenv("TORTURE_KEEP"), os.TempDir())
		name := filepath.Join(dir, fmt.Sprintf("history-%s-%d.jsonl", h.Promise.Name, h.Seed))
		if err := h.write(name); err != nil {
			t.Error(err)
		}
		t.Logf("the history is in %s", name)
		for _, g := range n.cluster.gateways {
			text, err := os.ReadFile(g.log.Name())
			if err == nil {
				err = os.WriteFile(name+"."+filepath.Base(filepath.Dir(g.log.Name()))+".log", text, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	for i := range found[:min(len(found), 8)] {
		t.Errorf("%s\n%s", &found[i], h.excerpt(&found[i]))
	}
	if len(found) > 8 {
		t.Errorf("… and %d more", len(found)-8)
	}
}
