package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// A node is a server of a Cluster.
type node struct {
	*server
	id, port, bus string
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{}
	n.port, n.bus = ports(t)
	// No node is taken for dead, however slow the machine is: what fails over
	// is told to.
	n.server = start(t, "--cluster-enabled", "yes", "--port", n.port, "--bind", "127.0.0.1",
		"--cluster-node-timeout", "600000", "--repl-diskless-sync-delay", "0")
	n.id = fmt.Sprint(n.do("CLUSTER", "MYID"))
	return n
}

// await waits until the answer of a node contains the text.
func (n *node) await(what, text string, args ...any) {
	n.t.Helper()
	await(n.t, what, func() error {
		if info := fmt.Sprint(n.do(args...)); !strings.Contains(info, text) {
			return errors.New(info)
		}
		return nil
	})
}

// replicaOf is how a node says that another one is a replica of a third.
func replicaOf(replica, primary *node) string {
	return fmt.Sprintf("%s 127.0.0.1:%s@%s slave %s", replica.id, replica.port, replica.bus, primary.id)
}

// addSlots gives a server slots of its Cluster, the last one included. Redis 6.2
// has no ADDSLOTSRANGE.
func (sv *server) addSlots(first, last int64) {
	sv.t.Helper()
	args := []any{"CLUSTER", "ADDSLOTS"}
	for slot := first; slot <= last; slot++ {
		args = append(args, slot)
	}
	sv.do(args...)
}

// takeOver has a replica become the primary. It has 5 seconds for that, and
// then has to be told again.
func (n *node) takeOver(how ...any) {
	n.t.Helper()
	var told time.Time
	await(n.t, "the replica is the primary", func() error {
		info := fmt.Sprint(n.do("INFO", "replication"))
		if strings.Contains(info, "role:master") {
			return nil
		}
		if time.Since(told) > 6*time.Second {
			n.do(append([]any{"CLUSTER", "FAILOVER"}, how...)...)
			told = time.Now()
		}
		return errors.New(info)
	})
}

// startCluster starts three primaries, and as many replicas of the one that has
// the slot of the default prefix, which comes first.
func startCluster(t *testing.T, replicas int) (nodes []*node) {
	t.Helper()
	for i := range 3 + replicas {
		n := startNode(t)
		if i < 3 {
			n.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		}
		nodes = append(nodes, n)
	}
	slot := nodes[0].do("CLUSTER", "KEYSLOT", "{wireroom}").(int64)
	third := int64(16384 / 3)
	for i, n := range nodes[:3] { // the first one has the part with the slot
		part := (slot/third + int64(i)) % 3
		end := (part+1)*third - 1
		if part == 2 {
			end = 16383
		}
		n.addSlots(part*third, end)
	}
	for i, n := range nodes[1:] {
		for _, other := range nodes[:i+1] {
			n.do("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
		}
	}
	for _, n := range nodes {
		n.await("all nodes know each other", fmt.Sprintf("cluster_known_nodes:%d\r", len(nodes)), "CLUSTER", "INFO")
		n.await("the Cluster is up", "cluster_state:ok", "CLUSTER", "INFO")
	}
	for _, n := range nodes[3:] {
		n.do("CLUSTER", "REPLICATE", nodes[0].id)
		n.await("a replica has a primary", "master_link_status:up", "INFO", "replication")
		for _, other := range nodes[1:3] {
			other.await("those who vote know it", replicaOf(n, nodes[0]), "CLUSTER", "NODES")
		}
	}
	return nodes
}

// url names one node only, from which the store learns of the others.
func (n *node) url() string { return "redis+cluster://127.0.0.1:" + n.port }

// use does one of everything.
func use(t *testing.T, s *redis.Store, n int) events.Appended {
	t.Helper()
	mustPut(t, s, persistent("ada", fmt.Sprint(n)))
	if err := s.MovePersistents(t.Context(), []events.Move{moveOf("ada", fmt.Sprint(n), uint64(n))}); err != nil {
		t.Fatalf("MovePersistents: %v", err)
	}
	if got := names(t, s, "ada"); len(got) != n || got[n-1] != fmt.Sprint(n, "@", n) {
		t.Fatalf("the owner has %q, and %d were put", got, n)
	}
	got := mustPost(t, s, record(n))[0]
	if n := len(all(t, s)); n != int(got.Offset) {
		t.Fatalf("the log has %d records, and the last one has the offset %d", n, got.Offset)
	}
	return got
}

// The store is asked for at a node that has nothing of it, and goes on when
// its slot is moved to another primary, and when a replica takes over.
func TestClusterOfSeveral(t *testing.T) {
	nodes := startCluster(t, 1)
	s := openFor(t, nodes[1].url(), time.Minute)
	first := use(t, s, 1)
	want := func(what string, got events.Appended, offset uint64) {
		t.Helper()
		if got.Epoch != first.Epoch || got.Offset != offset {
			t.Errorf("%s, Append gives %+v, and in the beginning %+v", what, got, first)
		}
	}
	want("at once", use(t, s, 2), 2)

	// A replica takes over in order: what its primary had, it has.
	nodes[3].takeOver()
	want("after a failover", use(t, s, 3), 3)

	// The other way, after the primary was killed.
	nodes[0].await("the primary is a replica", "master_link_status:up", "INFO", "replication")
	for _, n := range nodes[1:3] {
		n.await("those who vote know it", replicaOf(nodes[0], nodes[3]), "CLUSTER", "NODES")
	}
	nodes[3].do("SET", "{wireroom}:last", "x") // what is waited for is what was written before by the same client
	if n := nodes[3].do("WAIT", 1, 20_000); n != int64(1) {
		t.Fatalf("%d replicas have everything", n)
	}
	nodes[3].kill()
	nodes[0].takeOver("FORCE")
	want("after the primary is lost", use(t, s, 4), 4)

	// The slot goes to another primary while the store is used.
	slot := nodes[0].do("CLUSTER", "KEYSLOT", "{wireroom}")
	nodes[2].do("CLUSTER", "SETSLOT", slot, "IMPORTING", nodes[0].id)
	nodes[0].do("CLUSTER", "SETSLOT", slot, "MIGRATING", nodes[2].id)
	done := make(chan error, 1)
	go func() {
		_, err := post(s, record(5))
		done <- err
	}()
	for {
		keys := nodes[0].do("CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
		if len(keys) == 0 {
			break
		}
		for _, key := range keys {
			nodes[0].do("MIGRATE", "127.0.0.1", nodes[2].port, key, 0, 30_000)
		}
	}
	for _, n := range []*node{nodes[2], nodes[0], nodes[1]} {
		n.do("CLUSTER", "SETSLOT", slot, "NODE", nodes[2].id)
	}
	if err := <-done; err != nil {
		t.Errorf("while the slot is moved: %v", err)
	}
	want("after the slot was moved", mustPost(t, s, record(6))[0], 6)
	if got := names(t, s, "ada"); len(got) != 4 {
		t.Errorf("after the slot was moved, the owner has %q", got)
	}
}
