package query_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

var taken = time.Date(2026, 1, 31, 12, 30, 15, 0, time.UTC)

func sample(t *testing.T, schema *query.Schema, data string) *query.Sample {
	t.Helper()
	meta := query.Meta{Class: "order.created", ID: "e-1", Topic: "orders", Time: taken}
	s, err := query.NewSample(meta, []byte(data))
	if schema != nil {
		s, err = schema.NewSample(meta, []byte(data))
	}
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}

// orderSchema declares a field of each kind.
var orderSchema = &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
	{Name: "customer", Type: query.Type{Kind: query.StringType}},
	{Name: "total", Type: query.Type{Kind: query.NumberType}},
	{Name: "paid", Type: query.Type{Kind: query.BoolType}},
	{Name: "due", Type: query.Type{Kind: query.TimeType}},
	{Name: "tags", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.StringType}}},
	{Name: "items", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.ObjectType, Fields: []query.Field{
		{Name: "sku", Type: query.Type{Kind: query.StringType}}, {Name: "quantity", Type: query.Type{Kind: query.IntType}},
	}}}},
	{Name: "address", Type: query.Type{Kind: query.ObjectType, Fields: []query.Field{{Name: "city", Type: query.Type{Kind: query.StringType}}}}},
}}}

func TestParseCloudEvents(t *testing.T) {
	for _, test := range []struct {
		filter, data string
		want         bool
	}{
		{`{"exact":{"type":"order.created"}}`, `{}`, true},
		{`{"exact":{"type":"Order.created"}}`, `{}`, false},
		{`{"exact":{"type":"order"}}`, `{}`, false},
		{`{"exact":{"type":"order.created","id":"e-1"}}`, `{}`, true},
		{`{"exact":{"type":"order.created","id":"e-2"}}`, `{}`, false},
		{`{"exact":{"time":"2026-01-31T12:30:15Z"}}`, `{}`, true},
		{`{"exact":{"time":"2026-01-31T13:30:15+01:00"}}`, `{}`, true},
		{`{"not":{"exact":{"time":"2026-01-31T12:30:15Z"}}}`, `{}`, false},
		{`{"exact":{"specversion":"1.0"}}`, `{}`, true},
		{`{"not":{"exact":{"specversion":"1.0"}}}`, `{}`, false},
		{`{"suffix":{"datacontenttype":"/json"}}`, `{}`, true},
		{`{"prefix":{"datacontenttype":"text/"}}`, `{}`, false},
		{`{"prefix":{"type":"order."}}`, `{}`, true},
		{`{"prefix":{"type":"order.","id":"x"}}`, `{}`, false},
		{`{"suffix":{"type":".created"}}`, `{}`, true},
		{`{"suffix":{"type":".deleted"}}`, `{}`, false},
		{`{"prefix":{"time":"2026-01"}}`, `{}`, true},
		{`{"prefix":{"time":"2026-01-31T12:30:15"}}`, `{}`, true},
		{`{"prefix":{"time":"2026-02-"}}`, `{}`, false},
		{`{"not":{"prefix":{"time":"2026-02-"}}}`, `{}`, true},
		{`{"exact":{"subject":"s"}}`, `{"subject":"s"}`, true},
		{`{"exact":{"subject":"s"}}`, `{}`, false},
		{`{"not":{"exact":{"subject":"s"}}}`, `{}`, true},
		{`{"not":{"exact":{"subject":"s"}}}`, `{"subject":"t"}`, true},
		{`{"not":{"exact":{"subject":"s"}}}`, `{"subject":"s"}`, false},
		{`{"not":{"exact":{"subject":"s"}}}`, `{"subject":["s"]}`, true},
		{`{"prefix":{"source":"https://"}}`, `{"source":"https://a"}`, true},
		{`{"not":{"prefix":{"source":"https://"}}}`, `{"source":"http://a"}`, true},
		{`{"not":{"prefix":{"source":"https://"}}}`, `{"source":"https://a"}`, false},
		{`{"not":{"prefix":{"source":"https://"}}}`, `{}`, true},
		{`{"not":{"suffix":{"source":"a"}}}`, `{"source":5}`, true},
		{`{"not":{"suffix":{"source":"a"}}}`, `{"source":-0.5}`, true},
		{`{"not":{"suffix":{"source":"a"}}}`, `{"source":null}`, true},
		{`{"not":{"suffix":{"source":"a"}}}`, `{"source":[]}`, true},
		{`{"not":{"suffix":{"source":"a"}}}`, `{"source":{"a":1}}`, true},
		{`{"not":{"not":{"suffix":{"source":"a"}}}}`, `{"source":"ba"}`, true},
		{`{"exact":{"count":"10"}}`, `{"count":10}`, true},
		{`{"exact":{"count":"10"}}`, `{"count":"10"}`, true},
		{`{"exact":{"count":"010"}}`, `{"count":10}`, false},
		{`{"exact":{"ok":"true"}}`, `{"ok":true}`, true},
		{`{"not":{"exact":{"ok":"true"}}}`, `{"ok":true}`, false},
		{`{"all":[{"exact":{"a":"x"}},{"not":{"exact":{"b":"y"}}}]}`, `{"a":"x"}`, true},
		{`{"all":[{"exact":{"a":"x"}},{"exact":{"b":"y"}}]}`, `{"a":"x"}`, false},
		{`{"any":[{"exact":{"a":"x"}},{"exact":{"b":"y"}}]}`, `{"b":"y"}`, true},
		{`{"not":{"any":[{"exact":{"a":"x"}},{"exact":{"b":"y"}}]}}`, `{}`, true},
		{`{"not":{"all":[{"exact":{"a":"x"}},{"exact":{"b":"y"}}]}}`, `{"a":"x"}`, true},
		{`{"sql":"type LIKE 'order.%' AND a = 'x'"}`, `{"a":"x"}`, true},
		{`{"sql":"a != 'x'"}`, `{}`, false},
		{`{"not":{"sql":"a != 'x'"}}`, `{}`, true},
		{`{"not":{"sql":"a != 'x'"}}`, `{"a":["x"]}`, true},
		{`{"not":{"sql":"a < 5"}}`, `{"a":"x"}`, true},
		{`{"not":{"sql":"a < 5"}}`, `{"a":"4"}`, false},
		{`{"not":{"not":{"sql":"a < 5"}}}`, `{"a":"4"}`, true},
		{`{"any":[{"exact":{"a":"x"}},{"sql":"EXISTS b"}]}`, `{"b":null}`, true},
		{`[]`, `{}`, true},
		{`[{"exact":{"a":"x"}}]`, `{"a":"x"}`, true},
		{`[{"exact":{"a":"x"}},{"exact":{"b":"y"}}]`, `{"a":"x"}`, false},
	} {
		q, err := query.ParseCloudEvents([]byte(test.filter), nil, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		if got := q.Match(sample(t, nil, test.data)); got != test.want {
			t.Errorf("%s of %s is %v; it is %s", test.filter, test.data, got, q)
		}
	}
}

// With a schema, a query has only what can be.
func TestParseCloudEventsSchema(t *testing.T) {
	for _, test := range []struct{ filter, want string }{
		{`{"exact":{"customer":"12"}}`, `customer == "12"`},
		{`{"exact":{"total":"12"}}`, `total == 12`},
		{`{"exact":{"paid":"true"}}`, `paid == true`},
		{`{"exact":{"due":"2026-01-01T00:00:00Z"}}`, `due == timestamp("2026-01-01T00:00:00Z")`},
		{`{"not":{"prefix":{"customer":"a"}}}`, `!has(customer) || !customer.startsWith("a") || customer == null`},
		{`{"prefix":{"due":"2026-02"}}`, `due >= timestamp("2026-02-01T00:00:00Z") && due < timestamp("2026-03-01T00:00:00Z")`},
		{`{"not":{"prefix":{"type":"a"}}}`, `!class.startsWith("a")`},
	} {
		q, err := query.ParseCloudEvents([]byte(test.filter), orderSchema, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		if err := q.Check(orderSchema); err != nil {
			t.Errorf("%s: %v", test.filter, err)
		}
		if q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.filter, q, test.want)
		}
	}
}

func TestParseCloudEventsErrors(t *testing.T) {
	for _, test := range []struct{ filter, want string }{
		{`{}`, `1:1: expected a filter, which is an object with one of "exact", "prefix", "suffix", "sql", "all", "any" and "not" in it, found an empty object`},
		{`{"sqll":"x"}`, `1:1: expected a filter, which is an object with one of "exact", "prefix", "suffix", "sql", "all", "any" and "not" in it, found one with "sqll"`},
		{`{"exact":{"type":"a"},"not":{}}`, `1:29 (/not): expected a filter, which is an object with one of "exact", "prefix", "suffix", "sql", "all", "any" and "not" in it: one member and no other, found "exact" and "not"`},
		{`{"all":[]}`, `1:8 (/all): expected an array of filters, one at least, found an empty array`},
		{`{"any":[{"exact":{}}]}`, `1:18 (/any/0/exact): expected an object of attributes and strings, such as {"type": "order.created"}, found an empty object`},
		{`{"exact":{"a":5}}`, `1:15 (/exact/a): expected a string that is not empty, found the number 5`},
		{`{"prefix":{"a":""}}`, `1:16 (/prefix/a): expected the name of an attribute and a string, found an empty one`},
		{`{"exact":{"":"a"}}`, `1:14 (/exact/): expected the name of an attribute and a string, found an empty one`},
		{`{"suffix":{"time":"Z"}}`, `1:19 (/suffix/time): expected no suffix of time, which is a time`},
		{`{"prefix":{"time":"May"}}`, `1:19 (/prefix/time): expected the beginning of a time, such as "2026-01" or "2026-01-31T12", found "May"`},
		{`{"not":{"sql":5}}`, `1:15 (/not/sql): expected an expression of CESQL, which is a string, found the number 5`},
		{`{"all":[{"sql":"a ="}]}`, `1:16 (/all/0/sql): byte 3 of the SQL: expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis, found the end`},
		{`{"exact":{"time":"2026"}}`, `1:18 (/exact/time): expected a time such as "2026-01-31T12:00:00Z", found "2026"`},
	} {
		_, err := query.ParseCloudEvents([]byte(test.filter), nil, query.DefaultOptions())
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\nsays %v\nwant %s", test.filter, err, test.want)
		}
	}
}

// Filters say of events what a reading of them in two values says.
func TestCloudEventsOracle(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var filter func(depth int) string
	filter = func(depth int) string {
		switch n := r.IntN(6); {
		case depth > 0 && n == 0:
			return `{"not":` + filter(depth-1) + `}`
		case depth > 0 && n <= 2:
			return `{"` + pick("all", "any") + `":[` + filter(depth-1) + `,` + filter(depth-1) + `]}`
		}
		return fmt.Sprintf(`{"%s":{"%s":"%s"}}`, pick("exact", "prefix", "suffix"), pick("a", "b", "type"), pick("x", "xy", "y", "1", "10", "true", "order.created"))
	}
	options := query.DefaultOptions()
	options.Limits.Leaves, options.Limits.Text = 1000, 1<<16
	for range 400 {
		text := filter(3)
		q, err := query.ParseCloudEvents([]byte(text), nil, options)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := query.Parse(q.String(), options)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		normal, err := query.Parse(q.Normal(), options)
		if err != nil {
			t.Fatalf("%s: %v", q.Normal(), err)
		}
		ix := index(t, q)
		var parsed map[string]any
		if err := json.Unmarshal([]byte(text), &parsed); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			value := func() string {
				return pick(`"x"`, `"xy"`, `"1"`, `1`, `10`, `1.5`, `-1`, `true`, `false`, `null`, `[]`, `["x"]`, `{}`, `{"x":1}`, `""`)
			}
			data := pick(`{}`, `{"a":`+value()+`}`, `{"a":`+value()+`,"b":`+value()+`}`)
			var fields map[string]any
			if err := json.Unmarshal([]byte(data), &fields); err != nil {
				t.Fatal(err)
			}
			fields["type"] = "order.created"
			want := filterSays(parsed, fields)
			ix.check(t, data, want)
			for _, q := range []*query.Query{q, again, normal} {
				if got := q.Match(sample(t, nil, data)); got != want {
					t.Fatalf("seed %d: %s of %s is %v, want %v: %s", seed, text, data, got, want, q)
				}
			}
		}
	}
}

func filterSays(filter, fields map[string]any) bool {
	for name, arg := range filter {
		switch name {
		case "not":
			return !filterSays(arg.(map[string]any), fields)
		case "all", "any":
			for _, k := range arg.([]any) {
				if filterSays(k.(map[string]any), fields) == (name == "any") {
					return name == "any"
				}
			}
			return name == "all"
		}
		for attribute, want := range arg.(map[string]any) {
			s, isString := fields[attribute].(string)
			switch v := fields[attribute].(type) {
			case float64:
				if v == float64(int(v)) {
					s = strconv.Itoa(int(v))
				}
			case bool:
				s = strconv.FormatBool(v)
			}
			switch name {
			case "exact":
				return s == want
			case "prefix":
				return isString && strings.HasPrefix(s, want.(string))
			case "suffix":
				return isString && strings.HasSuffix(s, want.(string))
			}
		}
	}
	panic("no filter")
}
