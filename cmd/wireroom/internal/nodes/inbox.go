package nodes

import "sync"

// Bounds on what has come and waits. What is no publication is always taken: there
// is little of it.
const (
	inboxMessages = 65_536
	inboxBytes    = 64 << 20
)

// An item is what the bus has told.
type item struct {
	what    what
	node    string
	kind    string
	payload []byte
	at      uint64 // of all that came, the number of this
}

type what uint8

const (
	message what = iota
	joined
	left
	gap
)

// An inbox holds what has come, in order.
type inbox struct {
	mostMessages, mostBytes int // fixed at construction

	mu    sync.Mutex // guards the following
	items []item
	bytes int
	came  uint64 // also what found no room
}

// put takes an item, and reports false if there is no room for it and it may be
// refused. It returns the item's number.
func (in *inbox) put(i item, may bool) (at uint64, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.came++
	i.at = in.came
	if may && (len(in.items) >= in.mostMessages || in.bytes+len(i.payload) > in.mostBytes) {
		return i.at, false
	}
	in.items = append(in.items, i)
	in.bytes += len(i.payload)
	return i.at, true
}

// take returns all that has come.
func (in *inbox) take() []item {
	in.mu.Lock()
	defer in.mu.Unlock()
	items := in.items
	in.items, in.bytes = nil, 0
	return items
}

// Join says that another gateway is there.
//
// What is published from now on is passed on to it.
func (m *Mesh) Join(node string) {
	m.there[node] = true
	m.others.Store(int32(len(m.there)))
	m.put(item{what: joined, node: node})
}

// Leave says that another gateway is gone.
func (m *Mesh) Leave(node string) {
	delete(m.there, node)
	m.others.Store(int32(len(m.there)))
	m.put(item{what: left, node: node})
}

// Gap says that messages may have been missed.
func (m *Mesh) Gap() { m.put(item{what: gap}) }

// Message hands over what another gateway says, and keeps payload. It reports
// whether the kind is one of a mesh.
func (m *Mesh) Message(node, kind string, payload []byte) bool {
	switch kind {
	case kindPublication, kindEvent:
		if at, ok := m.in.put(item{what: message, node: node, kind: kind, payload: payload}, true); !ok {
			m.drop(payload, at)
			return true
		}
		rouse(m.wake)
	case kindPresence, kindWho, kindKill, kindKilled, kindRevoked:
		m.put(item{what: message, node: node, kind: kind, payload: payload})
	default:
		return false
	}
	return true
}

func (m *Mesh) put(i item) {
	m.in.put(i, false)
	rouse(m.wake)
}

// take is the goroutine that takes what has come.
func (m *Mesh) take() {
	for {
		select {
		case <-m.wake:
		case <-m.quit:
			return
		}
		for _, i := range m.in.take() {
			m.handle(i)
		}
	}
}

// handle carries out one item.
func (m *Mesh) handle(i item) {
	var err error
	switch i.what {
	case joined:
		m.join(i.node)
	case left:
		m.leave(i.node)
	case gap:
		m.gap()
	default:
		switch i.kind {
		case kindPublication:
			err = m.publication(i.payload, i.at)
		case kindEvent:
			err = m.event(i.payload, i.at)
		case kindPresence:
			err = m.presence(i.node, i.payload)
		case kindWho:
			m.sayAll()
		case kindKill:
			err = m.kill(i.node, i.payload)
		case kindKilled:
			err = m.killed(i.node, i.payload)
		case kindRevoked:
			err = m.revoked(i.node, i.payload)
		}
	}
	if err != nil {
		m.counts.unknown.Add(1)
		m.log.Debug("a message of another gateway is passed over", "node", i.node, "kind", i.kind, "err", err)
	}
}

// join notes that a gateway is there, which knows nothing of this one yet.
func (m *Mesh) join(id string) {
	m.mu.Lock()
	m.nodes[id] = new(node)
	m.mu.Unlock()
	m.log.Info("another gateway has come", "node", id)
	if m.counts.gaps.Load() > 0 { // it may have been there before
		m.ask(false, true)
	}
	m.sayAll()
}

// leave notes that a gateway is gone, and its members with it.
func (m *Mesh) leave(id string) {
	m.mu.Lock()
	delete(m.nodes, id)
	realms := m.realmsLocked()
	for _, q := range m.asked {
		q.answeredLocked(id, nil)
	}
	m.mu.Unlock()
	m.log.Info("another gateway is gone", "node", id)
	m.cred.LookAgain() // it may have revoked something and died before it could say so
	for _, r := range realms {
		if k := r.keeper.Load(); k != nil {
			k.Forget(id)
		}
	}
}

// gap asks all others who is present there, and which users were logged out, and
// says what is so here.
func (m *Mesh) gap() {
	m.mu.Lock()
	first := !m.gapped
	m.gapped = true
	for _, n := range m.nodes {
		n.whole, n.syncs = false, nil
	}
	realms := m.realmsLocked()
	m.mu.Unlock()
	if !first {
		m.counts.gaps.Add(1)
		m.log.Warn("messages of other gateways may have been missed: events of topics that are not retained among them")
		for _, r := range realms {
			r.tellGap()
		}
		m.cred.LookAgain()
		m.ask(false, true)
		if m.sayLogouts() != nil { // what was said before may be lost
			m.revocations.setDoubt(true)
		}
	}
	m.ask(true, false)
	m.sayAll()
}

func (m *Mesh) realmsLocked() []*Realm {
	realms := make([]*Realm, 0, len(m.realms))
	for _, r := range m.realms {
		realms = append(realms, r)
	}
	return realms
}
