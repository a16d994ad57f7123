package query

import (
	"strings"
	"time"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// askTime answers a question about a time: CESQL has times as strings, of which
// two that are the same point in time are equal here.
func (c *sqlCompiler) askTime(q *question) (outcome, *Error) {
	f, pos := q.field, q.pos
	o := outcome{exact: true}
	if f.root == rootData {
		o.needs = []reading{{q.name, cesql.String}}
	}
	o.yesReads, o.noReads, o.fails = o.needs, o.needs, c.whenNot(o.needs, pos)
	bound := func(op op, t time.Time) sized {
		return c.leaf(&expr{op: op, pos: int32(pos), field: f, value: TimeValue(t)})
	}
	const ordered = "expected what can be asked of a time: =, !=, IN, EXISTS, or LIKE '2026-01%%' with the beginning of one; found something else. EQL compares times: %s < timestamp(\"2026-01-31T12:00:00Z\")"
	e := q.whole
	switch {
	case len(q.casts) > 0, q.operand == e:
		return o, c.errorAt(e.Pos, ordered, f)
	case e.Op == cesql.Like:
		p := e.Pattern
		if len(p) == 2 && len(p[0])+len(p[1]) == 0 {
			o.yes, o.no = c.isTime(f, pos), never
			return o, nil
		}
		from, to, ok := timeBeginning(string(p[0]))
		if len(p) != 2 || len(p[1]) > 0 || !ok {
			return o, c.errorAt(e.Pos, ordered, f)
		}
		o.yes = c.join(opAnd, pos, bound(opGreaterEqual, from), bound(opLess, to))
		o.no = c.join(opOr, pos, bound(opLess, from), bound(opGreaterEqual, to))
		return o, nil
	case e.Op == cesql.Equal || e.Op == cesql.Unequal || e.Op == cesql.In:
		values := make([]Value, len(q.others))
		var others []sized
		for i, v := range q.others {
			t, bad := readTime(v.Text())
			if bad != "" {
				return o, c.errorAt(e.Pos, "%s", bad)
			}
			values[i] = TimeValue(t)
			others = append(others, c.join(opOr, pos, bound(opLess, t), bound(opGreater, t)))
		}
		o.yes, o.no = c.leaf(among(f, pos, values)), c.join(opAnd, pos, others...)
		if e.Op == cesql.Unequal {
			o.yes, o.no = o.no, o.yes
		}
		return o, nil
	}
	return o, c.errorAt(e.Pos, ordered, f)
}

// isTime returns the condition that there is a time.
func (c *sqlCompiler) isTime(f path, pos int) sized {
	if f.root != rootData {
		return always
	}
	since := &expr{op: opGreaterEqual, pos: int32(pos), field: f, value: TimeValue(time.Unix(0, 0))}
	before := *since
	before.op = opLess
	return c.join(opOr, pos, c.leaf(since), c.leaf(&before))
}

// timeBeginning returns the times, in UTC, that begin as a text does.
func timeBeginning(text string) (from, to time.Time, ok bool) {
	from, to, ok = timePart(text)
	return from, to, ok && !strings.HasSuffix(text, ".") && strings.HasPrefix(from.UTC().Format("2006-01-02T15:04:05"), text)
}
