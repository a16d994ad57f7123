package query

// A Filter says of many events, one at a time, whether they satisfy one query.
// It is to [Query.Match] what a [Matcher] is to that: the same answer for a
// fraction of the cost, without allocations once it has seen the biggest event.
// It is for one goroutine at a time.
type Filter struct {
	plan    *plan
	code    []byte
	flat    flat
	machine machine

	class *Schema // of the last event
	times bool    // class has times
}

// NewFilter returns the filter of a query. The error wraps [ErrPaths] or
// [ErrTooLong], for queries that no [Index] of [DefaultConfig] takes.
func NewFilter(q *Query) (*Filter, error) {
	c := compiler{
		paths:    newPaths(DefaultConfig().Paths),
		patterns: &patterns{texts: map[string]uint32{}, retire: func(uint32) {}},
	}
	if err := c.expr(q.normal, nil); err != nil {
		return nil, err
	}
	if len(c.code) > maxCode {
		return nil, ErrTooLong
	}
	f := &Filter{code: c.code, plan: newPlan(0, c.paths, &features{}, c.patterns.list)}
	f.machine = machine{flat: &f.flat, regexps: f.plan.regexps}
	return f, nil
}

// Match reports whether an event of a class satisfies the query: whether it is
// true of it, and neither false nor an error. data must be a JSON object, which
// the filter keeps until the next Match; an error says what is wrong with it.
func (f *Filter) Match(s *Schema, meta Meta, data []byte) (bool, error) {
	if err := f.flat.load(f.plan, &meta, data, false); err != nil {
		return false, err
	}
	if f.class != s {
		f.class, f.times = s, s.Data.hasTimes()
	}
	if f.times {
		f.flat.readTimes(&s.Data, f.plan.root.node, 0)
	}
	return f.machine.run(f.code) == True, nil
}
