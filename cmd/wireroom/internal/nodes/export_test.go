package nodes

// BoundInbox has at most so much wait of what has come. It is to be called before
// anything comes.
func (m *Mesh) BoundInbox(messages, bytes int) { m.in.mostMessages, m.in.mostBytes = messages, bytes }

// Handle carries out a message at once, and returns what is wrong with it.
func (m *Mesh) Handle(kind string, payload []byte) error {
	switch kind {
	case kindPublication:
		return m.publication(payload, 1)
	case kindEvent:
		return m.event(payload, 1)
	case kindPresence:
		return m.presence("other", payload)
	case kindKill:
		return m.kill("other", payload)
	case kindKilled:
		return m.killed("other", payload)
	default:
		return m.revoked("other", payload)
	}
}

// Kinds are those that Handle knows.
var Kinds = []string{kindPublication, kindEvent, kindPresence, kindKill, kindKilled, kindRevoked}

// Bounds on what is remembered of users that were logged out.
const (
	MaxLogouts = maxLogouts
	MaxObeyed  = maxObeyed
)

// Obeyed returns how many logouts of other gateways are remembered.
func (m *Mesh) Obeyed() int {
	m.revocations.mu.Lock()
	defer m.revocations.mu.Unlock()
	return len(m.revocations.obeyed)
}
