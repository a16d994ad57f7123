package redis

import (
	"fmt"
	"slices"
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

	// What it was sent with, of each class.
	classes []string
	asked   []position
	of      []int // the class of each record, in order

	outcomes []outcome // of each request, once there are any
}

// An outcome is what became of a request.
type outcome struct {
	results  []events.Appended
	conflict *events.ConflictError
}

// A recordKind is what records of a call have in common.
type recordKind struct {
	class          int
	given, channel bool // its publisher gives the id; it has a channel
	time           int64
}

// A drafter is what the arguments of a call are made with. The committer owns it.
type drafter struct {
	classes map[string]int     // from 0
	kinds   map[recordKind]int // from 1
	keep    []int              // of each class
	list    []recordKind
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

// arguments returns what the script is called with. What every record would have
// to say again is said once, as a kind: each argument costs Redis two copies.
func (c *call) arguments(s *Store) (keys []string, args []any) {
	records := c.records()
	d := &s.drafter
	d.begin()
	c.classes, c.asked, c.of = c.classes[:0], c.asked[:0], slices.Grow(c.of[:0], records)
	marked := make([]string, 0, records) // does not grow, as args point into it
	body := make([]any, 0, len(c.requests)+4*records)
	for _, r := range c.requests {
		if len(r.records) != 1 {
			body = append(body, "*"+strconv.Itoa(len(r.records)))
		}
		for i := range r.records {
			rec := &r.records[i]
			class, known := d.classes[rec.Class]
			if !known {
				class = len(c.classes)
				d.classes[rec.Class] = class
				c.classes, d.keep = append(c.classes, rec.Class), append(d.keep, 0)
			}
			d.keep[class] = rec.Keep.Events
			c.of = append(c.of, class)
			mark := "m"
			if rec.IDGiven {
				mark = "g"
			}
			marked = append(marked, mark+rec.ID)
			body = append(body, d.number(recordKind{class, rec.IDGiven, rec.Channel != "", milliseconds(rec.Time)}), &marked[len(marked)-1])
			if rec.Channel != "" {
				body = append(body, &rec.Channel)
			}
			body = append(body, rec.Data)
		}
	}
	keys = append(make([]string, 0, 2+4*len(c.classes)), s.keys.writer)
	args = append(make([]any, 0, 6+4*len(c.classes)+3*len(d.list)+len(body)), s.node, c.seq, c.after, flag(s.alone.Load()), len(c.classes))
	for i, class := range c.classes {
		keys = s.keys.class(keys, class)
		k := s.position(class)
		c.asked = append(c.asked, k)
		args = append(args, d.keep[i], k.epoch, k.last, newEpoch())
	}
	args = append(args, len(d.list))
	for _, k := range d.list {
		args = append(args, 1+k.class, k.flags(), k.time)
	}
	return append(keys, s.keys.feed), append(args, body...)
}

// begin forgets what was.
func (d *drafter) begin() {
	if d.kinds == nil {
		d.classes, d.kinds = make(map[string]int), make(map[recordKind]int)
	}
	clear(d.classes)
	clear(d.kinds)
	d.keep, d.list = d.keep[:0], d.list[:0]
}

// number returns the number of a kind, which may be a new one.
func (d *drafter) number(k recordKind) int {
	n := len(d.list)
	if n > 0 && d.list[n-1] == k {
		return n // as is usual
	}
	if n, known := d.kinds[k]; known {
		return n
	}
	d.list = append(d.list, k)
	d.kinds[k] = n + 1
	return n + 1
}

// flags returns how the script is told of what a kind has.
func (k *recordKind) flags() string {
	switch {
	case k.given && k.channel:
		return "gc"
	case k.given:
		return "g"
	case k.channel:
		return "c"
	}
	return ""
}

// flag is how a script is told whether something is so.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// parse reads what became of the requests. The script answers with a line that
// says how far each log went before and after, and with further ones only for
// what was not appended.
func (c *call) parse(reply string) error {
	first, rest, _ := strings.Cut(reply, "\n")
	heads := strings.Fields(first)
	if len(heads) != len(c.classes) {
		return fmt.Errorf("%w: the script answers with %d logs of %d", errDamaged, len(heads), len(c.classes))
	}
	logs, ends := make([]events.Appended, len(heads)), make([]uint64, len(heads))
	for i, h := range heads {
		if err := parseHead(h, &logs[i], &ends[i]); err != nil {
			return err
		}
	}
	c.outcomes = make([]outcome, len(c.requests))
	results := make([]events.Appended, len(c.of))
	for i, r := range c.requests {
		n := len(r.records)
		c.outcomes[i].results, results = results[:n:n], results[n:]
	}
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if err := c.except(line); err != nil {
			return err
		}
	}
	// All others were appended, in order.
	of := c.of
	for i, r := range c.requests {
		a := &c.outcomes[i]
		for j := range a.results {
			log, to := &logs[of[j]], &a.results[j]
			if !to.Duplicate {
				log.Offset++
				if at := time.UnixMilli(milliseconds(r.records[j].Time)).UTC(); at.After(log.Time) {
					log.Time = at
				}
				*to = *log
			}
			to.Epoch, to.Base = log.Epoch, log.Base
		}
		of = of[len(r.records):]
	}
	for i := range logs {
		if logs[i].Offset != ends[i] {
			return fmt.Errorf("%w: the script answers that a log goes up to %d, expected %d", errDamaged, ends[i], logs[i].Offset)
		}
	}
	return nil
}

// parseHead reads what the script says of a log: the epoch, the base, the last
// offset before and after the call, and the time of the last record before it.
func parseHead(text string, to *events.Appended, end *uint64) error {
	epoch, numbers, _ := strings.Cut(text, ":")
	var at uint64
	fields := [...]*uint64{&to.Base, &to.Offset, end, &at}
	i := 0
	for part := range strings.SplitSeq(numbers, ":") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || i == len(fields) {
			i = -1
			break
		}
		*fields[i] = n
		i++
	}
	if i != len(fields) {
		return fmt.Errorf("%w: the script answers with the log %.80q", errDamaged, text)
	}
	to.Epoch, to.Time = epoch, time.UnixMilli(int64(min(at, maxNumber))).UTC()
	return nil
}

// except reads a line about what was not appended: a request with a conflict, or
// a record that was there already.
func (c *call) except(line string) error {
	damaged := fmt.Errorf("%w: the script answers with the result %.80q", errDamaged, line)
	parts := strings.Fields(line)
	if len(parts) != 2 && len(parts) != 4 {
		return damaged
	}
	request, err := strconv.Atoi(parts[0])
	if err != nil || request < 1 || request > len(c.requests) {
		return damaged
	}
	r, a := c.requests[request-1], &c.outcomes[request-1]
	number, conflicting := strings.CutPrefix(parts[1], "!")
	record, err := strconv.Atoi(number)
	if err != nil || record < 1 || record > len(r.records) || conflicting != (len(parts) == 2) {
		return damaged
	}
	if conflicting {
		rec := &r.records[record-1]
		*a = outcome{conflict: &events.ConflictError{Class: rec.Class, ID: rec.ID, Index: record - 1}}
		return nil
	}
	offset, err := strconv.ParseUint(parts[2], 10, 64)
	ms, err2 := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || err2 != nil || a.conflict != nil {
		return damaged
	}
	a.results[record-1] = events.Appended{Offset: offset, Time: time.UnixMilli(ms).UTC(), Duplicate: true}
	return nil
}

// milliseconds returns a time as it stands in the ID of an entry, which cannot
// be before 1970.
func milliseconds(t time.Time) int64 { return min(max(t.UnixMilli(), 0), maxNumber) }

// maxNumber is the greatest integer up to which Lua can count.
const maxNumber = 1<<53 - 1
