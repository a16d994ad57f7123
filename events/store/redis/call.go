package redis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A call is one call of the script that appends: several requests, of which
// each is carried out as a whole or not at all.
type call struct {
	requests []*request
	seq      uint64 // 0: none yet
	after    uint64 // the call before it

	classes []string
	asked   []position // what was known of the classes when it was sent
}

// calls divides requests into calls, each within the bounds.
func calls(requests []*request, maxRecords, maxBytes int) (all []*call) {
	begin, allRecords, allBytes := 0, 0, 0
	for i, r := range requests {
		records, bytes := r.Size()
		if i > begin && (allRecords+records > maxRecords || allBytes+bytes > maxBytes) {
			all = append(all, &call{requests: requests[begin:i]})
			begin, allRecords, allBytes = i, 0, 0
		}
		allRecords += records
		allBytes += bytes
	}
	return append(all, &call{requests: requests[begin:]})
}

// records returns how many records a call has.
func (c *call) records() (n int) {
	for _, r := range c.requests {
		n += len(r.records)
	}
	return n
}

// arguments returns what the script is called with.
func (c *call) arguments(s *Store) (keys []string, args []any) {
	index := make(map[string]int)
	keep := []int{0}
	c.classes = c.classes[:0]
	for _, r := range c.requests {
		for i := range r.records {
			class := r.records[i].Class
			n := index[class]
			if n == 0 {
				n = len(index) + 1
				index[class] = n
				c.classes = append(c.classes, class)
				keep = append(keep, 0)
			}
			keep[n] = r.records[i].Keep.Events
		}
	}
	keys = append(make([]string, 0, 2+4*len(index)), s.keys.writer)
	args = append(make([]any, 0, 5+4*len(index)+len(c.requests)+5*c.records()), s.node, c.seq, c.after, flag(s.alone.Load()), len(index))
	c.asked = c.asked[:0]
	for i, class := range c.classes {
		keys = s.keys.class(keys, class)
		k := s.position(class)
		c.asked = append(c.asked, k)
		args = append(args, keep[i+1], k.epoch, k.last, newEpoch())
	}
	for _, r := range c.requests {
		args = append(args, len(r.records))
		for i := range r.records {
			rec := &r.records[i]
			n := index[rec.Class]
			if rec.IDGiven {
				n = -n
			}
			args = append(args, n, rec.ID, rec.Channel, milliseconds(rec.Time), rec.Data)
		}
	}
	return append(keys, s.keys.feed), args
}

// flag is how a script is told whether something is so.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// An outcome is what became of a request.
type outcome struct {
	results  []events.Appended
	conflict *events.ConflictError
}

// parse returns the outcomes of the requests, which the script answers with one
// line each, after a line with the epochs of the classes.
func (c *call) parse(reply string) ([]outcome, error) {
	lines := strings.Split(reply, "\n")
	heads := strings.Fields(lines[0])
	if len(lines) != 1+len(c.requests) || len(heads) != len(c.classes) {
		return nil, fmt.Errorf("%w: the script answers with %d lines for %d requests", errDamaged, len(lines), len(c.requests))
	}
	logs := make(map[string]events.Appended, len(heads))
	for i, h := range heads {
		epoch, base, _ := strings.Cut(h, ":")
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: the script answers with the epoch %.40q", errDamaged, h)
		}
		logs[c.classes[i]] = events.Appended{Epoch: epoch, Base: n}
	}
	all := make([]outcome, len(c.requests))
	for i, r := range c.requests {
		line := lines[1+i]
		if at, ok := strings.CutPrefix(line, "!"); ok {
			n, err := strconv.Atoi(at)
			if err != nil || n < 1 || n > len(r.records) {
				return nil, fmt.Errorf("%w: the script answers with a conflict of the record %.20q", errDamaged, at)
			}
			all[i].conflict = &events.ConflictError{Class: r.records[n-1].Class, ID: r.records[n-1].ID, Index: n - 1}
			continue
		}
		parts := strings.Fields(line)
		if len(parts) != len(r.records) {
			return nil, fmt.Errorf("%w: the script answers with %d results for %d records", errDamaged, len(parts), len(r.records))
		}
		all[i].results = make([]events.Appended, len(parts))
		for j, part := range parts {
			result := logs[r.records[j].Class]
			if err := parseResult(part, &r.records[j], &result); err != nil {
				return nil, err
			}
			all[i].results[j] = result
		}
	}
	return all, nil
}

// parseResult reads an offset, with "d" before it if it is of an earlier
// record, and the time after it unless it is the record's.
func parseResult(part string, rec *events.Record, to *events.Appended) error {
	text, duplicate := strings.CutPrefix(part, "d")
	text, at, timed := strings.Cut(text, ":")
	ms := milliseconds(rec.Time)
	var err error
	if to.Offset, err = strconv.ParseUint(text, 10, 64); err == nil && timed {
		ms, err = strconv.ParseInt(at, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("%w: the script answers with the result %.40q", errDamaged, part)
	}
	to.Duplicate = duplicate
	to.Time = time.UnixMilli(ms).UTC()
	return nil
}

// milliseconds returns a time as it stands in the ID of an entry, which cannot
// be before 1970.
func milliseconds(t time.Time) int64 { return min(max(t.UnixMilli(), 0), maxNumber) }

// maxNumber is the greatest integer up to which Lua can count.
const maxNumber = 1<<53 - 1
