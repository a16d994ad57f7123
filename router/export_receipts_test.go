package router

// Owed returns how many receipts the realm's sessions owe.
func (r *Realm) Owed() int { return int(r.owed.Load()) }

// Bounds of receipts.
const (
	MaxOwed  = maxOwed
	MaxAsked = maxAsked
)
