package nodes

import (
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// attendees is how many members one message has at most.
	attendees = 512

	// maxChanged is how many members may have changed that others have not been
	// told of. If there are more, everybody who is present is said anew.
	maxChanged = 65_536

	// tryAgain is when to say again what could not be said.
	tryAgain = 500 * time.Millisecond
)

// An attendee is which member is meant.
type attendee struct {
	topic            wamp.URI
	authid, authrole string
	session          wamp.ID
}

// A roll says who is present at a gateway.
type roll struct {
	Realm wamp.URI            `json:"realm,omitempty"`
	Begin bool                `json:"begin,omitempty"` // all who are present are said from here …
	End   bool                `json:"end,omitempty"`   // … to here
	Who   []presence.Attendee `json:"who,omitempty"`
}

// Changed implements [presence.Peers].
func (r *Realm) Changed(at presence.Attendee) {
	if r.mesh.alone() {
		return
	}
	r.mu.Lock()
	r.changed[attendee{at.Topic, at.AuthID, at.AuthRole, at.Session}] = at
	full := len(r.changed) > maxChanged
	if full {
		clear(r.changed)
	}
	r.mu.Unlock()
	if full {
		r.mesh.sayAll()
		return
	}
	rouse(r.mesh.news)
}

// Complete implements [presence.Peers].
func (r *Realm) Complete() bool {
	m := r.mesh
	if m.bus.Heard() != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.gapped { // it is not known yet who else is there
		return false
	}
	for _, n := range m.nodes {
		if !n.whole {
			return false
		}
	}
	return true
}

// Gateway implements [presence.Peers]. One of which only its node is known has
// that for a name.
func (r *Realm) Gateway(node string) string {
	if node == "" {
		node = r.mesh.bus.Node()
	}
	for _, g := range r.mesh.Configuration().Gateways {
		if g.Node == node && g.Name != "" {
			return g.Name
		}
	}
	return node
}

// sayAll has everybody who is present here said to all others.
func (m *Mesh) sayAll() {
	m.mu.Lock()
	m.all = true
	m.mu.Unlock()
	rouse(m.news)
}

// report is the goroutine that says who is present here, and that revocations
// could not be said, and asks what could not be asked.
func (m *Mesh) report() {
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	for {
		select {
		case <-m.news:
		case <-again.C:
		case <-m.quit:
			return
		}
		if m.alone() {
			continue // who joins is told everything
		}
		if m.askAll() != nil {
			again.Reset(tryAgain)
		}
		if m.sayDoubt() != nil {
			again.Reset(tryAgain)
		}
		if err := m.say(); err != nil {
			m.mu.Lock()
			m.all = true
			m.mu.Unlock()
			again.Reset(tryAgain)
		}
	}
}

// say tells others what has changed, or everything if they need to know it.
func (m *Mesh) say() error {
	m.mu.Lock()
	all := m.all
	m.all = false
	realms := m.realmsLocked()
	m.mu.Unlock()
	if !all {
		for _, r := range realms {
			if err := r.say(r.takeChanged()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := m.send(kindPresence, roll{Begin: true}); err != nil {
		return err
	}
	for _, r := range realms {
		if k := r.keeper.Load(); k != nil {
			r.takeChanged() // the keeper knows these, or newer
			if err := r.say(k.Here()); err != nil {
				return err
			}
		}
	}
	return m.send(kindPresence, roll{End: true})
}

// takeChanged returns who has changed.
func (r *Realm) takeChanged() []presence.Attendee {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]presence.Attendee, 0, len(r.changed))
	for _, at := range r.changed {
		list = append(list, at)
	}
	clear(r.changed)
	return list
}

// say tells others of members of the realm.
func (r *Realm) say(list []presence.Attendee) error {
	for len(list) > 0 {
		some := list[:min(len(list), attendees)]
		list = list[len(some):]
		if err := r.mesh.send(kindPresence, roll{Realm: r.router.Name(), Who: some}); err != nil {
			return err
		}
	}
	return nil
}

// presence takes in who is present at another gateway.
func (m *Mesh) presence(from string, payload []byte) error {
	var said roll
	if _, err := decode(payload, &said); err != nil {
		return err
	}
	m.mu.Lock()
	n := m.nodes[from]
	realms := m.realmsLocked()
	m.mu.Unlock()
	switch {
	case n == nil: // it is gone, and what it says with it
		return fmt.Errorf("the gateway %s is not known", from)
	case said.Begin:
		syncs := make(map[*Realm]uint64)
		for _, r := range realms {
			if k := r.keeper.Load(); k != nil {
				syncs[r] = k.Begin()
			}
		}
		m.mu.Lock()
		n.syncs = syncs
		m.mu.Unlock()
	case said.End:
		m.mu.Lock()
		syncs := n.syncs
		n.syncs = nil
		m.mu.Unlock()
		if syncs == nil { // the beginning was missed: there will be another one
			return nil
		}
		for r, sync := range syncs {
			r.keeper.Load().End(from, sync)
		}
		m.mu.Lock()
		n.whole = true
		m.mu.Unlock()
	default:
		r := m.realm(said.Realm)
		if r == nil || r.keeper.Load() == nil {
			return nil // it has another configuration
		}
		for _, at := range said.Who {
			r.keeper.Load().There(from, at)
		}
	}
	return nil
}
