package query

import (
	"errors"
	"maps"
	"slices"
	"sync"
)

// A Ledger counts what the sessions of each role have in an [Index], and keeps
// roles within their budgets. It is safe for concurrent use. All queries of the
// index should come by it.
//
// A query is charged once, to the role that brought it, for as long as anybody
// has it: however many have the same, it costs no more than one.
type Ledger struct {
	index *Index
	waste uint64

	mu      sync.Mutex // guards the following
	charges map[ID]*charge
	roles   map[string]*roleAccount
	rates   map[string]*wasteRate
	refused Refusals
}

// NewLedger returns a ledger of an index. Queries that are thought to be compared
// with more than one event of a hundred are refused for classes of which each
// event is compared with more than waste queries in vain, as was measured;
// 0: as many as there are.
func NewLedger(ix *Index, waste int) *Ledger {
	return &Ledger{
		index: ix, waste: uint64(waste),
		charges: map[ID]*charge{}, roles: map[string]*roleAccount{}, rates: map[string]*wasteRate{},
	}
}

// A roleAccount is what a role is charged for. It is gone when that is nothing.
type roleAccount struct {
	name   string
	use    use
	fields map[string]*fieldCount
}

// A fieldCount is a field that queries of a role are about.
type fieldCount struct {
	name  string
	holds int // queries
}

// A charge is a query in the index.
type charge struct {
	role   *roleAccount
	use    use // without fields
	share  float64
	holds  int // times that it was added
	fields []*fieldCount
}

// A Bearer is a session that asks for a query.
type Bearer struct {
	Role    string
	Session *Budget // of the session
	All     *Budget // of all sessions of the role
	Have    []ID    // what the session has, in any order; some perhaps twice
}

// Add adds a query that is for events of the named classes, as [Index.Add] does.
// A session may have again what it has. The error is of the index, or a
// [*BudgetError]; nothing is added then.
func (l *Ledger) Add(b Bearer, q *Query, classes ...string) (ID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, err := l.index.Add(q) // whether it is there, and which it is
	if err != nil {
		l.refused.Index++
		return 0, err
	}
	c := l.charges[id]
	added := c == nil
	if added {
		c = newCharge(q)
	}
	if !slices.Contains(b.Have, id) {
		err = l.checkSession(&b, c)
	}
	if err == nil && added {
		err = l.enter(&b, c, classes)
	}
	if err != nil {
		l.index.Remove(id)
		l.refused.count(err)
		return 0, err
	}
	l.charges[id] = c
	c.holds++
	return id, nil
}

func newCharge(q *Query) *charge {
	e := q.Estimate()
	c := &charge{use: use{queries: 1, cost: e.Cost}, share: e.Share}
	if !e.Anchored {
		c.use.unanchored = 1
	}
	for _, name := range q.Fields() {
		c.fields = append(c.fields, &fieldCount{name: name})
	}
	return c
}

// checkSession returns an error if a session may not have one more query.
func (l *Ledger) checkSession(b *Bearer, c *charge) error {
	var have use
	fields := map[string]bool{}
	seen := make(map[ID]bool, len(b.Have))
	for _, id := range b.Have {
		old := l.charges[id]
		if old == nil || seen[id] {
			continue
		}
		seen[id] = true
		have.add(old.use)
		for _, f := range old.fields {
			fields[f.name] = true
		}
	}
	have.fields = len(fields)
	more := c.use
	for _, f := range c.fields {
		if !fields[f.name] {
			more.fields++
		}
	}
	return b.Session.check("session", have, more)
}

// enter charges a role for a query.
func (l *Ledger) enter(b *Bearer, c *charge, classes []string) error {
	r := l.roles[b.Role]
	if r == nil {
		r = &roleAccount{name: b.Role, fields: map[string]*fieldCount{}}
	}
	more := c.use
	for _, f := range c.fields {
		if r.fields[f.name] == nil {
			more.fields++
		}
	}
	if err := b.All.check("role", r.use, more); err != nil {
		return err
	}
	if c.share > shareEqual {
		if err := l.wasteful(classes); err != nil {
			return err
		}
	}
	for i, f := range c.fields {
		if r.fields[f.name] == nil {
			r.fields[f.name] = f
		}
		c.fields[i] = r.fields[f.name]
		c.fields[i].holds++
	}
	c.role = r
	r.use.add(more)
	l.roles[b.Role] = r
	return nil
}

// Remove takes back one Add, as [Index.Remove] does, and reports whether there
// was one.
func (l *Ledger) Remove(id ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.charges[id]
	if c == nil {
		return false
	}
	l.index.Remove(id)
	if c.holds--; c.holds > 0 {
		return true
	}
	delete(l.charges, id)
	r := c.role
	r.use.queries--
	r.use.unanchored -= c.use.unanchored
	r.use.cost -= c.use.cost
	for _, f := range c.fields {
		if f.holds--; f.holds == 0 {
			delete(r.fields, f.name)
			r.use.fields--
		}
	}
	if r.use.queries == 0 {
		delete(l.roles, r.name)
	}
	return true
}

// Refusals is how many queries were refused, by what there was too little of.
type Refusals struct {
	Session uint64 // the budget of a session
	Role    uint64 // that of a role
	Waste   uint64 // the measured waste of a class
	Index   uint64 // room in the index, or a condition to find the query by
}

func (r *Refusals) count(err error) {
	e, _ := errors.AsType[*BudgetError](err)
	switch e.Of {
	case "session":
		r.Session++
	case "role":
		r.Role++
	default:
		r.Waste++
	}
}

// A RoleUse is what a role is charged for.
type RoleUse struct {
	Role       string
	Queries    int
	Unanchored int
	Cost       int64 // in thousandths
	Fields     int
}

// Use returns what each role is charged for, sorted by name, and how many queries
// were refused since there is the ledger.
func (l *Ledger) Use() ([]RoleUse, Refusals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]RoleUse, 0, len(l.roles))
	for _, name := range slices.Sorted(maps.Keys(l.roles)) {
		u := &l.roles[name].use
		list = append(list, RoleUse{name, u.queries, u.unanchored, u.cost, u.fields})
	}
	return list, l.refused
}
