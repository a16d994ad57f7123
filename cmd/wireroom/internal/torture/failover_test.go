//go:build linux

package torture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Faults of a store in several processes, of which one takes over from another.
// What the one that takes over had not received is lost, as far as it was
// acknowledged shortly before the fault, or to who believed in the old primary
// until that learned that it is none.

var primaryKilled = fault{"the primary is killed, and a replica takes over", func(n *nemesis) {
	n.failOver(entry{Note: "SIGKILL of the primary"}, nil)
}}

var primaryStopped = fault{"the primary stands still, and comes back when another one has taken over", func(n *nemesis) {
	n.failOver(entry{Note: "SIGSTOP of the primary"}, func(p *redisServer) { p.signal(syscall.SIGSTOP) })
}}

var primaryAndGatewaysKilled = fault{"the primary and gateways are killed", func(n *nemesis) {
	victims := n.victims()
	heal := n.killing(victims)
	n.failOver(entry{Note: fmt.Sprintf("SIGKILL of the primary, with %d gateways", len(victims))}, func(p *redisServer) {
		for _, g := range victims {
			g.kill()
		}
		p.kill()
	})
	for _, g := range victims {
		g.start()
	}
	heal()
}}

// failOver breaks the primary, or kills it, until another one has taken its
// place, and waits until it is a replica of that one.
func (n *nemesis) failOver(e entry, breaks func(p *redisServer)) {
	s := n.cluster.several
	e.Who, e.Store, e.Crash, e.Loses, e.Split = "redis", true, true, true, true
	heal := n.breaks(e)
	old, err := s.primary(nil)
	if err != nil {
		n.rec.wrong(0, "redis", "before a fault: %v", err)
		return
	}
	s.impatient(true)
	if breaks == nil {
		breaks = (*redisServer).kill
	}
	breaks(old)
	s.await("a replica takes over", s.replaced(old))
	n.between(10, 2000)
	if old.alive() {
		old.signal(syscall.SIGCONT)
	} else {
		// It does not know, or whoever starts it does.
		if p, err := s.primary(old); err == nil && s.sentinels != nil && n.rng.IntN(2) == 0 {
			args := old.args
			old.args = append(args[:len(args):len(args)], "--replicaof", "127.0.0.1 "+p.port)
			defer func() { old.args = args }()
		}
		old.start()
	}
	s.await("the old primary is a replica", s.whole)
	s.impatient(false)
	s.await("everybody is there", s.whole)
	heal()
}

// A network in two parts: on one side the primary and a gateway, on the other the
// replica, which takes over, with everybody else. Each gateway goes on with the
// primary that it has.
var primaryParted = fault{"a gateway is alone with the primary, and a replica takes over", func(n *nemesis) {
	s := n.cluster.several
	i, g := n.gateway()
	heal := n.breaks(entry{Who: "redis", Store: true, Crash: true, Loses: true, Split: true, Note: g.name + " is alone with the primary"})
	old, err := s.primary(nil)
	if err != nil {
		n.rec.wrong(0, "redis", "before a fault: %v", err)
		return
	}
	between := slices.Clone(n.cluster.watched[i])
	for at, link := range n.cluster.links[i] {
		if s.nodes[at] != old {
			between = append(between, link)
		}
	}
	s.impatient(true)
	s.part(old)
	for _, p := range between {
		p.cut()
	}
	s.await("a replica takes over", s.replaced(old))
	n.between(10, 5000)
	s.join(old)
	for _, p := range between {
		p.refuse(false)
	}
	s.await("the old primary is a replica", s.whole)
	s.impatient(false)
	s.await("everybody is there", s.whole)
	heal()
}}

var takenOver = fault{"a replica takes over in order", func(n *nemesis) {
	s := n.cluster.several
	// Sentinel promotes a replica without asking the primary to wait. Nodes of a
	// Cluster do, but do not vote again for a replica of the same primary within
	// twice the time after which somebody counts as dead: so that has to be short,
	// and on a slow machine a failover that loses something may come first.
	heal := n.breaks(entry{Who: "redis", Store: true, Crash: true, Loses: true, Split: true, Note: "a replica takes over"})
	old, err := s.primary(nil)
	if err != nil {
		n.rec.wrong(0, "redis", "before a fault: %v", err)
		return
	}
	s.impatient(true)
	var told time.Time
	s.await("a replica takes over", func() error {
		p, err := s.primary(nil)
		if err == nil && p != old {
			return nil
		}
		// It has some seconds for that, and then has to be told again.
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			if s.sentinels != nil {
				_, err = s.sentinels[0].do("SENTINEL", "FAILOVER", "store")
			} else if replica := s.replicaOf(old); replica != nil {
				_, err = replica.do("CLUSTER", "FAILOVER")
			}
		}
		return errors.Join(errors.New("it has not"), err)
	})
	s.await("the old primary is a replica", s.whole)
	s.impatient(false)
	s.await("everybody is there", s.whole)
	heal()
}}

// replaced returns what reports that a primary which nobody can reach is still
// taken for the one.
func (s *several) replaced(old *redisServer) func() error {
	return func() error {
		p, err := s.primary(old)
		if err == nil && p == old {
			err = errors.New("the old primary is thought to be there")
		}
		return err
	}
}

// replicaOf returns the replica of a primary, or nil.
func (s *several) replicaOf(p *redisServer) *redisServer {
	for _, node := range s.nodes {
		if info := node.info("replication"); info["role"] == "slave" && info["master_port"] == p.port {
			return node
		}
	}
	return nil
}

// A slot is moved by hand, as tools do it: key by key.
var slotMoved = fault{"the store moves to another primary of the Cluster", func(n *nemesis) {
	s := n.cluster.several
	from, err := s.primary(nil)
	if err != nil {
		n.rec.wrong(0, "redis", "before a fault: %v", err)
		return
	}
	var others []*redisServer
	for _, node := range s.nodes {
		if node != from && node.info("replication")["role"] == "master" {
			others = append(others, node)
		}
	}
	to := others[n.rng.IntN(len(others))]
	heal := n.breaks(entry{Who: "redis", Store: true, Note: "the slot of the store is moved"})
	ids := map[*redisServer]any{from: s.must(from, "CLUSTER", "MYID"), to: s.must(to, "CLUSTER", "MYID")}
	s.must(to, "CLUSTER", "SETSLOT", s.slot, "IMPORTING", ids[from])
	s.must(from, "CLUSTER", "SETSLOT", s.slot, "MIGRATING", ids[to])
	s.await("all keys are moved", func() error {
		keys, err := from.client.ClusterGetKeysInSlot(context.Background(), s.slot, 10).Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := from.do("MIGRATE", "127.0.0.1", to.port, key, 0, 30_000); err != nil {
				return err
			}
		}
		if len(keys) > 0 {
			return fmt.Errorf("there were %d more", len(keys))
		}
		return nil
	})
	s.must(to, "CLUSTER", "SETSLOT", s.slot, "NODE", ids[to])
	s.must(from, "CLUSTER", "SETSLOT", s.slot, "NODE", ids[to])
	s.await("everybody knows where the store is", s.whole)
	heal()
}}
