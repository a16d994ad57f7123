package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A naiveCallee is one in a plain list, which is what callees must agree with.
type naiveCallee struct {
	number, limit, running, chosen int
	leaving                        bool
}

func (c *naiveCallee) busy() bool { return c.limit > 0 && c.running >= c.limit }

type naiveCallees struct {
	invoke router.Invoke
	list   []*naiveCallee
	turn   int // of roundrobin: the number from which on it looks; numbers grow
	clock  int
}

// options returns who may be chosen: one, or for random any of them. Without
// any it returns what Choose does then.
func (n *naiveCallees) options(tried []int) (fit []*naiveCallee, none int) {
	none = -2
	for _, c := range n.list {
		switch {
		case slices.Contains(tried, c.number):
		case c.busy():
			none = -1 // also where it is about to leave
		case !c.leaving:
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil, none
	}
	best := fit[0]
	switch n.invoke {
	case router.InvokeRandom:
		return fit, 0
	case router.InvokeLast:
		best = fit[len(fit)-1]
	case router.InvokeRoundRobin:
		if i := slices.IndexFunc(fit, func(c *naiveCallee) bool { return c.number >= n.turn }); i >= 0 {
			best = fit[i]
		}
	case router.InvokeLoad:
		for _, c := range fit {
			if c.running < best.running || c.running == best.running && c.chosen < best.chosen {
				best = c
			}
		}
	}
	return []*naiveCallee{best}, 0
}

// Callees that come and go, of each policy, with limits and without, are chosen
// as from a plain list.
func TestCalleesOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, invoke := range []router.Invoke{
		router.InvokeSingle, router.InvokeFirst, router.InvokeLast,
		router.InvokeRoundRobin, router.InvokeRandom, router.InvokeLoad,
	} {
		t.Run(invoke.String(), func(t *testing.T) {
			for most := 1; most <= 1000; most *= 10 {
				steps := 5000
				if raceEnabled {
					steps = 1000
				}
				compareCallees(t, invoke, most, steps, rand.New(rand.NewPCG(seed, uint64(most))))
			}
		})
	}
}

func compareCallees(t *testing.T, invoke router.Invoke, most, steps int, rnd *rand.Rand) {
	shared, naive := router.NewShared(invoke), &naiveCallees{invoke: invoke}
	var running []*naiveCallee // one for each invocation, also of those that have left
	joined := 0
	growing := true
	for step := range steps {
		switch {
		case len(naive.list) >= most:
			growing = false
		case len(naive.list) == 0:
			growing = true
		}
		switch r := rnd.IntN(10); {
		case r < 2 && growing || r < 1:
			c := &naiveCallee{number: joined, limit: rnd.IntN(4)}
			joined++
			naive.clock++
			c.chosen = naive.clock
			naive.list = append(naive.list, c)
			shared.Join(c.number, c.limit)
		case r < 2 && len(naive.list) > 0:
			i := rnd.IntN(len(naive.list))
			c := naive.list[i]
			naive.list = slices.Delete(naive.list, i, i+1)
			if !shared.Leave(c.number) || shared.Leave(c.number) {
				t.Fatalf("step %d: callee %d does not leave once", step, c.number)
			}
		case r == 2 && len(naive.list) > 0 && rnd.IntN(5) == 0:
			c := naive.list[rnd.IntN(len(naive.list))]
			c.leaving = true
			shared.BeginToLeave(c.number)
		case r < 6 && len(running) > 0:
			i := rnd.IntN(len(running))
			c := running[i]
			running = slices.Delete(running, i, i+1)
			c.running--
			shared.Answer(c.number)
		default:
			var tried []int
			for _, c := range naive.list[:min(len(naive.list), 20)] {
				if rnd.IntN(20) == 0 {
					tried = append(tried, c.number)
				}
			}
			fit, none := naive.options(tried)
			got := shared.Choose(tried)
			if len(fit) == 0 {
				if got != none {
					t.Fatalf("step %d: chose %d, want %d", step, got, none)
				}
				continue
			}
			i := slices.IndexFunc(fit, func(c *naiveCallee) bool { return c.number == got })
			if i < 0 {
				t.Fatalf("step %d: chose %d of %v, want %d", step, got, shared.Callees(), fit[0].number)
			}
			c := fit[i]
			naive.clock++
			c.running++
			c.chosen, naive.turn = naive.clock, c.number+1
			running = append(running, c)
		}
		if step%16 > 0 {
			continue // looking at all of them takes a while
		}
		var want []int
		for _, c := range naive.list {
			want = append(want, c.number)
		}
		if got := shared.Callees(); !slices.Equal(got, want) {
			t.Fatalf("step %d: there are %v, want %v", step, got, want)
		}
		if slots := shared.Slots(); slots > 2*len(want)+17 {
			t.Fatalf("step %d: %d callees take %d slots", step, len(want), slots)
		}
	}
}

// Each of many callees is chosen at random as often as the others, wherever
// some have left.
func TestRandomIsEven(t *testing.T) {
	const callees, each = 50, 2000
	shared := router.NewShared(router.InvokeRandom)
	for i := range 2 * callees {
		shared.Join(i, 0)
	}
	for i := range callees {
		shared.Leave(i + callees/2)
	}
	count := map[int]int{}
	for range callees * each {
		count[shared.Choose(nil)]++
	}
	if len(count) != callees {
		t.Errorf("%d callees were chosen, want %d", len(count), callees)
	}
	for number, n := range count {
		if n < each*3/4 || n > each*5/4 { // eleven standard deviations
			t.Errorf("callee %d was chosen %d times, want about %d", number, n, each)
		}
	}
}

// A bitset has what a map has.
func TestBitset(t *testing.T) {
	for _, most := range []int{10, 64, 65, 5000, 20_000} {
		var b router.Bitset
		has := map[int]bool{}
		for range 3000 {
			if i := rand.IntN(most); rand.IntN(3) == 0 {
				b.Set(i)
				has[i] = true
			} else {
				b.Clear(i)
				delete(has, i)
			}
			from := rand.IntN(most + 100)
			next, last := -1, -1
			for i := range has {
				if i >= from && (next < 0 || i < next) {
					next = i
				}
				last = max(last, i)
			}
			if got := b.Next(from); got != next {
				t.Fatalf("Next(%d) = %d, want %d of %v", from, got, next, has)
			}
			if got := b.Last(); got != last {
				t.Fatalf("Last() = %d, want %d of %v", got, last, has)
			}
		}
	}
}

// What a callee's leaving and joining again cost where so many share a
// procedure, and what a call costs there.
func BenchmarkSharedJoin(b *testing.B) {
	for _, invoke := range []string{"first", "last", "roundrobin", "random", "load"} {
		for _, n := range []int{100, 10_000} {
			tr := newRouter(b)
			register := fmt.Sprintf(`[64,1,{"invoke":%q},"com.example.proc"]`, invoke)
			callees := make([]*client, n)
			for i := range callees {
				callees[i] = tr.join(wamp.JSON)
				callees[i].send(register)
			}
			unregister := fmt.Sprintf(`[66,1,%d]`, tr.rt.Realm(testRealm).Registration("com.example.proc"))
			b.Run(fmt.Sprintf("op=join/invoke=%s/callees=%d", invoke, n), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					c := callees[i*7919%n] // in the middle
					c.send(unregister)
					c.send(register)
				}
			})
			caller := tr.join(wamp.JSON)
			b.Run(fmt.Sprintf("op=call/invoke=%s/callees=%d", invoke, n), func(b *testing.B) {
				for b.Loop() {
					caller.send(`[48,1,{},"com.example.proc"]`)
					caller.send(`[49,1,{"mode":"skip"}]`)
				}
			})
		}
	}
}
