package query

import (
	"fmt"
	"strconv"
)

// A Budget bounds what queries there are of one session, or of all sessions of a
// role together. Start from [DefaultBudget].
type Budget struct {
	Queries    int   // different ones
	Unanchored int   // of these, how many with [Estimate.Anchored] false
	Cost       int64 // sum of [Estimate.Cost]
	Fields     int   // of events that they may be about
}

// DefaultBudget returns the defaults of one session and of a role. A role's
// cost is about a tenth of a millisecond for each event, in the worst case.
func DefaultBudget() (session, role Budget) {
	return Budget{Queries: 100, Unanchored: 4, Cost: 100 * Unit, Fields: 64},
		Budget{Queries: 500_000, Unanchored: 64, Cost: 10_000 * Unit, Fields: 512}
}

// A BudgetError says that a query is refused because there are others.
type BudgetError struct {
	// Of says whose budget it is: "session", "role", or "class" for waste.
	Of string

	// Limit is what is used up: "queries", "unanchored", "cost", "fields" or
	// "waste".
	Limit string

	// Most is the limit, Have how much of it is used, and More what the query
	// would add. A cost is in thousandths. Of waste, More is 0.
	Most, Have, More int64

	Class string // with waste
}

// Error says what is used up, of how much, and what was asked for.
func (e *BudgetError) Error() string {
	switch e.Limit {
	case "waste":
		return fmt.Sprintf("each event of %s is compared in vain with %d queries, and %d are allowed: expected a query with a condition that few events satisfy, such as that a field equals a value", e.Class, e.Have, e.Most)
	case "cost":
		return fmt.Sprintf("the queries of the %s may cost %s, and cost %s: this one costs %s", e.Of, units(e.Most), units(e.Have), units(e.More))
	case "unanchored":
		return fmt.Sprintf("of queries with which every event of a class is compared, the %s may have %d, and has %d: expected a condition to find the query by, such as that a field equals a value", e.Of, e.Most, e.Have)
	case "fields":
		return fmt.Sprintf("of fields, the queries of the %s may be about %d, and are about %d: this one is about %d more", e.Of, e.Most, e.Have, e.More)
	}
	return fmt.Sprintf("of queries, the %s may have %d, and has %d", e.Of, e.Most, e.Have)
}

// units writes a cost.
func units(cost int64) string { return strconv.FormatFloat(float64(cost)/Unit, 'f', -1, 64) }

// A use is what counts against a budget.
type use struct {
	queries, unanchored, fields int
	cost                        int64
}

func (u *use) add(more use) {
	u.queries += more.queries
	u.unanchored += more.unanchored
	u.fields += more.fields
	u.cost += more.cost
}

// check returns an error if more does not fit beside what there is.
func (b *Budget) check(of string, have, more use) error {
	refuse := func(limit string, most, have, more int64) error {
		return &BudgetError{Of: of, Limit: limit, Most: most, Have: have, More: more}
	}
	switch {
	case have.queries+more.queries > b.Queries:
		return refuse("queries", int64(b.Queries), int64(have.queries), int64(more.queries))
	case more.unanchored > 0 && have.unanchored+more.unanchored > b.Unanchored:
		return refuse("unanchored", int64(b.Unanchored), int64(have.unanchored), int64(more.unanchored))
	case more.cost > 0 && have.cost+more.cost > b.Cost:
		return refuse("cost", b.Cost, have.cost, more.cost)
	case more.fields > 0 && have.fields+more.fields > b.Fields:
		return refuse("fields", int64(b.Fields), int64(have.fields), int64(more.fields))
	}
	return nil
}
