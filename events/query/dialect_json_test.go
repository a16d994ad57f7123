package query_test

import (
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

func TestParseJSON(t *testing.T) {
	for _, test := range []struct{ json, eql, back string }{
		{`{"field":"total","op":">","value":100}`, `total > 100`, ""},
		{`{"all":[{"field":"class","op":"==","value":"order.created"},{"field":"customer","op":"==","value":42}]}`, `class == "order.created" && customer == 42`, ""},
		{`{"any":[{"field":"paid"},{"not":{"has":"address.city"}}]}`, `paid || !has(address.city)`, ""},
		{`{"field":"status","op":"in","value":["new","paid",null,1.5]}`, `status in ["new", "paid", null, 1.5]`, ""},
		{`{"field":"tags","op":"includes","value":"red"}`, `"red" in tags`, ""},
		{`{"field":"time","op":"<","value":{"timestamp":"2026-01-31T12:00:00Z"}}`, `time < timestamp("2026-01-31T12:00:00Z")`, ""},
		{`{"exists":"items","where":{"all":[{"field":"it.sku","op":"==","value":"A"},{"field":"it.qty","op":">","value":1}]}}`, `items.exists(it, it.sku == "A" && it.qty > 1)`, ""},
		{`{"exists":"items","as":"i","where":{"field":"i.qty","op":">","other":"total"}}`, `items.exists(i, i.qty > total)`, ""},
		{`{"exists":"items","as":"i","where":{"field":["i","qty"],"op":"==","value":1}}`, `items.exists(i, data.i.qty == 1)`, `{"exists":"items","as":"i","where":{"field":"data.i.qty","op":"==","value":1}}`},
		{`{"field":["street name"],"op":"startsWith","value":"Å"}`, `data["street name"].startsWith("Å")`, `{"field":"data[\"street name\"]","op":"startsWith","value":"Å"}`},
		{`{"field":"a","op":"endsWith","value":"x"}`, `a.endsWith("x")`, ""},
		{`{"field":"a","op":"contains","value":"x"}`, `a.contains("x")`, ""},
		{`{"field":"a","op":"matches","value":"^x+$"}`, `a.matches("^x+$")`, ""},
		{`{"field":["class"],"op":"!=","value":null}`, `data.class != null`, `{"field":"data.class","op":"!=","value":null}`},
		{`{"field":"a","op":"<=","value":18446744073709551615}`, `a <= 18446744073709551615u`, ""},
		{`{"field":"a","op":">=","value":1e2}`, `a >= 100.0`, `{"field":"a","op":">=","value":100.0}`},
		{`{"all":[{"all":[{"field":"a"},{"field":"b"}]},{"any":[{"field":"c"}]}]}`, `a && b && c`, `{"all":[{"field":"a"},{"field":"b"},{"field":"c"}]}`},
		{`true`, `true`, ""},
		{`{"any":[null,{"field":"a"}]}`, `0 < "" || a`, ""},
	} {
		q, err := query.ParseJSON([]byte(test.json), query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.json, err)
			continue
		}
		if q.String() != test.eql {
			t.Errorf("%s\nis %s\nwant %s", test.json, q, test.eql)
		}
		if test.back == "" {
			test.back = test.json
		}
		if got := string(q.JSON()); got != test.back {
			t.Errorf("%s\ngives %s\nwant %s", test.json, got, test.back)
		}
		parsed, err := query.Parse(test.eql, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.eql, err)
		} else if parsed.Hash() != q.Hash() {
			t.Errorf("%s and %s have different hashes", test.json, test.eql)
		}
	}
}

func TestParseJSONErrors(t *testing.T) {
	for _, test := range []struct{ json, want string }{
		{``, `1:1: expected JSON: the text ends too early`},
		{`{"all":[`, `1:9 (/all): expected JSON: the text ends too early`},
		{`{"field":"a"} x`, `1:15: expected JSON: invalid character 'x' at start of value`},
		{`true true`, `1:6: expected nothing behind the JSON of the query, found more`},
		{`{"field":"a","field":"b"}`, `1:14 (/field): expected JSON: duplicate object member name`},
		{`5`, `1:1: expected a condition, which is an object with "all", "any", "not", "has", "exists" or "field" in it, or true or false, found the number 5`},
		{`{}`, `1:1: expected a condition, which is an object with "all", "any", "not", "has", "exists" or "field" in it, or true or false, found an empty object`},
		{`{"and":[]}`, `1:1: expected a condition, which is an object with "all", "any", "not", "has", "exists" or "field" in it, or true or false, found one with "and"`},
		{`{"all":[]}`, `1:8 (/all): expected an array of conditions, one at least, found an empty array`},
		{`{"all":{}}`, `1:8 (/all): expected an array of conditions, one at least, found an object`},
		{"{\"all\": [\n  true,\n  {\"field\": \"a\", \"op\": \"=\", \"value\": 1}]}", `3:24 (/all/1/op): expected one of != < <= == > >= contains endsWith in includes matches startsWith, found "="`},
		{`{"any":[{"field":"a","op":"=="}]}`, `1:9 (/any/0): expected "value" beside "op", or "other", which is a field: found neither`},
		{`{"field":"a","value":1}`, `1:1: expected "op" beside "field", such as "==": found a value without it`},
		{`{"field":"a","op":"==","value":1,"other":"b"}`, `1:42 (/other): expected "value" or "other", found both`},
		{`{"field":"a","op":"in","other":"b"}`, `1:32 (/other): expected "value" beside "in", found another field`},
		{`{"field":"a","op":"in","value":1}`, `1:32 (/value): expected an array of values, found the number 1`},
		{`{"field":"a","op":"==","value":[1]}`, `1:32 (/value): expected a string, a number, true, false, null or {"timestamp": "2026-01-31T12:00:00Z"}, found an array`},
		{`{"field":"a","op":"==","value":{"timestamp":"now"}}`, `1:45 (/value/timestamp): expected a time such as "2026-01-31T12:00:00Z", found "now"`},
		{`{"field":"a","op":"==","value":1e999}`, `1:32 (/value): expected a number that a double can hold, found 1e999`},
		{`{"field":"a","op":"startsWith","value":1}`, `1:40 (/value): expected a string, found the number 1`},
		{`{"field":"a","op":"matches","value":"("}`, "1:37 (/value): expected a regular expression of RE2: error parsing regexp: missing closing ): `(`"},
		{`{"field":"a","opp":"==","value":1}`, `1:20 (/opp): expected no such member beside "field", found "opp"`},
		{`{"field":"a b"}`, `1:10 (/field): expected the end of the field, found "b"`},
		{`{"field":"a.exists"}`, ""},
		{`{"field":"1"}`, `1:10 (/field): expected a field such as "address.city", found "1"`},
		{`{"field":"a.startsWith('x')"}`, `1:10 (/field): expected a field alone, found a condition`},
		{`{"field":"session.authid"}`, `1:10 (/field): expected a field of the event, found session, which only the queries of roles have; a field of the data with that name is data.session`},
		{`{"field":[]}`, `1:10 (/field): expected a field, as a string such as "address.city" or as an array of names such as ["address", "street name"], found an array`},
		{`{"exists":"a"}`, `1:1: expected "where" beside "exists": a condition about the element, which is called "it"`},
		{`{"exists":"a","as":"class","where":true}`, `1:20 (/as): expected a name for the element that is a word and means nothing else, found "class"`},
		{`{"exists":"a","where":{"exists":"it","where":true}}`, `1:33 (/where/exists): expected no exists inside of exists, found one`},
		{`{"exists":"a","where":{"has":"it"}}`, `1:30 (/where/has): expected a field for has, found the element alone`},
	} {
		_, err := query.ParseJSON([]byte(test.json), query.DefaultOptions())
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.json, err)
		case test.want != "" && err == nil:
			t.Errorf("%s: accepted, want %s", test.json, test.want)
		case test.want != "" && err.Error() != test.want:
			t.Errorf("%s\nsays %s\nwant %s", test.json, err, test.want)
		}
	}
}

// A dialect has the limits of EQL: of a query that is too large as one, the
// other is too large too.
func TestParseJSONLimits(t *testing.T) {
	wide := query.DefaultOptions()
	narrow := query.Options{Limits: query.Limits{Text: 1 << 12, Depth: 3, Leaves: 3, List: 2, Literal: 4, Regexp: 5, Path: 2}}
	for _, text := range []string{
		`((a))`, `!a`, `!!a`, `!!!a`, `!(a == 1)`, `!!(a == 1)`, `!(a && b)`, `!(a && !b)`, `a || b && c`, `(a || b) && c`, `(a || !(b && c)) && d`,
		`!("x" in tags)`, `a.exists(x, x == 1)`, `!a.exists(x, x == 1)`, `!!a.exists(x, x == 1)`, `a.exists(x, !(x == 1))`,
		`a && b && c`, `a && b && c && d`, `has(a) && has(b) && "x" in c && d == 1`, `a in [1, 2]`, `a in [1, 2, 3]`, `a == "1234"`, `a == "12345"`,
		`a in ["12345"]`, `a.b == 1`, `a.b.c == 1`, `a == b.c.d`, `a.matches("12345")`, `a.matches("123456")`, `a.startsWith("12345")`,
	} {
		q, err := query.Parse(text, wide)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_, want := query.Parse(q.String(), narrow)
		_, err = query.ParseJSON(q.JSON(), narrow)
		if (want == nil) != (err == nil) {
			t.Errorf("%s: %v, and as JSON %v", q, want, err)
		}
		if e, ok := err.(*query.Error); err != nil && (!ok || !e.Limit) {
			t.Errorf("%s: %v is not about a limit", q.JSON(), err)
		}
	}
	narrow.Limits.Text = 10
	if e, ok := parseJSONError(`{"field":"a"}`, narrow).(*query.Error); !ok || !e.Limit {
		t.Errorf("a text that is too long: %v", e)
	}
}

func parseJSONError(text string, options query.Options) error {
	_, err := query.ParseJSON([]byte(text), options)
	return err
}

// What one of EQL and JSON can say, so can the other, and it is the same query.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`a == 1 && b.c in [1, "x", null] || !has(d)`, `items.exists(i, i.sku.startsWith("A") && i.qty >= 1.5e3 && data.i == i.x)`,
		`data["a b"] != r'\x'`, `time < timestamp("2026-01-01T00:00:00.5Z")`, `0x10u == a && -1 < b || 1 < "a"`, `"\U0001F600" in tags && !(a && !b)`,
		`{"any":[{"field":"a","op":"matches","value":"x"},{"exists":["b","c"],"as":"x","where":{"not":{"field":"x","op":"in","value":[]}}}]}`,
		`{"field":"a","op":"<","other":"data.class"}`, `{"has":"a"}`, `null`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		options := query.DefaultOptions()
		q, err := query.Parse(text, options)
		if err != nil {
			if q, err = query.ParseJSON([]byte(text), options); err != nil {
				if e, ok := err.(*query.Error); !ok || e.Line < 1 || e.Column < 1 || e.Offset > len(text) || e.Text == "" {
					t.Fatalf("%q: %#v", text, err)
				}
				return
			}
			asText := options
			asText.Limits.Text = 1 << 20
			again, err := query.Parse(q.String(), asText)
			if err != nil || again.Normal() != q.Normal() || again.String() != q.String() {
				t.Fatalf("%s is %s, and that %v, %v", text, q, again, err)
			}
		}
		options.Limits.Text = 1 << 20
		again, err := query.ParseJSON(q.JSON(), options)
		if err != nil || again.Normal() != q.Normal() || again.Hash() != q.Hash() || string(again.JSON()) != string(q.JSON()) {
			t.Fatalf("%q is %s, and that %v, %v", text, q.JSON(), again, err)
		}
	})
}

// What a class does not declare is found in JSON as it is in EQL.
func TestParseJSONCheck(t *testing.T) {
	schema := &query.Schema{Class: "order", Data: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{{Name: "total", Type: query.Type{Kind: query.NumberType}}}}}
	for _, test := range []struct{ json, want string }{
		{`{"field":"total","op":">","value":1}`, ""},
		{`{"all":[true,{"field":"totl","op":">","value":1}]}`, `1:23: expected a field of order, found "totl"; did you mean total?`},
		{`{"has":["a","b"]}`, `1:8: expected the only field of order, total, found "a"`},
	} {
		q, err := query.ParseJSON([]byte(test.json), query.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Check(schema); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.json, err, test.want)
		}
	}
}
