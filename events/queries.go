package events

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/wireroom/wireroom/events/query"
)

// A QueryConfig bounds the queries of subscribers. Start from
// [DefaultQueryConfig].
type QueryConfig struct {
	RoleQueries              // of roles that have none of their own
	Index       query.Config // of all queries

	// Waste is with how many queries each event of a class may be compared in
	// vain, as is measured, before queries are refused that would add to it:
	// see [query.NewLedger]. 0: any number.
	Waste int

	// Roles has the roles that have limits of their own. It must not be
	// changed.
	Roles map[string]*RoleQueries
}

// RoleQueries bounds the queries of a role.
type RoleQueries struct {
	Limits  query.Limits // of each
	Session query.Budget // of one session's
	Role    query.Budget // of those of all sessions of the role
}

// DefaultQueryConfig returns the defaults.
func DefaultQueryConfig() QueryConfig {
	session, role := query.DefaultBudget()
	c := QueryConfig{
		RoleQueries: RoleQueries{Limits: query.DefaultLimits(), Session: session, Role: role},
		Index:       query.DefaultConfig(),
		Waste:       1000,
	}
	c.Index.Queries = 1_000_000
	return c
}

// Queries are the standing queries of a realm's subscribers, and find which of
// them an event satisfies. All methods are safe for any goroutine. Whoever
// matches waits for nobody who adds or releases.
type Queries struct {
	// Fixed at construction.
	config QueryConfig
	log    *slog.Logger
	index  *query.Index
	ledger *query.Ledger            // of all that is in index
	counts map[string]*atomic.Int64 // of each class, how many queries may be about its events
	all    atomic.Int64             // likewise for classes that are not in counts

	idle chan *Matches // that can be used again; never closed
}

// NewQueries returns no queries, for events of the catalogue's classes.
func NewQueries(cat *Catalogue, config QueryConfig, log *slog.Logger) *Queries {
	index := query.NewIndex(config.Index)
	qs := &Queries{
		config: config, log: log, index: index, ledger: query.NewLedger(index, config.Waste), counts: make(map[string]*atomic.Int64, cat.Len()),
		idle: make(chan *Matches, 2*runtime.GOMAXPROCS(0)),
	}
	for _, c := range cat.classes {
		qs.counts[c.name] = new(atomic.Int64)
	}
	return qs
}

// Options returns how the queries of a role's sessions are to be read.
func (qs *Queries) Options(role string) query.Options {
	return query.Options{Limits: qs.config.of(role).Limits}
}

// of returns what bounds the queries of a role.
func (c *QueryConfig) of(role string) *RoleQueries {
	if own := c.Roles[role]; own != nil {
		return own
	}
	return &c.RoleQueries
}

// A Standing query is one that was added.
type Standing struct {
	queries *Queries
	id      query.ID
	where   *query.Query
	counts  []*atomic.Int64
}

// ID returns what names the query among those of the realm. Queries have the
// same ID exactly if they say the same about the same; while one of them stands
// the ID names nothing else. It is never 0.
func (s *Standing) ID() uint64 { return uint64(s.id) }

// Where returns the query as it was given to [Queries.Add].
func (s *Standing) Where() *query.Query { return s.where }

// Release takes the query away. It must be called once. Events that are matched
// meanwhile may be said to satisfy it still.
func (s *Standing) Release() {
	s.queries.ledger.Remove(s.id)
	for _, n := range s.counts {
		n.Add(-1)
	}
}

// Add adds a query for a session. scope is what is known of the events that it is
// asked about, and is what the query can be found by if it says too little itself:
// see [Class.Scope] and [PatternScope]. These events are of the classes: of all
// that some session gets by the query, since who asks for the same gets the same
// [Standing.ID]. What is routed when Add has returned is compared with the query.
// The error is, or wraps, one of those of [query.Index.Add], or a
// [*query.BudgetError].
func (qs *Queries) Add(a Asker, where, scope *query.Query, classes ...*Class) (*Standing, error) {
	id, err := qs.admit(a, query.And(scope, where), classes)
	if err != nil {
		return nil, err
	}
	s := &Standing{queries: qs, id: id, where: where, counts: make([]*atomic.Int64, 0, len(classes)+1)}
	for _, c := range classes {
		if n := qs.counts[c.name]; n != nil {
			s.counts = append(s.counts, n)
		}
	}
	s.counts = append(s.counts, &qs.all)
	for _, n := range s.counts {
		n.Add(1)
	}
	return s, nil
}

// Matches are the queries that one event satisfies.
type Matches struct {
	queries *Queries
	matcher *query.Matcher
	found   []query.ID
	ids     []uint64
}

// Match returns the queries that an event of the class satisfies, or nil if no
// query is about the class. It must be released. In the long run it allocates
// nothing.
func (qs *Queries) Match(e *Event, c *Class) *Matches {
	n := qs.counts[c.name]
	if n == nil { // the class is newer than qs
		n = &qs.all
	}
	if n.Load() == 0 {
		return nil
	}
	var m *Matches
	select {
	case m = <-qs.idle:
	default:
		m = &Matches{queries: qs, matcher: qs.index.NewMatcher()}
	}
	if err := m.matcher.LoadChecked(c.schema, metaOf(e, c), e.Data); err != nil {
		// It was checked when it was taken in, so this is a fault of ours.
		qs.log.Error("an event cannot be read for queries, so none gets it", "class", c.name, "id", e.ID, "err", err)
		return m
	}
	m.found = m.matcher.Match(m.found)
	for _, id := range m.found {
		m.ids = append(m.ids, uint64(id))
	}
	return m
}

// IDs returns the IDs of the queries, each once. The slice is valid until
// Release. Of nil there are none.
func (m *Matches) IDs() []uint64 {
	if m == nil {
		return nil
	}
	return m.ids
}

// Release lets m be used for another event. Of nil it does nothing.
func (m *Matches) Release() {
	if m == nil {
		return
	}
	m.found, m.ids = m.found[:0], m.ids[:0]
	if cap(m.ids) <= maxIdleIDs {
		select {
		case m.queries.idle <- m:
			return
		default:
		}
	}
	m.matcher.Close()
}

// maxIdleIDs is for how many matches memory is kept.
const maxIdleIDs = 1 << 14

// metaOf returns what queries can ask about an event besides its data.
func metaOf(e *Event, c *Class) query.Meta {
	return query.Meta{Class: c.name, ID: e.ID, Topic: c.name, Time: e.Time}
}

// Scope returns the query that is true of the events of the class.
func (c *Class) Scope() *query.Query { return c.scope }

// PatternScope returns a query that is true of all events that fit a pattern of
// topics, by the class's topic or by a channel's, where begin is what comes
// before the first wildcard. It may be true of others.
func PatternScope(begin string) *query.Query {
	under := fmt.Sprintf(`{"field":"class","op":"startsWith","value":%s}`, quoteJSON(begin))
	dot := strings.LastIndexByte(begin, '.')
	if dot <= 0 {
		return scope(under)
	}
	return scope(fmt.Sprintf(`{"any":[%s,{"field":"class","op":"==","value":%s}]}`, under, quoteJSON(begin[:dot])))
}

func classScope(name string) *query.Query {
	return scope(fmt.Sprintf(`{"field":"class","op":"==","value":%s}`, quoteJSON(name)))
}

// scope returns a query of ours. It is not bounded: topics are.
func scope(tree string) *query.Query {
	const any = 1 << 20
	q, err := query.ParseJSON([]byte(tree), query.Options{Limits: query.Limits{
		Text: any, Depth: any, Leaves: any, List: any, Literal: any, Regexp: any, Path: any,
	}})
	if err != nil {
		panic(fmt.Sprintf("events: the scope %s: %v", tree, err))
	}
	return q
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always can
	}
	return string(b)
}
