package nodes

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Configuration says which configuration the gateways have, as [Mesh.Configured]
// is told.
type Configuration struct {
	Epoch    uint64    // of the newest one; 0: nobody has said which they have
	By       string    // name of the gateway that it came with
	Since    time.Time // when that was
	Differs  []string  // parts that this gateway has otherwise than the newest; nil: not known
	Gateways []Gateway // this one among them
}

// A Gateway is one of those that use the store, as people know it.
type Gateway struct {
	Node   string // as [Bus.Node] of it
	Name   string
	Epoch  uint64 // in which its configuration last was the newest; 0: it did not say
	Since  time.Time
	Newest bool // its configuration is the newest; also if it did not say
}

// maxParts is how many parts that differ are told at most.
const maxParts = 8

// Configured says which configuration the gateways have. It is told to the log once
// for each that comes if this gateway has another one.
func (m *Mesh) Configured(c Configuration) {
	m.mu.Lock()
	before := m.configuration.Epoch
	told := m.toldOf
	stale := !c.current(m.bus.Node())
	m.configuration = c
	if stale {
		m.toldOf = c.Epoch
	}
	m.mu.Unlock()
	switch {
	case stale && told != c.Epoch:
		m.log.Warn("a gateway came with another configuration than this one has: what is different holds for a part of the clients only, until all have the same",
			"epoch", c.Epoch, "by", c.By, "differs", c.differs())
	case !stale && before != c.Epoch && c.Epoch != 0:
		m.log.Info("this gateway has the newest configuration", "epoch", c.Epoch, "by", c.By)
	}
}

// current reports whether a gateway has the newest configuration, as far as is known.
func (c *Configuration) current(node string) bool {
	i := slices.IndexFunc(c.Gateways, func(g Gateway) bool { return g.Node == node })
	return i < 0 || c.Gateways[i].Newest
}

// others returns how many gateways have another configuration than the newest.
func (c *Configuration) others() (n int) {
	for i := range c.Gateways {
		if !c.Gateways[i].Newest {
			n++
		}
	}
	return n
}

// differs names the parts that are different.
func (c *Configuration) differs() string {
	switch n := len(c.Differs); {
	case n == 0:
		return "not known"
	case n > maxParts:
		return fmt.Sprintf("%s and %d more", strings.Join(c.Differs[:maxParts], "; "), n-maxParts)
	}
	return strings.Join(c.Differs, "; ")
}

// Configuration returns which configuration the gateways have. What it returns must
// not be changed.
func (m *Mesh) Configuration() Configuration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.configuration
}

// Stale says in a sentence that this gateway has another configuration than the
// newest one, or nothing.
func (m *Mesh) Stale() string {
	c := m.Configuration()
	if c.current(m.bus.Node()) {
		return ""
	}
	return fmt.Sprintf("another configuration came with the gateway %s (epoch %d), and this gateway does not have it", c.By, c.Epoch)
}
