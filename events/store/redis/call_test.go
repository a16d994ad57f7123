package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// drafted returns a call of one request for each number of records, all of the
// class c at the millisecond 5, as it is when it was sent.
func drafted(records ...int) *call {
	c := new(call)
	for i, n := range records {
		r := new(request)
		for j := range n {
			r.records = append(r.records, events.Record{Class: "c", ID: fmt.Sprintf("%d.%d", i, j), Time: time.UnixMilli(5), Data: []byte("{}")})
		}
		c.requests = append(c.requests, r)
	}
	s := &Store{keys: newKeys("p"), known: make(map[string]position)}
	c.arguments(s)
	return c
}

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		name    string
		records []int
		reply   string
		want    string // offset and time of each record, d before a duplicate; ! and the record of a conflict
	}{
		{"all appended", []int{1, 2, 1}, "E:0:7:11:3", "8@5 | 9@5 10@5 | 11@5"},
		{"behind a later time", []int{1, 1}, "E:0:0:2:9", "1@9 | 2@9"},
		{"a duplicate between", []int{1, 1, 1}, "E:0:7:9:3\n2 1 4 2", "8@5 | d4@2 | 9@5"},
		{"one within a request", []int{3}, "E:0:7:9:3\n1 2 8 5", "8@5 d8@5 9@5"},
		{"a conflict", []int{1, 2, 1}, "E:0:7:9:3\n2 !2", "8@5 | !2 | 9@5"},
		{"nothing but conflicts", []int{1}, "E:0:7:7:3\n1 !1", "!1"},
		{"no records", []int{0, 1}, "E:0:7:8:3", " | 8@5"},

		{"too few appended", []int{1, 1}, "E:0:7:8:3", "error"},
		{"too many appended", []int{1}, "E:0:7:9:3", "error"},
		{"no log", []int{1}, "", "error"},
		{"two logs", []int{1}, "E:0:7:8:3 E:0:7:8:3", "error"},
		{"a number too few", []int{1}, "E:0:7:8", "error"},
		{"a number too many", []int{1}, "E:0:7:8:3:1", "error"},
		{"a negative number", []int{1}, "E:0:7:8:-3", "error"},
		{"an unknown request", []int{1}, "E:0:7:7:3\n2 1 4 2", "error"},
		{"an unknown record", []int{1}, "E:0:7:7:3\n1 2 4 2", "error"},
		{"the record 0", []int{1}, "E:0:7:7:3\n1 0 4 2", "error"},
		{"a conflict of an unknown record", []int{1}, "E:0:7:7:3\n1 !2", "error"},
		{"a conflict with more", []int{1}, "E:0:7:7:3\n1 !1 4 2", "error"},
		{"no offset", []int{1}, "E:0:7:7:3\n1 1", "error"},
		{"a duplicate in a conflict", []int{1}, "E:0:7:7:3\n1 !1\n1 1 4 2", "error"},
		{"an empty line", []int{1}, "E:0:7:8:3\n\n", "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := drafted(tt.records...)
			if got := outcomesOf(c, c.parse(tt.reply)); got != tt.want {
				t.Errorf("%q says %s, expected %s", tt.reply, got, tt.want)
			}
		})
	}
}

func outcomesOf(c *call, err error) string {
	if err != nil {
		return "error"
	}
	var all []string
	for _, o := range c.outcomes {
		var of []string
		if o.conflict != nil {
			of = append(of, fmt.Sprint("!", o.conflict.Index+1))
		}
		for _, a := range o.results {
			text := fmt.Sprintf("%d@%d", a.Offset, a.Time.UnixMilli())
			if a.Duplicate {
				text = "d" + text
			}
			of = append(of, text)
		}
		all = append(all, strings.Join(of, " "))
	}
	return strings.Join(all, " | ")
}

// FuzzReply: whatever the script answers, it is refused, or every record has an
// outcome; what was appended has the offsets that the reply has room for.
func FuzzReply(f *testing.F) {
	f.Add("E:0:7:11:3")
	f.Add("E:0:7:10:3\n2 1 4 2")
	f.Add("E:0:7:9:3\n2 !2")
	f.Add("E:0:18446744073709551614:1:99999999999999999999")
	f.Fuzz(func(t *testing.T, reply string) {
		c := drafted(1, 2, 1)
		if err := c.parse(reply); err != nil {
			return
		}
		if len(c.outcomes) != len(c.requests) {
			t.Fatalf("%d requests have %d outcomes", len(c.requests), len(c.outcomes))
		}
		var last uint64
		for i, o := range c.outcomes {
			if (o.conflict == nil) != (len(o.results) == len(c.requests[i].records)) {
				t.Errorf("the request %d of %d records has the outcome %+v", i, len(c.requests[i].records), o)
			}
			for _, a := range o.results {
				if a.Duplicate {
					continue
				}
				if last != 0 && a.Offset != last+1 {
					t.Errorf("the offset %d follows %d", a.Offset, last)
				}
				last = a.Offset
			}
		}
	})
}

// What all records of a call have in common is said once.
func TestKinds(t *testing.T) {
	s := &Store{keys: newKeys("p"), known: make(map[string]position)}
	c := new(call)
	for i := range 6 {
		r := events.Record{Class: "c", ID: "x", Time: time.UnixMilli(int64(i / 3)), Data: []byte("{}"), IDGiven: i == 2}
		if i == 4 {
			r.Channel = "k"
		}
		c.requests = append(c.requests, &request{records: []events.Record{r}})
	}
	_, args := c.arguments(s)
	var got []string
	for _, a := range args[9:] {
		switch a := a.(type) {
		case *string:
			got = append(got, *a)
		case []byte:
			got = append(got, string(a))
		default:
			got = append(got, fmt.Sprint(a))
		}
	}
	want := "4 1  0 1 g 0 1  1 1 c 1 " + "1 mx {} 1 mx {} 2 gx {} 3 mx {} 4 mx k {} 3 mx {}"
	if strings.Join(got, " ") != want {
		t.Errorf("the arguments are %q, expected %q", strings.Join(got, " "), want)
	}
}
