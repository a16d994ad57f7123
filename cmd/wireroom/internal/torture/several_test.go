//go:build linux

package torture_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Several are processes of redis-server of which one takes over from another:
// a primary and a replica that Sentinels watch, or a Cluster of three primaries
// with a replica each.
//
// On a machine that is slow enough every process looks dead now and then. So
// that nothing fails over but what the nemesis has broken, nobody is taken for
// dead before impatient has been called.
//
// Sentinels and the replica reach each of the two through a door, so that the
// primary can be cut off from them and not from a gateway. Nodes of a Cluster
// reach each other through two doors each, and come from an address of their own,
// by which one of them can be barred from the others' doors.
type several struct {
	rec       *recorder
	nodes     []*redisServer // those with data
	sentinels []*redisServer // none: it is a Cluster
	slot      int            // of a Cluster: that of the store
}

const (
	patientFor   = 10 * time.Minute // until somebody who does not answer counts as dead
	impatientFor = 1500 * time.Millisecond
	turns        = 3 * patience // how long a replica may take to take over; a Sentinel that was stopped itself waits for 30 s
)

// newSentinels starts a primary, a replica, and three Sentinels that watch them.
func newSentinels(t *testing.T, rec *recorder) *several {
	t.Helper()
	s := &several{rec: rec}
	ports := freePorts(t, 5)
	for i, port := range ports[:2] {
		door := newProxy(t)
		door.lead("tcp", "127.0.0.1:"+port)
		_, announced, _ := net.SplitHostPort(door.addr())
		args := []string{
			"--port", port, "--bind", "127.0.0.1", "--appendonly", "yes", "--repl-diskless-sync-delay", "0",
			"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", announced,
		}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1 "+s.nodes[0].port)
		}
		node := newRedis(t, rec, args...)
		node.port, node.listens, node.door = announced, port, door
		s.nodes = append(s.nodes, node)
	}
	s.nodes[1].args = s.nodes[1].args[:len(s.nodes[1].args)-2] // from now on Sentinel says what it is
	id := func(port string) string { return strings.Repeat("0", 35) + port }
	for _, port := range ports[2:] {
		node := prepareRedis(t, rec)
		node.port, node.listens = port, port
		var conf strings.Builder
		fmt.Fprintf(&conf, "port %s\nbind 127.0.0.1\nunixsocket %s\ndir %s\nsentinel myid %s\n", port, node.socket(), node.dir, id(port))
		fmt.Fprintf(&conf, "sentinel monitor store 127.0.0.1 %s 2\nsentinel down-after-milliseconds store %d\nsentinel failover-timeout store 5000\n", s.nodes[0].port, patientFor.Milliseconds())
		for _, other := range ports[2:] {
			if other != port {
				fmt.Fprintf(&conf, "sentinel known-sentinel store 127.0.0.1 %s %s\n", other, id(other))
			}
		}
		file := filepath.Join(node.dir, "sentinel.conf") // which it writes, too
		if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		node.command = []string{file, "--sentinel"}
		node.start()
		// What it knows of those that it watches is ten seconds old otherwise, and
		// after it stood still it does nothing for half a minute. Redis 6.2 has no
		// such command, and only takes longer.
		_, _ = node.do("SENTINEL", "DEBUG", "INFO-PERIOD", 1000, "TILT-PERIOD", 3000)
		s.sentinels = append(s.sentinels, node)
	}
	s.await("Sentinels know everybody", s.whole)
	return s
}

// newRedisCluster starts three primaries with a replica each.
func newRedisCluster(t *testing.T, rec *recorder) *several {
	t.Helper()
	s := &several{rec: rec}
	ports := freePorts(t, 12)
	ids := make([]string, 6)
	for i := range ids {
		door, bus, source := newProxy(t), newProxy(t), fmt.Sprintf("127.0.1.%d", 1+i)
		door.lead("tcp", "127.0.0.1:"+ports[i])
		bus.lead("tcp", "127.0.0.1:"+ports[6+i])
		_, announced, _ := net.SplitHostPort(door.addr())
		_, announcedBus, _ := net.SplitHostPort(bus.addr())
		node := newRedis(t, rec, "--port", ports[i], "--bind", "127.0.0.1", "--appendonly", "yes", "--repl-diskless-sync-delay", "0",
			"--cluster-enabled", "yes", "--cluster-port", ports[6+i], "--cluster-node-timeout", fmt.Sprint(patientFor.Milliseconds()),
			"--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no", "--bind-source-addr", source,
			"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", announced, "--cluster-announce-bus-port", announcedBus)
		node.port, node.listens, node.door, node.bus, node.source = announced, ports[i], door, bus, source
		s.nodes = append(s.nodes, node)
		s.must(node, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		ids[i] = fmt.Sprint(s.must(node, "CLUSTER", "MYID"))
	}
	slot, _ := s.must(s.nodes[0], "CLUSTER", "KEYSLOT", "{wireroom}").(int64)
	s.slot = int(slot)
	for i, part := range [][2]int{{0, 5460}, {5461, 10921}, {10922, 16383}} {
		s.must(s.nodes[i], "CLUSTER", "ADDSLOTSRANGE", part[0], part[1])
	}
	for i, node := range s.nodes[1:] {
		for j := range i + 1 {
			s.must(node, "CLUSTER", "MEET", "127.0.0.1", s.nodes[j].port, s.nodes[j].busPort())
		}
	}
	for i, node := range s.nodes[3:] {
		s.await("a replica knows its primary", func() error {
			_, err := node.do("CLUSTER", "REPLICATE", ids[i])
			return err
		})
	}
	s.await("the Cluster is whole", s.whole)
	return s
}

// busPort returns at which port the nodes of a Cluster reach this one.
func (r *redisServer) busPort() string {
	_, port, _ := net.SplitHostPort(r.bus.addr())
	return port
}

// part cuts a process with data off from the others, and from Sentinels, until
// join. Gateways reach it past its doors.
func (s *several) part(from *redisServer) {
	from.door.cut()
	if from.bus == nil {
		return
	}
	from.bus.cut()
	for _, node := range s.nodes {
		node.door.bar(from.source)
		node.bus.bar(from.source)
	}
}

// join is the end of part.
func (s *several) join(from *redisServer) {
	from.door.refuse(false)
	if from.bus == nil {
		return
	}
	from.bus.refuse(false)
	for _, node := range s.nodes {
		node.door.unbar()
		node.bus.unbar()
	}
}

// freePorts returns ports of the loopback interface on which nobody listens,
// and which the system gives to nobody who connects: a process that is started
// again finds its port free. Each has five digits.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range 1000 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		_ = ln.Close()
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
		if len(ports) == n {
			return ports
		}
	}
	t.Fatalf("found %d free ports of %d", len(ports), n)
	return nil
}

// must sends a command to a node that is there.
func (s *several) must(node *redisServer, args ...any) any {
	v, err := node.do(args...)
	if err != nil {
		s.rec.wrong(0, "redis", "%v: %v", args, err)
	}
	return v
}

// await waits until f has no error.
func (s *several) await(what string, f func() error) {
	var err error
	for late := time.Now().Add(turns); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	s.rec.wrong(0, "redis", "after %v not yet: %s: %v", turns, what, err)
}

// impatient says whether somebody who does not answer for a moment is dead.
func (s *several) impatient(is bool) {
	after := patientFor
	if is {
		after = impatientFor
	}
	for _, node := range s.sentinels {
		s.must(node, "SENTINEL", "SET", "store", "down-after-milliseconds", after.Milliseconds())
	}
	if s.sentinels == nil {
		for _, node := range s.nodes {
			s.must(node, "CONFIG", "SET", "cluster-node-timeout", after.Milliseconds())
		}
	}
}

// primary returns the node that has the store, as those say who are asked: all
// but one, which may be nil.
func (s *several) primary(but *redisServer) (*redisServer, error) {
	said := ""
	witnesses := s.sentinels
	if witnesses == nil {
		witnesses = s.nodes
	}
	for _, w := range witnesses {
		if w == but {
			continue
		}
		port := ""
		if s.sentinels != nil {
			v, err := w.do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "store")
			if addr, ok := v.([]any); err == nil && ok && len(addr) == 2 {
				port = fmt.Sprint(addr[1])
			}
		} else {
			v, err := w.do("CLUSTER", "SLOTS")
			if err != nil {
				return nil, err
			}
			port = s.ownerIn(v)
		}
		if port == "" || said != "" && port != said {
			return nil, fmt.Errorf("they do not agree: the primary is at %q and at %q", said, port)
		}
		said = port
	}
	i := slices.IndexFunc(s.nodes, func(node *redisServer) bool { return node.port == said })
	if i < 0 {
		return nil, fmt.Errorf("nobody is at %q", said)
	}
	if s.nodes[i] == but {
		return but, nil // which may not answer
	}
	if role := s.nodes[i].info("replication")["role"]; role != "master" {
		return nil, fmt.Errorf("who is at %s is a %s", said, role)
	}
	return s.nodes[i], nil
}

// ownerIn returns the port of the primary that has the slot of the store, by
// what CLUSTER SLOTS says, or nothing.
func (s *several) ownerIn(slots any) string {
	parts, _ := slots.([]any)
	for _, part := range parts {
		fields, _ := part.([]any) // first slot, last slot, primary, replicas
		if len(fields) < 3 {
			continue
		}
		first, _ := fields[0].(int64)
		last, _ := fields[1].(int64)
		node, _ := fields[2].([]any) // address, port, and more
		if len(node) >= 2 && int(first) <= s.slot && s.slot <= int(last) {
			return fmt.Sprint(node[1])
		}
	}
	return ""
}

// whole reports what is missing until everybody is there, agrees on who has the
// store, and every replica has what its primary has.
func (s *several) whole() error {
	if _, err := s.primary(nil); err != nil {
		return err
	}
	primaries := map[string]uint64{} // port → up to where
	for _, node := range s.nodes {
		if info := node.info("replication"); info["role"] == "master" {
			if info["connected_slaves"] != "1" {
				return fmt.Errorf("the primary at %s has %s replicas", node.port, info["connected_slaves"])
			}
			primaries[node.port], _ = strconv.ParseUint(info["master_repl_offset"], 10, 64)
		}
	}
	for _, node := range s.nodes {
		if _, ok := primaries[node.port]; ok {
			continue
		}
		info := node.info("replication")
		end, ok := primaries[info["master_port"]]
		if at, _ := strconv.ParseUint(info["slave_repl_offset"], 10, 64); !ok || info["master_link_status"] != "up" || at < end {
			return fmt.Errorf("the replica at %s is %s to the primary at %s, and has %d of %d", node.port, info["master_link_status"], info["master_port"], at, end)
		}
	}
	if 2*len(primaries) != len(s.nodes) {
		return fmt.Errorf("%d of %d are primaries", len(primaries), len(s.nodes))
	}
	return cmp.Or(s.sentinelsSay(), s.nodesSay())
}

// sentinelsSay reports what Sentinels think is missing.
func (s *several) sentinelsSay() error {
	for _, w := range s.sentinels {
		primary, err := w.client.Do(context.Background(), "SENTINEL", "MASTER", "store").StringSlice()
		if err != nil {
			return err
		}
		has := pairs(primary)
		if has["flags"] != "master" || has["num-slaves"] != "1" || has["num-other-sentinels"] != "2" {
			return fmt.Errorf("a Sentinel says of the primary %v", has)
		}
		replicas, err := sentinelSays(w, "REPLICAS")
		if err != nil {
			return err
		}
		for _, replica := range replicas {
			if replica["flags"] != "slave" || replica["master-link-status"] != "ok" || replica["master-port"] != has["port"] {
				return fmt.Errorf("a Sentinel says of the replica %v", replica)
			}
		}
		others, err := sentinelSays(w, "SENTINELS")
		if err != nil {
			return err
		}
		for _, has := range others {
			if has["flags"] != "sentinel" {
				return fmt.Errorf("a Sentinel says of another %v", has)
			}
		}
	}
	return nil
}

// sentinelSays returns what a Sentinel says of each replica or other Sentinel.
func sentinelSays(w *redisServer, what string) (all []map[string]string, err error) {
	v, err := w.client.Do(context.Background(), "SENTINEL", what, "store").Slice()
	for _, one := range v {
		var words []string
		fields, _ := one.([]any)
		for _, f := range fields {
			words = append(words, fmt.Sprint(f))
		}
		all = append(all, pairs(words))
	}
	return all, err
}

// nodesSay reports what the nodes of a Cluster think is missing.
func (s *several) nodesSay() error {
	if s.sentinels != nil {
		return nil
	}
	for _, node := range s.nodes {
		state, err := node.client.ClusterInfo(context.Background()).Result()
		if err != nil || !strings.Contains(state, "cluster_state:ok") {
			return fmt.Errorf("the node at %s says: %s %w", node.port, state, cmp.Or(err, errors.New("want ok")))
		}
		all, err := node.client.ClusterNodes(context.Background()).Result()
		if err != nil {
			return err
		}
		primaries, replicas := 0, 0
		for line := range strings.Lines(all) {
			words := strings.Fields(line)
			if len(words) < 8 || words[7] != "connected" && !strings.Contains(words[2], "myself") {
				return fmt.Errorf("the node at %s is not connected: %s", node.port, line)
			}
			switch strings.TrimPrefix(words[2], "myself,") {
			case "master":
				if len(words) == 8 {
					return fmt.Errorf("the node at %s knows a primary without slots: %s", node.port, line)
				}
				primaries++
			case "slave":
				replicas++
			default:
				return fmt.Errorf("the node at %s says: %s", node.port, line)
			}
		}
		if primaries != 3 || replicas != 3 {
			return fmt.Errorf("the node at %s knows %d primaries and %d replicas", node.port, primaries, replicas)
		}
	}
	return nil
}

// pairs makes a map of keys and values.
func pairs(words []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		m[words[i]] = words[i+1]
	}
	return m
}

// lead makes proxies for one gateway to all processes, and returns the URL of
// the store for it, the proxies to those that have data, in their order, and
// those to Sentinels.
func (s *several) lead(t *testing.T) (url string, links, watched []*proxy) {
	t.Helper()
	kind, name, asked := "redis+cluster", "", s.nodes
	if s.sentinels != nil {
		kind, name, asked = "redis+sentinel", "/store", s.sentinels
	}
	d := detour{}
	var doors []string
	for _, node := range slices.Concat(s.nodes, s.sentinels) {
		p := newProxy(t)
		p.lead("tcp", "127.0.0.1:"+node.listens)
		_, d[node.port], _ = net.SplitHostPort(p.addr())
		p.rewrite(d)
		if slices.Contains(s.nodes, node) {
			links = append(links, p)
		} else {
			watched = append(watched, p)
		}
		if slices.Contains(asked, node) {
			doors = append(doors, p.addr())
		}
	}
	return kind + "://" + strings.Join(doors, ",") + name, links, watched
}
