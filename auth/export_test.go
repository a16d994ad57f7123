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
