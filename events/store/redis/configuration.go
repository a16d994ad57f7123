package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Configuration stands for what all gateways of a store must have alike.
type Configuration struct {
	// Digest tells it from all others: up to 128 letters, digits and '-'. Empty: it
	// is not known, and this gateway is compared with none.
	Digest string

	// Parts has the digest of each part, by a name for people, so that it can be
	// said which differ. If they take more than 256 KiB it is not said.
	Parts map[string]string
}

// maxParts is how many bytes of parts the store keeps.
const maxParts = 256 << 10

// A Configured says which configuration the gateways of a store have.
type Configured struct {
	Epoch   uint64    // grows with each one that comes; 0: there is none yet
	Digest  string    // of the newest one
	Node    string    // that it came with
	Name    string    // of that gateway
	Since   time.Time // when that was, by the clock of Redis
	Differs []string  // the parts of it that this gateway has otherwise, sorted; nil: not known

	// Gateways are all that have said which configuration they have, this one
	// among them, by name. Gateways of older versions do not.
	Gateways []Gateway
}

// A Gateway is a node, as people know it.
type Gateway struct {
	Node   string
	Name   string
	Digest string    // of its configuration; empty: not known
	Epoch  uint64    // in which that last was the newest; 0: never
	Since  time.Time // when it came, by the clock of Redis
}

// Configure says which configuration this gateway has from now on. If it is another
// one than the newest, it becomes that. Parts must not be changed.
func (s *Store) Configure(c Configuration) {
	e := s.ear
	e.mu.Lock()
	e.own = c
	e.mu.Unlock()
	e.declaring.Store(true)
}

// name returns the name of the gateway.
func (c Config) name() string {
	if c.Node != "" {
		return c.Node
	}
	host, _ := os.Hostname() // without it, the letters must do
	host, _, _ = strings.Cut(host, ".")
	host = strings.Map(func(r rune) rune {
		if validName(string(r)) {
			return r
		}
		return '-'
	}, host[:min(len(host), 48)])
	return strings.TrimPrefix(host+"-"+strings.ToLower(rand.Text()[:6]), "-")
}

// byName is the order of gateways.
func byName(a, b Gateway) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
}

// nameOf returns the name of a node, as far as it is known.
func (c *census) nameOf(node string) string {
	for i := range c.gateways {
		if c.gateways[i].Node == node {
			return c.gateways[i].Name
		}
	}
	return ""
}

// parseGateway reads what the store says of a node.
func parseGateway(node, text string) (g Gateway, ok bool) {
	w := strings.SplitN(text, " ", 4)
	if len(w) != 4 {
		return g, false
	}
	epoch, err1 := strconv.ParseUint(w[1], 10, 64)
	ms, err2 := strconv.ParseInt(w[2], 10, 64)
	if err1 != nil || err2 != nil {
		return g, false
	}
	return Gateway{Node: node, Name: w[3], Digest: w[0], Epoch: epoch, Since: time.UnixMilli(ms).UTC()}, true
}

// configure says which configuration this node has, if the store does not know it,
// and tells the follower if anything has changed since it was told.
func (e *ear) configure(ctx context.Context, now *census) error {
	fresh := e.declaring.Swap(false)
	if fresh {
		e.mu.Lock()
		own := e.own
		e.mu.Unlock()
		if own.Digest != e.said.Digest {
			e.had = 0
		}
		e.said = own
	}
	known := slices.ContainsFunc(now.gateways, func(g Gateway) bool { return g.Node == e.store.node })
	if fresh || !known || now.epoch != e.newest.Epoch || now.digest != e.newest.Digest {
		if err := e.declare(ctx); err != nil {
			if fresh {
				e.declaring.Store(true)
			}
			return err
		}
		e.beaten = time.Time{} // the next beat has it
		return nil
	}
	e.telling.Lock()
	defer e.telling.Unlock()
	if e.told != nil && e.told.Epoch == now.epoch && e.told.Digest == now.digest && slices.Equal(e.told.Gateways, now.gateways) {
		return nil
	}
	c := e.newest
	c.Gateways = now.gateways
	e.told = &c
	if e.follower != nil {
		e.follower.Configured(c)
	}
	return nil
}

// declare has the store know which configuration this node has, and asks for the
// newest one.
func (e *ear) declare(ctx context.Context) error {
	parts := ""
	if b, err := json.Marshal(e.said.Parts); err == nil && len(b) <= maxParts {
		parts = string(b)
	}
	reply, err := scriptConfig.Run(ctx, e.client, e.store.keys.ofNodes(), e.store.node, e.store.name, e.said.Digest, e.had, parts).Result()
	if err != nil {
		return err
	}
	w, ok := words(reply)
	switch {
	case ok && len(w) == 2 && w[0] == "gone": // the next beat has it join
		return nil
	case !ok || len(w) != 7 || w[0] != "ok":
		return e.store.refused(reply)
	}
	c := parseConfigured(w[1:])
	if c.Digest == e.said.Digest {
		e.had = c.Epoch
	} else {
		c.Differs = e.said.differs(w[6])
	}
	e.newest = c
	return nil
}

// parseConfigured reads epoch, digest, node, name and time of a configuration. All
// are empty if there is none; what is no time is not kept.
func parseConfigured(w []string) (c Configured) {
	c.Digest, c.Node, c.Name = w[1], w[2], w[3]
	c.Epoch = parseEpoch(w[0])
	if ms, err := strconv.ParseInt(w[4], 10, 64); err == nil {
		c.Since = time.UnixMilli(ms).UTC()
	}
	return c
}

// parseEpoch reads the epoch of a configuration. What is no number is none, as it
// must not keep a gateway from hearing others.
func parseEpoch(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// differs returns which parts are others than those of a text, or are only in one of
// them; nil if that cannot be known.
func (c *Configuration) differs(text string) []string {
	var parts map[string]string
	if c.Parts == nil || json.Unmarshal([]byte(text), &parts) != nil || parts == nil {
		return nil
	}
	all := maps.Clone(parts)
	maps.Copy(all, c.Parts)
	differ := []string{}
	for name := range all {
		mine, here := c.Parts[name]
		theirs, there := parts[name]
		if here != there || mine != theirs {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return differ
}

// Configured returns which configuration the gateways have that use the store.
func (v *View) Configured(ctx context.Context) (c Configured, err error) {
	s := v.s
	err = s.try(ctx, "look which gateways there are", func(ctx context.Context) error {
		c = Configured{}
		pipe := s.client.Pipeline()
		nodes := pipe.ZRange(ctx, s.keys.nodes, 0, -1)
		newest := pipe.HMGet(ctx, s.keys.configuration, "epoch", "digest", "node", "name", "time")
		gateways := pipe.HGetAll(ctx, s.keys.gateways)
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		if w, ok := words(newest.Val()); ok {
			c = parseConfigured(w)
		}
		for _, node := range nodes.Val() {
			g, _ := parseGateway(node, gateways.Val()[node])
			g.Node = node
			c.Gateways = append(c.Gateways, g)
		}
		slices.SortFunc(c.Gateways, byName)
		return nil
	})
	return c, err
}
