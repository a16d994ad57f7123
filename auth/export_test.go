package auth

// What the external tests look at.
var Candidates = candidates

const (
	MaxCandidates = maxCandidates
	MaxTicket     = maxTicket
)

// NodeCount returns how many nodes the set has.
func (s *PatternSet) NodeCount() int { return s.root.count() }

func (n *node) count() int {
	total := 1
	for _, child := range n.parts {
		total += child.count()
	}
	if n.any != nil {
		total += n.any.count()
	}
	return total
}

// Locked reports whether somebody holds the lock of the token.
func (s *Sessions) Locked(secret Secret) bool {
	mu := s.lock(secret.Hash())
	if mu.TryLock() {
		mu.Unlock()
		return false
	}
	return true
}
