package query

// minWasteEvents is of how many events at least the waste of a class is known.
const minWasteEvents = 32

// A wasteRate is what the events of a class have wasted of late.
type wasteRate struct {
	at   ClassCount // when it was last looked at
	rate uint64     // queries for each event
}

// wasteful returns an error if events of one of the classes are compared with too
// many queries in vain.
func (l *Ledger) wasteful(classes []string) error {
	if l.waste == 0 {
		return nil
	}
	for _, class := range classes {
		if rate := l.rate(class); rate > l.waste {
			return &BudgetError{Of: "class", Limit: "waste", Most: int64(l.waste), Have: int64(rate), Class: class}
		}
	}
	return nil
}

// rate returns with how many queries the latest events of a class were compared
// in vain, each.
func (l *Ledger) rate(class string) uint64 {
	n := l.index.counts.of(class)
	r := l.rates[class]
	if r == nil {
		if n.Events < minWasteEvents {
			return 0
		}
		r = &wasteRate{}
		l.rates[class] = r
	}
	if events := n.Events - r.at.Events; events >= minWasteEvents {
		r.rate = (n.Waste() - r.at.Waste()) / events
		r.at = n
	}
	return r.rate
}
