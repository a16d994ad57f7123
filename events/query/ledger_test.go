package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

func roomy() *query.Budget {
	return &query.Budget{Queries: 1000, Unanchored: 1000, Cost: 1000 * query.Unit, Fields: 1000}
}

// A visitor is a session with queries.
type visitor struct {
	l            *query.Ledger
	role         string
	session, all *query.Budget
	adds         []query.ID
}

func (v *visitor) Add(q *query.Query, classes ...string) (query.ID, error) {
	id, err := v.l.Add(query.Bearer{Role: v.role, Session: v.session, All: v.all, Have: v.adds}, q, classes...)
	if err == nil {
		v.adds = append(v.adds, id)
	}
	return id, err
}

func (v *visitor) Remove(id query.ID) bool {
	i := slices.Index(v.adds, id)
	if i < 0 {
		return false
	}
	v.adds = slices.Delete(v.adds, i, i+1)
	return v.l.Remove(id)
}

func (v *visitor) Close() {
	for len(v.adds) > 0 {
		v.Remove(v.adds[0])
	}
}

// refusal returns what a BudgetError says, or other errors.
func refusal(err error) string {
	if e, ok := errors.AsType[*query.BudgetError](err); ok {
		return fmt.Sprintf("%s %s %d+%d>%d", e.Of, e.Limit, e.Have, e.More, e.Most)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// What just fits is added, and the next is refused: of a session, and of a role
// that has it in two sessions.
func TestBudgets(t *testing.T) {
	for _, tt := range []struct {
		limit string
		set   func(b *query.Budget)
		fits  []string
		over  string
		want  string
	}{
		{"queries", func(b *query.Budget) { b.Queries = 2 }, []string{`a == 1`, `a == 2`}, `a == 3`, "queries 2+1>2"},
		{"unanchored", func(b *query.Budget) { b.Unanchored = 2 }, []string{`a != 1`, `a != 2`, `a == 3`}, `has(a)`, "unanchored 2+1>2"},
		{"fields", func(b *query.Budget) { b.Fields = 3 }, []string{`a == 1`, `b == 1 && c == 1`, `a == 5 && c == 2`}, `a == 7 && d == 1 && e == 1`, "fields 3+2>3"},
	} {
		for _, of := range []string{"session", "role"} {
			t.Run(of+" "+tt.limit, func(t *testing.T) {
				l := query.NewLedger(query.NewIndex(generous()), 0)
				session, role := roomy(), roomy()
				if of == "session" {
					tt.set(session)
				} else {
					tt.set(role)
				}
				first := (&visitor{l: l, role: "r", session: session, all: role})
				second := first
				if of == "role" {
					second = (&visitor{l: l, role: "r", session: session, all: role})
				}
				var ids []query.ID
				for i, text := range tt.fits {
					a := first
					if i%2 == 1 {
						a = second
					}
					id, err := a.Add(querytest.Parse(t, text))
					if err != nil {
						t.Fatalf("%s: %v", text, err)
					}
					ids = append(ids, id)
				}
				over := querytest.Parse(t, tt.over)
				if _, err := second.Add(over); refusal(err) != of+" "+tt.want {
					t.Errorf("%s: %s, want %s", tt.over, refusal(err), tt.want)
				}
				if _, err := second.Add(querytest.Parse(t, tt.fits[1])); err != nil {
					t.Errorf("what is there already is refused: %v", err)
				}
				for i, id := range ids {
					a := first
					if i%2 == 1 {
						a = second
					}
					if !a.Remove(id) {
						t.Errorf("%s was not there", tt.fits[i])
					}
				}
				if !second.Remove(ids[1]) || second.Remove(ids[1]) {
					t.Errorf("%s was added twice", tt.fits[1])
				}
				if _, err := second.Add(over); err != nil {
					t.Errorf("%s: %v, with nothing else there", tt.over, err)
				}
			})
		}
	}
}

// The same of a cost of 1.515, and then something for 0.01.
func TestCostBudgets(t *testing.T) {
	for _, of := range []string{"session", "role"} {
		t.Run(of, func(t *testing.T) {
			l := query.NewLedger(query.NewIndex(generous()), 0)
			session, role := roomy(), roomy()
			if of == "session" {
				session.Cost = 1515
				first := (&visitor{l: l, role: "r", session: session, all: role})
				testCost(t, first, first, of)
				return
			}
			role.Cost = 1515
			testCost(t, (&visitor{l: l, role: "r", session: session, all: role}), (&visitor{l: l, role: "r", session: session, all: role}), of)
		})
	}
}

func testCost(t *testing.T, first, second *visitor, of string) {
	for _, text := range []string{`paid`, `n > 1 && n < 9 && a == 1 && b != 1`, `a == 1`, `n > 1`} { // 0.5, 0.005, 0.01, 0.5
		if _, err := first.Add(querytest.Parse(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	id, err := second.Add(querytest.Parse(t, `seen`)) // 0.5
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Add(querytest.Parse(t, `a == 3`)); refusal(err) != of+" cost 1515+10>1515" {
		t.Error(refusal(err))
	} else if !strings.Contains(err.Error(), "may cost 1.515, and cost 1.515: this one costs 0.01") {
		t.Error(err)
	}
	second.Remove(id)
	if _, err := second.Add(querytest.Parse(t, `a == 3`)); err != nil {
		t.Error(err)
	}
}

// Equal queries of a role's sessions cost the role what one costs, and each
// session what it would cost alone.
func TestEqualQueriesOfARole(t *testing.T) {
	ix := query.NewIndex(generous())
	l := query.NewLedger(ix, 0)
	session := &query.Budget{Queries: 1, Unanchored: 1, Cost: query.Unit, Fields: 2}
	role := &query.Budget{Queries: 1, Unanchored: 1, Cost: query.Unit, Fields: 2}
	var accounts []*visitor
	for i := range 50 {
		a := (&visitor{l: l, role: "r", session: session, all: role})
		accounts = append(accounts, a)
		text := `a != 1`
		if i%2 == 1 {
			text = `!(1 == a)`
		}
		if _, err := a.Add(querytest.Parse(t, text)); err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
		if _, err := a.Add(querytest.Parse(t, `a == 1`)); refusal(err) != "session queries 1+1>1" {
			t.Fatal(refusal(err))
		}
	}
	if s := ix.Stats(); s.Queries != 1 {
		t.Errorf("%+v", s)
	}
	use, refused := l.Use()
	if len(use) != 1 || use[0] != (query.RoleUse{Role: "r", Queries: 1, Unanchored: 1, Cost: query.Unit, Fields: 1}) || refused != (query.Refusals{Session: 50}) {
		t.Errorf("%+v, refused %+v", use, refused)
	}
	for _, a := range accounts {
		a.Close()
	}
	if s := ix.Stats(); s.Queries != 0 {
		t.Errorf("%d queries are left", s.Queries)
	}
	if use, _ := l.Use(); len(use) != 0 {
		t.Errorf("%+v are left", use)
	}
}

// Roles do not share what they may have, but the index.
func TestBudgetsOfRolesAreTheirOwn(t *testing.T) {
	c := generous()
	c.Queries = 2
	l := query.NewLedger(query.NewIndex(c), 0)
	one := &query.Budget{Queries: 1, Unanchored: 1, Cost: 10 * query.Unit, Fields: 1}
	for _, role := range []string{"a", "b"} {
		if _, err := (&visitor{l: l, role: role, session: one, all: one}).Add(querytest.Parse(t, `x != "`+role+`"`)); err != nil {
			t.Error(err)
		}
	}
	if _, err := (&visitor{l: l, role: "c", session: one, all: one}).Add(querytest.Parse(t, `x == 1`)); !errors.Is(err, query.ErrFull) {
		t.Error(err)
	}
	if _, err := (&visitor{l: l, role: "c", session: one, all: one}).Add(querytest.Parse(t, `x != "a"`)); err != nil {
		t.Errorf("a query that is there already: %v", err)
	}
	if _, refused := l.Use(); refused != (query.Refusals{Index: 1}) {
		t.Errorf("%+v", refused)
	}
}

// Of many who want the last place one gets it, and when all have left nothing is
// kept.
func TestLastPlace(t *testing.T) {
	ix := query.NewIndex(generous())
	l := query.NewLedger(ix, 0)
	role := roomy()
	role.Queries = 5
	var got atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			a := (&visitor{l: l, role: "r", session: roomy(), all: role})
			id, err := a.Add(querytest.Parse(t, fmt.Sprintf("a == %d", i)))
			if err == nil {
				got.Add(1)
				if i%2 == 0 {
					return // it is never closed
				}
				a.Remove(id)
				got.Add(-1)
			} else if refusal(err) != "role queries 5+1>5" {
				t.Error(refusal(err))
			}
			a.Close()
		})
	}
	all.Wait()
	use, _ := l.Use()
	if n := ix.Stats().Queries; n > 5 || n != int(got.Load()) || n > 0 && use[0].Queries != n {
		t.Errorf("%d queries, %d added, use %+v", n, got.Load(), use)
	}
}

// The same with sessions that come, add, remove and go in any order: what is used
// is what is there, and never more than may be.
func TestLedgerChurn(t *testing.T) {
	g := seeded(t)
	ix := query.NewIndex(generous())
	l := query.NewLedger(ix, 0)
	session := &query.Budget{Queries: 6, Unanchored: 2, Cost: 20 * query.Unit, Fields: 6}
	role := &query.Budget{Queries: 20, Unanchored: 5, Cost: 60 * query.Unit, Fields: 9}
	type user struct {
		*visitor
		have map[query.ID]*query.Query
	}
	var users []*user
	added, refused := 0, 0
	for range 3_000 {
		if len(users) == 0 || len(users) < 12 && g.IntN(20) == 0 {
			users = append(users, &user{visitor: &visitor{l: l, role: []string{"a", "a", "b"}[g.IntN(3)], session: session, all: role}, have: map[query.ID]*query.Query{}})
		}
		i := g.IntN(len(users))
		u := users[i]
		switch n := g.IntN(30); {
		case n == 0:
			u.Close()
			users = append(users[:i], users[i+1:]...)
		case n < 10 && len(u.adds) > 0:
			k := g.IntN(len(u.adds))
			if !u.Remove(u.adds[k]) {
				t.Fatal("a query is not there")
			}
		default:
			q := querytest.Parse(t, g.Query(1))
			id, err := u.Add(q)
			if err != nil {
				refused++
				break
			}
			added++
			u.have[id] = q
		}
		use, _ := l.Use()
		for _, r := range use {
			if r.Queries > role.Queries || r.Unanchored > role.Unanchored || r.Cost > role.Cost || r.Fields > role.Fields {
				t.Fatalf("%+v is more than %+v", r, role)
			}
		}
		for _, u := range users {
			distinct := map[query.ID]bool{}
			unanchored, cost := 0, int64(0)
			for _, id := range u.adds {
				if !distinct[id] {
					distinct[id] = true
					e := u.have[id].Estimate()
					cost += e.Cost
					if !e.Anchored {
						unanchored++
					}
				}
			}
			if len(distinct) > session.Queries || unanchored > session.Unanchored || cost > session.Cost {
				t.Fatalf("a session has %d queries, %d unanchored, that cost %d", len(distinct), unanchored, cost)
			}
		}
	}
	for _, u := range users {
		u.Close()
	}
	if n := ix.Stats().Queries; n != 0 {
		t.Errorf("%d queries are left", n)
	}
	if use, _ := l.Use(); len(use) != 0 {
		t.Errorf("%+v are left", use)
	}
	t.Logf("%d added, %d refused", added, refused)
	if added < 100 || refused < 100 {
		t.Error("that is too few to say anything")
	}
}

// While events of a class are compared in vain too often, queries that would add
// to it are refused; and no longer when it has become better.
func TestWaste(t *testing.T) {
	ix := query.NewIndex(generous())
	l := query.NewLedger(ix, 10)
	a := (&visitor{l: l, role: "r", session: roomy(), all: roomy()})
	m := ix.NewMatcher()
	defer m.Close()
	event := func(class string, times int) {
		t.Helper()
		for range times {
			if err := m.Load(query.Meta{Class: class}, []byte(`{"a":1,"n":5}`)); err != nil {
				t.Fatal(err)
			}
			m.Match(nil)
		}
	}
	var ids []query.ID
	for i := range 11 {
		id, err := a.Add(querytest.Parse(t, fmt.Sprintf(`class == "c" && a == 1 && b != %d`, i)), "c")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	event("c", 31)
	event("d", 40)
	wide := querytest.Parse(t, `class == "c" && n > 1`)
	try := func(want string, classes ...string) {
		t.Helper()
		id, err := a.Add(wide, classes...)
		if got := refusal(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if err == nil {
			a.Remove(id)
		}
	}
	try("", "c", "d") // 31 events say too little
	event("c", 1)
	try("class waste 11+0>10", "d", "c")
	try("", "d")
	narrow, err := a.Add(querytest.Parse(t, `class == "c" && k == 1`), "c")
	if err != nil {
		t.Errorf("a query that few events are compared with: %v", err)
	}
	a.Remove(narrow)
	a.Remove(ids[0])
	event("c", 31)
	try("class waste 11+0>10", "c") // that was before
	event("c", 1)
	try("", "c")
	for _, n := range ix.Classes() {
		if n.Class == "d" && (n.Events != 40 || n.Matches != 0) || n.Class == "c" && n.Waste() != 32*11+32*10 {
			t.Errorf("%+v", n)
		}
	}
}

// What matchers count is there while they live and when they are closed, with as
// many classes as there may be.
func TestClassCounts(t *testing.T) {
	ix := query.NewIndex(generous())
	if _, err := ix.Add(querytest.Parse(t, `a == 1`)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	const matchers, classes, times = 2, 10_100, 2
	for range matchers {
		all.Go(func() {
			m := ix.NewMatcher()
			defer m.Close()
			for i := range classes * times {
				if err := m.Load(query.Meta{Class: fmt.Sprint("class", i%classes)}, []byte(`{"a":1}`)); err != nil {
					t.Error(err)
				}
				m.Match(nil)
			}
		})
	}
	all.Wait()
	events := uint64(0)
	list := ix.Classes()
	for _, c := range list {
		events += c.Events
		if c.Candidates != c.Events || c.Matches != c.Events || c.Class != "" && c.Events%times != 0 {
			t.Errorf("%+v", c)
		}
	}
	if events != matchers*classes*times || len(list) > 10_000+matchers+1 {
		t.Errorf("%d events in %d classes, want %d", events, len(list), matchers*classes*times)
	}
}
