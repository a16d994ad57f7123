package transport_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// resources is what the process holds.
type resources struct {
	goroutines, sockets int
	heap                uint64 // bytes that are reachable
}

func measure() resources {
	runtime.GC() // moves what pools hold to their victims
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return resources{goroutines: runtime.NumGoroutine(), sockets: openFiles(), heap: ms.HeapAlloc}
}

// watch holds checkpoints until the time is up or something has failed.
func (sk *soak) watch() {
	every := min(30*time.Second, sk.length/6)
	if every < 5*time.Second {
		every = sk.length // a short soak has none but its end
	}
	end := time.After(sk.length)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var heaps []uint64
	for {
		select {
		case <-end:
			sk.stop()
			return
		case <-sk.over:
			return
		case <-tick.C:
			heaps = sk.checkpoint(heaps)
		}
	}
}

// checkpoint has everybody leave but the residents, who come to rest, and
// checks that nothing is left of those that went. heaps is what was reachable
// at the checkpoints before.
func (sk *soak) checkpoint(heaps []uint64) []uint64 {
	sk.setHurry(true)
	sk.gate.Lock()
	defer sk.gate.Unlock()
	if sk.isOver() {
		return heaps
	}
	defer sk.setHurry(false)
	sk.ledger.forget()
	if left := sk.leftovers(sk.workers + keptWorkers); left != "" {
		sk.failed("at a checkpoint: " + left)
		return heaps
	}
	for seat := range sk.residents {
		if p := sk.residents[seat].Load(); p != nil {
			p.checkRest()
			p.prune()
		}
	}
	m := measure()
	heaps = append(heaps, m.heap)
	sk.report(fmt.Sprintf("checkpoint %d: %d sessions, %d KiB reachable", len(heaps), sk.rt.Stats().Connections, m.heap>>10))
	// The first may lack what is only ever made once.
	if n := len(heaps); n > 3 {
		if most := max(heaps[0], heaps[1], heaps[2]); m.heap > most+most/4+heapSlack {
			sk.failed(fmt.Sprintf("memory grows: KiB at the checkpoints: %v", inKiB(heaps)))
		}
	}
	return heaps
}

// heapSlack is how much more than at the first checkpoints may be reachable,
// besides a quarter: maps and pools are as large as they ever had to be.
const heapSlack = 2 << 20

func inKiB(list []uint64) (out []uint64) {
	for _, n := range list {
		out = append(out, n>>10)
	}
	return out
}

// keptWorkers is how many goroutines the transport may keep for first messages.
const keptWorkers = 16

// leftovers waits until only the residents and so many goroutines are left,
// and says what else there is.
func (sk *soak) leftovers(workers int) string {
	const (
		perResident = 3 // goroutines: its reader and its writer here, its reader there
		ends        = 2 // sockets of a connection
	)
	for deadline := time.Now().Add(patientlyWaited + longLost); ; <-time.After(5 * time.Millisecond) { // some are read slowly up to their end
		sessions := 0
		for seat := range sk.residents {
			if p := sk.residents[seat].Load(); p != nil && !p.over() {
				sessions++
			}
		}
		goroutines, sockets := sk.quiet.goroutines+workers+sessions*perResident, sk.quiet.sockets+sessions*ends
		rs, ts := sk.rt.Stats(), sk.srv.Stats()
		n, files := runtime.NumGoroutine(), openFiles()
		var left string
		switch {
		case rs.Connections != sessions || ts.Open != sessions:
			left = fmt.Sprintf("%d sessions and %d connections are open, want %d", rs.Connections, ts.Open, sessions)
		case rs.Resumption.Away != 0:
			left = fmt.Sprintf("%d sessions are away for longer than %v", rs.Resumption.Away, resumeWindow)
		case rs.Joined-rs.Left != uint64(sessions):
			left = fmt.Sprintf("%d sessions joined and %d left, want %d to be there", rs.Joined, rs.Left, sessions)
		case sk.realm.SessionCount() != sessions:
			left = fmt.Sprintf("the realm has %d sessions, want %d", sk.realm.SessionCount(), sessions)
		case n > goroutines:
			left = fmt.Sprintf("%d goroutines, want %d", n, goroutines)
		case files > sockets:
			left = fmt.Sprintf("%d sockets, want %d", files, sockets)
		default:
			return ""
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			return left + "\n" + string(stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// reside is the life of a client that stays: at a checkpoint it only comes to
// rest. It ends when the soak does, or if the router ends it.
func (sk *soak) reside(rnd *rand.Rand, seat int) {
	p, err := sk.connect(rnd, sk.places[seat%len(sk.places)], profiles[seat%len(profiles)])
	if err != nil {
		sk.failed("connect: " + err.Error())
		return
	}
	defer p.release()
	if !p.hello() {
		p.judge()
		return
	}
	sk.ledger.present[seat].Store(uint64(p.id))
	defer sk.ledger.present[seat].Store(0)
	sk.residents[seat].Store(p)
	defer sk.residents[seat].Store(nil)
	for p.live(sk.length+time.Hour) && p.settle() {
		if sk.isOver() {
			p.goodbye()
			return
		}
		sk.gate.RUnlock()
		p.rest()
	}
	p.judge()
}

// rest only answers until things go on.
func (p *soaker) rest() {
	for !p.sk.gate.TryRLock() {
		select {
		case <-p.wake:
		case <-time.After(5 * time.Millisecond):
		}
		p.mu.Lock()
		p.answer(true)
		p.mu.Unlock()
	}
}

// checkRest waits until a resident has got all that it must, and checks that.
func (p *soaker) checkRest() {
	for deadline := time.Now().Add(patientlyWaited); !p.over(); p.wait(5 * time.Millisecond) {
		p.mu.Lock()
		var late *heard
		for _, h := range p.subs {
			if h.group != nil && !p.atRest(h) {
				late = h
			}
		}
		if late != nil && time.Now().After(deadline) {
			p.fail("the last event of %v has not come", late.pattern)
			late = nil
		}
		p.mu.Unlock()
		if late == nil {
			return
		}
	}
}

// prune forgets publishers that have left, at a moment when nothing of them is
// on its way.
func (p *soaker) prune() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.subs {
		h.prune()
	}
}

// final checks what is left when everybody has gone.
func (sk *soak) final() {
	if sk.failures.Load() > 0 {
		return
	}
	if left := sk.leftovers(keptWorkers); left != "" {
		sk.failed("at the end: " + left)
		return
	}
	sk.checkTables()
	sk.checkCounters()
	if m := measure(); m.heap > sk.quiet.heap+endSlack {
		sk.failed(fmt.Sprintf("%d KiB were reachable before, and %d after", sk.quiet.heap>>10, m.heap>>10))
	}
	sk.report("the end")
}

// endSlack is how much more may be reachable at the end than before the first
// client.
const endSlack = 4 << 20

// checkTables checks that no subscription and no registration has outlived
// its sessions: what is subscribed to now is a new subscription, and
// procedures are free.
func (sk *soak) checkTables() {
	p, err := sk.connect(rand.New(rand.NewPCG(sk.seed, 1)), sk.places[0], profiles[0])
	if err != nil {
		sk.failed("connect: " + err.Error())
		return
	}
	defer p.release()
	if !p.hello() {
		sk.failed("the last client could not join")
		return
	}
	old := map[pattern]wamp.ID{}
	sk.mu.Lock()
	maps.Copy(old, sk.seen)
	sk.mu.Unlock()
	p.mu.Lock()
	for pat := range old {
		id := p.nextRequest()
		p.requests[id] = &request{kind: wamp.TypeSubscribe, pattern: pat}
		p.send(&wamp.Subscribe{Request: id, Options: wamp.SubscribeOptions{Match: pat.match}, Topic: wamp.URI(pat.uri)})
	}
	for _, proc := range soakProcedures {
		p.sendRegister(proc, wamp.RegisterOptions{Match: proc.match})
	}
	p.mu.Unlock()
	if !p.settle() {
		p.judge()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.regs) != len(soakProcedures) {
		p.fail("%d procedures could be registered, want %d: the others are registered still", len(p.regs), len(soakProcedures))
	}
	for id, h := range p.subs {
		if old[h.pattern] == id {
			p.fail("the subscription of %v is still there", h.pattern)
		}
	}
}

// checkCounters checks that the router owns up to all that it did to clients.
func (sk *soak) checkCounters() {
	rs, ts, t := sk.rt.Stats(), sk.srv.Stats(), &sk.tally
	crowded := rs.Resumption.Crowded + rs.Resumption.CrowdedUser + rs.Resumption.CrowdedAddress
	for _, c := range []struct {
		what          string
		seen, ownedUp uint64
	}{
		{"sessions ended as slow", uint64(t.slow.Load()), rs.SlowConsumers},
		{"sessions ended as silent", uint64(t.silent.Load()), ts.PingTimeouts},
		{"connections cut without a word", uint64(t.abrupt.Load()), rs.WriteTimeouts + ts.PingTimeouts + rs.SlowConsumers},
		{"violations", uint64(t.told.Load()), rs.Violations + ts.TooBig},
		{"events missed", uint64(t.missed.Load()), rs.DroppedOldest + rs.Superseded},
		{"events received", uint64(t.events.Load()), rs.Events},
		{"sessions resumed", uint64(t.resumed.Load()), rs.Resumption.Resumed},
		{"sessions ended as slow, or not to be resumed in time", uint64(t.slow.Load() + t.early.Load()), rs.SlowConsumers + crowded},
		{"… or ever", uint64(t.slow.Load() + t.early.Load() + t.expired.Load()), rs.SlowConsumers + crowded + rs.Resumption.Expired},
		{"sessions for which too little is kept", uint64(t.outdated.Load()), rs.Resumption.GivenUp},
	} {
		if c.seen > c.ownedUp {
			sk.failed(fmt.Sprintf("%s: clients saw %d, and the router counts %d", c.what, c.seen, c.ownedUp))
		}
	}
	if most := uint64(t.garbage.Load()); rs.Violations > most {
		sk.failed(fmt.Sprintf("the router counts %d violations of the protocol, and clients committed %d", rs.Violations, most))
	}
	if rs.Untranslatable != 0 || rs.Refused != 0 {
		sk.failed(fmt.Sprintf("%d events untranslatable, %d refused, want none", rs.Untranslatable, rs.Refused))
	}
	if t.events.Load() == 0 || t.calls.Load() == 0 || t.broken.Load() > 50 && t.resumed.Load() == 0 {
		sk.failed("nothing happened")
	}
}

// report logs how it goes.
func (sk *soak) report(when string) {
	t := &sk.tally
	rs, ts := sk.rt.Stats(), sk.srv.Stats()
	line := fmt.Sprintf("%8v %s; %d lives, %d joined, %d events got, %d missed, %d calls, %d violations of %d, %d half-open; "+
		"%d connections broken, %d sessions resumed, %d not any more (%d early), %d not whole; "+
		"router: %d slow, %d write timeouts, %d ping timeouts, %d dropped, %d superseded, %d pauses; clients saw: %d slow, %d silent, %d abrupt; a call took %v, %d clients waited longer than %v",
		time.Since(sk.began).Round(time.Millisecond), when, t.lives.Load(), rs.Joined, t.events.Load(), t.missed.Load(), t.calls.Load(),
		t.told.Load(), t.garbage.Load(), t.halfOpen.Load(),
		t.broken.Load(), t.resumed.Load(), t.expired.Load()+t.early.Load(), t.early.Load(), t.outdated.Load(),
		rs.SlowConsumers, rs.WriteTimeouts, ts.PingTimeouts, rs.DroppedOldest, rs.Superseded, rs.Pauses,
		t.slow.Load(), t.silent.Load(), t.abrupt.Load(),
		time.Duration(t.longest.Load()).Round(time.Millisecond), t.slowly.Load(), patientlyWaited)
	sk.t.Log(line)
	if os.Getenv("SOAK") != "" {
		fmt.Fprintln(os.Stderr, line) // for who waits
	}
}

// close shuts everything down and checks that nothing of it is left.
func (sk *soak) close() {
	for _, pl := range sk.places {
		pl.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patientlyWaited)
	defer cancel()
	if err := sk.srv.Shutdown(ctx); err != nil {
		sk.t.Errorf("Server.Shutdown: %v", err)
	}
	if err := sk.rt.Shutdown(ctx); err != nil {
		sk.t.Errorf("Router.Shutdown: %v", err)
	}
}
