//go:build linux

package torture_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const ingestKey = "key-for-the-publishers"

// The classes of the test. Nothing is ever removed of the first two; of the
// third nearly everything is.
var allClasses = []string{"log.a", "log.b", "log.short"}

const shortest = 40 // events that are kept of log.short

// config is the configuration of a gateway.
func config(store string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
listen: {http: 127.0.0.1:0}
store: %s
timeouts: {ping_interval: 1s, ping_timeout: 5s, write: 5s, goodbye: 500ms, shutdown: 5s}
resume: {for: 20s, per_address: 0, per_user: 0}
roles:
  anonymous: {subscribe: ["*"], publish: ["*"], call: ["*"]}
  member: {subscribe: ["*"], call: ["*"]}
auth:
  jwt: {secret: %s}
  users:
    robot: {roles: [member], ticket_sha256: %x}
ingest:
  keys: [{name: all, secret: %s, classes: ["*"]}]
`, store, jwtSecret, sha256.Sum256([]byte(robotTicket)), ingestKey)
	if strings.HasPrefix(store, "redis") {
		b.WriteString("redis: {timeout: 2s}\n")
	}
	b.WriteString("classes:\n")
	for _, class := range allClasses {
		events := 1 << 30
		if class == "log.short" {
			events = shortest
		}
		fmt.Fprintf(&b, `  %s:
    access: public
    channel: room
    persistent: true
    retain: {events: %d}
    fields:
      key: {type: string, required: true}
      room: {type: string, required: true}
      tag: {type: int, required: true, min: 0}
`, class, events)
	}
	return b.String()
}

// A mode is a way to run gateways, with what is promised for it.
type mode struct {
	name    string
	always  bool     // also where nobody asks for more
	nodes   int      // how many gateways; 0: one or two
	redis   []string // its arguments; nil: the embedded store, or several
	several func(t *testing.T, rec *recorder) *several
	forgets bool // Redis forgets everything when it is killed
	promise promise
	faults  []fault
}

var short = map[string]uint64{"log.short": shortest}

var modes = []mode{
	{
		name: "embedded", always: true, nodes: 1, promise: promise{Trimmed: short},
		faults: []fault{gatewayKilled, gatewayRestarted, gatewayStopped, clientsCut, clientsHeld, diskFull},
	},
	{
		name: "redis-always", always: true, nodes: 1, redis: []string{"--appendonly", "yes", "--appendfsync", "always"},
		promise: promise{Trimmed: short, Epochs: true},
		faults:  []fault{gatewayKilled, gatewayRestarted, gatewayStopped, clientsCut, clientsHeld, redisKilled, redisStopped, storeCut, storeHeld, bothKilled, redisDiskFull},
	},
	{
		name: "redis-everysec", nodes: 1, redis: []string{"--appendonly", "yes", "--appendfsync", "everysec"},
		promise: promise{Trimmed: short, Epochs: true, Loses: 3 * time.Second},
		faults:  []fault{gatewayKilled, gatewayRestarted, clientsCut, redisKilled, redisStopped, storeCut, storeHeld, bothKilled, redisDiskFull, powerLost},
	},
	{
		name: "redis-memory", nodes: 1, redis: []string{"--appendonly", "no"}, forgets: true,
		promise: promise{Trimmed: short, Epochs: true, Loses: 24 * time.Hour},
		faults:  []fault{gatewayKilled, gatewayRestarted, clientsCut, redisEmptied, redisStopped, storeCut, storeHeld, bothEmptied},
	},
	{
		name: "nodes", nodes: 2, redis: []string{"--appendonly", "yes", "--appendfsync", "always"},
		promise: promise{Trimmed: short, Epochs: true},
		faults:  []fault{gatewayKilled, gatewayRestarted, gatewayStopped, clientsCut, clientsHeld, redisKilled, redisStopped, storeCut, storeHeld, bothKilled},
	},
	{
		name: "nodes-everysec", nodes: 2, redis: []string{"--appendonly", "yes", "--appendfsync", "everysec"},
		promise: promise{Trimmed: short, Epochs: true, Loses: 3 * time.Second},
		faults:  []fault{gatewayKilled, clientsCut, redisKilled, storeCut, storeHeld, bothKilled, powerLost, bothLosePower},
	},
	{
		name: "sentinel", nodes: 2, several: newSentinels, promise: failsOver,
		faults: []fault{gatewayKilled, clientsCut, storeCut, storeHeld, primaryKilled, primaryStopped, primaryParted, primaryAndGatewaysKilled, takenOver},
	},
	{
		name: "cluster", nodes: 2, several: newRedisCluster, promise: failsOver,
		faults: []fault{gatewayKilled, clientsCut, storeCut, storeHeld, primaryKilled, primaryStopped, primaryParted, primaryAndGatewaysKilled, takenOver, slotMoved},
	},
}

// failsOver is what is promised where a replica takes over. Loses is how far
// behind it may be, on a machine on which it seldom gets a turn.
var failsOver = promise{Trimmed: short, Epochs: true, Loses: 15 * time.Second}

// A cluster is what the nemesis breaks.
type cluster struct {
	mode     *mode
	rec      *recorder
	gateways []*gateway
	redis    *redisServer // nil: the embedded store, or several
	several  *several     // nil: redis, or the embedded store
	links    [][]*proxy   // from each gateway to each process of Redis with data
	watched  [][]*proxy   // from each gateway to each Sentinel
	files    []string     // the embedded store of each gateway
}

// startCluster starts what the mode needs.
func startCluster(t *testing.T, m *mode, rec *recorder, rng *rand.Rand) *cluster {
	c := &cluster{mode: m, rec: rec}
	nodes := m.nodes
	if nodes == 0 {
		nodes = 1 + rng.IntN(2)
	}
	switch {
	case m.redis != nil:
		needRedis(t)
		c.redis = newRedis(t, rec, m.redis...)
	case m.several != nil:
		needRedis(t)
		c.several = m.several(t, rec)
	}
	dir := t.TempDir()
	for i := range nodes {
		name := string(rune('a' + i))
		folder := filepath.Join(dir, name)
		store := "file:wireroom.db"
		switch {
		case c.redis != nil:
			link := newProxy(t)
			link.lead("unix", c.redis.socket())
			c.links = append(c.links, []*proxy{link})
			store = "redis://" + link.addr()
		case c.several != nil:
			url, links, watched := c.several.lead(t)
			c.links, c.watched = append(c.links, links), append(c.watched, watched)
			store = url
		}
		c.gateways = append(c.gateways, newGateway(t, rec, "gateway "+name, folder, config(store)))
		if c.links != nil && !slices.ContainsFunc(c.links[i], (*proxy).carries) {
			t.Fatalf("gateway %s has found a way to its store past the proxies", name)
		}
		c.files = append(c.files, filepath.Join(folder, "wireroom.db"))
	}
	return c
}

// any returns one of the gateways.
func (c *cluster) any(rng *rand.Rand) *gateway { return c.gateways[rng.IntN(len(c.gateways))] }

// watch writes down what /readyz of each gateway says, until ctx is done.
func (c *cluster) watch(ctx context.Context) {
	var each sync.WaitGroup
	for _, g := range c.gateways {
		each.Go(func() {
			client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			said := ""
			for ctx.Err() == nil {
				_, text := g.ready(ctx, client)
				if i := strings.Index(text, "://"); i >= 0 { // an error with an address that changes
					text = "no answer"
				}
				if text != said && ctx.Err() == nil {
					c.rec.add(entry{Kind: kindReady, Who: g.name, Note: text})
				}
				said = text
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
	each.Wait()
}

// settled waits until all gateways are ready.
func (c *cluster) settled() {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, g := range c.gateways {
		text := ""
		for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			var ready bool
			if ready, text = g.ready(context.Background(), client); ready {
				break
			}
			if time.Now().After(late) {
				c.rec.wrong(8, g.name, "nothing is broken any more, and /readyz has said for %v: %s", patience, text)
				break
			}
		}
	}
}
