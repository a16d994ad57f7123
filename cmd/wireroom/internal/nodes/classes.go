package nodes

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
)

// A creed says which classes a gateway has.
type creed struct {
	Hash string `json:"hash"`
}

// classesLocked returns what stands for the classes of all realms here.
func (m *Mesh) classesLocked() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(m.realms)) {
		h.Write([]byte(string(name) + "\x00" + m.realms[name].hash + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sayClasses tells others which classes there are here.
func (m *Mesh) sayClasses() {
	if m.alone() {
		return
	}
	m.mu.Lock()
	hash := m.classesLocked()
	m.mu.Unlock()
	_ = m.send(kindClasses, creed{hash}) // it is said again after a gap
}

// compare notes which classes another gateway has.
func (m *Mesh) compare(from string, payload []byte) error {
	var c creed
	if _, err := decode(payload, &c); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes[from]
	if n == nil || n.classes == c.Hash {
		return nil
	}
	n.classes = c.Hash
	if here := m.classesLocked(); here != c.Hash {
		m.log.Warn("another gateway has other realms or event classes than this one: some events reach only clients of some gateways", "node", from)
	}
	return nil
}
