package query_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// sqlSays evaluates an expression for an event as a filter does.
func sqlSays(t *testing.T, text, data string) bool {
	t.Helper()
	e, err := cesql.Parse(text, 100)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := e.Eval(sqlAttributes(t, data))
	if err == nil {
		v, err = v.Cast(cesql.Boolean)
	}
	return err == nil && v.Boolean
}

// sqlAttributes are what the event that sample makes has.
func sqlAttributes(t *testing.T, data string) cesql.Attributes {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(data), &fields); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	for name, v := range map[string]string{"type": "order.created", "id": "e-1", "time": "2026-01-31T12:30:15Z", "specversion": "1.0", "datacontenttype": "application/json"} {
		fields[name] = v
	}
	return func(name string) (cesql.Value, bool) {
		v, ok := fields[name]
		switch v := v.(type) {
		case string:
			return cesql.StringValue(v), true
		case bool:
			return cesql.BooleanValue(v), true
		case float64:
			return cesql.NumberValue(v), true
		}
		return cesql.Value{}, ok
	}
}

// A sqlGenerator makes filters about a few attributes.
type sqlGenerator struct{ *rand.Rand }

func (g sqlGenerator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g sqlGenerator) literal() string {
	return g.pick("TRUE", "FALSE", "0", "1", "5", "-5", "10", "100", "2147483647", "-2147483648", "''", "'x'", "'xy'", "'XY'", "'5'", "'05'", "'-5'", "'1.5'",
		"'true'", "'False'", "'order.created'", "'3000000000'", "'k'", "'å'")
}

func (g sqlGenerator) attribute() string { return g.pick("a", "b", "a", "b", "c", "type", "id") }

func (g sqlGenerator) operand() string {
	if g.IntN(6) == 0 {
		return g.pick("INT", "BOOL", "STRING", "LOWER", "UPPER") + "(" + g.attribute() + ")"
	}
	return g.attribute()
}

func (g sqlGenerator) filter(depth int) string {
	if depth > 0 {
		switch g.IntN(7) {
		case 0, 1:
			return "(" + g.filter(depth-1) + " AND " + g.filter(depth-1) + ")"
		case 2, 3:
			return "(" + g.filter(depth-1) + " OR " + g.filter(depth-1) + ")"
		case 4:
			return "NOT (" + g.filter(depth-1) + ")"
		case 5:
			return "(" + g.filter(depth-1) + g.pick(" XOR ", " = ", " != ") + g.filter(depth-1) + ")"
		}
	}
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.operand() + g.pick(" = ", " != ") + g.literal()
	case 3:
		return g.literal() + g.pick(" = ", " != ", " < ", " >= ") + g.operand()
	case 4, 5:
		return g.operand() + g.pick(" < ", " <= ", " > ", " >= ") + g.literal()
	case 6, 7:
		return g.operand() + g.pick(" LIKE ", " NOT LIKE ") + "'" + g.pick("", "%", "x", "x%", "%y", "%x%", "x_", "x%y", "_x%", "order.%", "%ue", "t%", "5", "1.5", "-5-%", "..%", "å%", "XY", "Ky%", "x\\%%") + "'"
	case 8:
		return g.operand() + g.pick(" IN ", " NOT IN ") + "(" + g.literal() + ", " + g.literal() + ", " + g.literal() + ")"
	case 9:
		return g.pick("EXISTS ", "NOT EXISTS ") + g.attribute()
	case 10:
		return g.pick("a = a", "a != a", g.literal()+" IN ("+g.attribute()+", "+g.literal()+")", "(a = 'x') < TRUE", "(a = 'x') IN (0, TRUE)", "(a = 5) LIKE 't%'", "1 / 0 = 1", "(NOT EXISTS a) = (a = 'x')",
			"b "+g.pick("=", "!=", "<", "<=", ">", ">=")+" d", "INT(d) > INT(b)", "c "+g.pick("=", "!=", "<")+" e", "a "+g.pick("=", "!=")+" type", "id IN (type, a)")
	}
	return g.operand()
}

func (g sqlGenerator) value() string {
	return g.pick(`"x"`, `"xy"`, `"XY"`, `"5"`, `"05"`, `"+5"`, `"-5"`, `"-0"`, `"4"`, `"6"`, `"100"`, `"2147483647"`, `"2147483648"`, `"-2147483648"`, `"-2147483649"`,
		`"1e1"`, `"1.5"`, `"true"`, `"tRUE"`, `"false"`, `"%"`, `"x%"`, `"\u212ay"`, `"å"`, `"åx"`, `"x\ny"`, `""`, `0`, `1`, `5`, `-5`, `10`, `1.5`, `-0.5`, `100`, `3000000000`, `1e300`, `2147483647`,
		`-2147483648`, `true`, `false`, `null`, `[]`, `["x"]`, `{}`, `{"x":1}`)
}

// sqlSchema declares what the events of fitting have.
var sqlSchema = &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Fields: []query.Field{
	{Name: "a", Type: query.Type{Kind: query.StringType}},
	{Name: "b", Type: query.Type{Kind: query.NumberType}},
	{Name: "c", Type: query.Type{Kind: query.BoolType}},
	{Name: "d", Type: query.Type{Kind: query.IntType}},
	{Name: "e", Type: query.Type{Kind: query.BoolType}},
}}}

// data returns the data of an event, which fits sqlSchema or has anything
// anywhere.
func (g sqlGenerator) data(t *testing.T, fits bool) string {
	t.Helper()
	fields := map[string]json.RawMessage{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		v := g.value()
		for fits && v != "null" && (strings.ContainsAny(v, "[{") || (name == "a") != (v[0] == '"') || (name == "c" || name == "e") != (v == "true" || v == "false") ||
			name == "d" && strings.ContainsAny(v, ".e")) {
			v = g.value()
		}
		if g.IntN(5) > 0 {
			fields[name] = json.RawMessage(v)
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Filters that are accepted say of events what the evaluation of the expression
// says; and negated from outside, of all others.
func TestCESQLOracle(t *testing.T) {
	for name, schema := range map[string]*query.Schema{"unknown": nil, "declared": sqlSchema} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			g := sqlGenerator{rand.New(rand.NewPCG(seed, 1))}
			options := query.DefaultOptions()
			options.Limits.Leaves, options.Limits.Text = 2000, 1<<20
			options.Limits.Depth, options.Limits.Regexp = 100, 1000
			accepted, refused, matched := 0, 0, 0
			for range 80 {
				text := g.filter(2)
				q, err := query.ParseCESQL([]byte(text), schema, options)
				if err != nil {
					if _, ok := err.(*query.Error); !ok || strings.Contains(err.Error(), "at most") {
						t.Fatalf("seed %d: %s: %v", seed, text, err)
					}
					refused++
					continue
				}
				accepted++
				if schema != nil {
					if err := q.Check(schema); err != nil {
						t.Fatalf("seed %d: %s: %s: %v", seed, text, q, err)
					}
				}
				queries := sqlForms(t, q, options)
				ix := index(t, q)
				quoted, err := json.Marshal(text)
				if err != nil {
					t.Fatal(err)
				}
				negated, _ := query.ParseCloudEvents(fmt.Appendf(nil, `{"not":{"sql":%s}}`, quoted), schema, options)
				for range 20 {
					data := g.data(t, schema != nil)
					want := sqlSays(t, text, data)
					if want {
						matched++
					}
					ix.check(t, data, want)
					s := sample(t, schema, data)
					for _, q := range queries {
						if got := q.Match(s); got != want {
							t.Fatalf("seed %d: %s of %s is %v, want %v: %s", seed, text, data, got, want, q)
						}
					}
					if negated != nil && negated.Match(s) == want {
						t.Fatalf("seed %d: not %s of %s is %v as well: %s", seed, text, data, want, negated)
					}
				}
			}
			t.Logf("%d filters accepted, %d refused; %d events matched", accepted, refused, matched)
			if accepted < refused || matched < 20 {
				t.Errorf("seed %d: %d filters accepted, %d refused, %d events matched: the generator has lost its point", seed, accepted, refused, matched)
			}
		})
	}
}

// sqlForms returns a query as it is, as the EQL that it is written as, and as its
// normal form.
func sqlForms(t *testing.T, q *query.Query, options query.Options) []*query.Query {
	t.Helper()
	again, err := query.Parse(q.String(), options)
	if err != nil || again.String() != q.String() {
		t.Fatalf("%s: %v, %v", q, again, err)
	}
	normal, err := query.Parse(q.Normal(), options)
	if err != nil {
		t.Fatalf("%s: %v", q.Normal(), err)
	}
	return []*query.Query{q, again, normal}
}

// Strings that are cast to Integers are found however the number is written.
func TestCESQLDigits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	options := query.DefaultOptions()
	near := func() int64 {
		n := []int64{0, 1, 9, 10, 99, 100, 1000, 12345, 999_999, 1_000_000_000, 2_000_000_000, 2147483647, r.Int64N(1 << 31), r.Int64N(1 << 10)}[r.IntN(14)]
		return (n + r.Int64N(3) - 1) * (1 - 2*r.Int64N(2))
	}
	for range 30 {
		bound := max(min(near(), 1<<31-1), -1<<31)
		text := fmt.Sprintf("a %s %d", []string{"=", "!=", "<", "<=", ">", ">="}[r.IntN(6)], bound)
		q, err := query.ParseCESQL([]byte(text), nil, options)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 40 {
			n := near()
			if r.IntN(3) == 0 {
				n = bound + r.Int64N(21) - 10
			}
			digits := fmt.Sprint(n)
			if n >= 0 {
				digits = []string{"", "+", "-", "00", "+0", "--", " "}[r.IntN(7)] + digits
			}
			data := fmt.Sprintf(`{"a":%q}`, digits)
			if got, want := q.Match(sample(t, nil, data)), sqlSays(t, text, data); got != want {
				t.Fatalf("seed %d: %s of %s is %v, want %v: %s", seed, text, data, got, want, q)
			}
		}
	}
}

// With a schema, a query has only what can be.
func TestParseCESQLSchema(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"customer = 12", `customer.matches("^\\+?0*(?:12)$")`},
		{"customer LIKE '47%'", `customer.startsWith("47")`},
		{"NOT customer LIKE '47%'", `false`}, // NOT customer can be true or false only
		{"customer NOT LIKE '47%'", `!customer.startsWith("47")`},
		{"customer LIKE '%a_c'", `customer.matches("(?s)^.*a.c$")`},
		{"LOWER(customer) LIKE '%k'", "customer.matches(\"(?s)^.*[kK\u212a]$\")"},
		{"total != 5", `total < 5 || total > 5`},
		{"total IN (1, 2)", `total in [1, 2]`},
		{"total > 24 * 60", `total > 1440`},
		{"60 < total", `total > 60`},
		{"paid", `paid == true`},
		{"NOT paid", `paid == false`},
		{"paid = (type = 'a')", ``},
		{"total = 5 OR customer = 'ada'", `total == 5 || (total <= 0 || total > 0) && customer == "ada"`},
		{"total > 5 OR total < 1", `total > 5 || total < 1`},
		{"EXISTS tags AND specversion = '1.0'", `has(tags)`},
		{"tags = 'x'", `false`}, // an array is no attribute
		{"due LIKE '2026-02%'", `due >= timestamp("2026-02-01T00:00:00Z") && due < timestamp("2026-03-01T00:00:00Z")`},
		{"due != '2026-02-01T01:00:00+01:00'", `due < timestamp("2026-02-01T00:00:00Z") || due > timestamp("2026-02-01T00:00:00Z")`},
		{"time NOT IN ('2026-02-01T00:00:00Z')", `time < timestamp("2026-02-01T00:00:00Z") || time > timestamp("2026-02-01T00:00:00Z")`},
		{"'abc' < 5", `false`},
		{"TRUE", `true`},
	} {
		q, err := query.ParseCESQL([]byte(test.sql), orderSchema, query.DefaultOptions())
		if test.want == "" {
			if err == nil {
				t.Errorf("%s is %s, want an error", test.sql, q)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.sql, err)
			continue
		}
		if err := q.Check(orderSchema); err != nil {
			t.Errorf("%s: %v", test.sql, err)
		}
		if q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.sql, q, test.want)
		}
	}
}

func TestParseCESQLErrors(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"type = ", "1:8: expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis, found the end"},
		{"type = 'a' AND\n  total + 1 > 5", "2:9: expected what EQL can say, found calculating with an attribute; compare the attribute itself with a constant"},
		{"-total = 5", "1:1: expected what EQL can say, found calculating with an attribute; compare the attribute itself with a constant"},
		{"TRIM(customer) = 'a'", "1:1: expected what EQL can say, found TRIM of an attribute; of its functions, INT, BOOL, STRING, LOWER and UPPER can be asked"},
		{"UPPER(a = 'x') = 'TRUE'", "1:9: expected what EQL can say, found a condition as the argument of a function; write the condition alone"},
		{"total = customer", "1:7: expected two attributes that the class declares both as numbers or both as bools, or if they are compared by = or != both as strings; found total and customer"},
		{"LOWER(customer) = other", "1:1: expected an attribute alone in a comparison with another, found an expression"},
		{"UPPER(LOWER(customer)) = 'A'", "1:1: expected LOWER or UPPER of an attribute, found both"},
		{"BOOL(UPPER(customer))", "1:1: expected an attribute as a condition, found UPPER of one"},
		{"INT(STRING(total)) = 1", "1:1: expected INT of an attribute, found INT of what is cast to a String already"},
		{"STRING(total) > 5", "1:15: expected a comparison of numbers as numbers, found one of what is cast to a String already"},
		{"total LIKE '4_'", "1:7: expected a pattern that asks nothing about the digits of numbers, or an attribute that the class declares as a string; found total, which could be a number"},
		{"time > '2026'", `1:6: expected what can be asked of a time: =, !=, IN, EXISTS, or LIKE '2026-01%' with the beginning of one; found something else. EQL compares times: time < timestamp("2026-01-31T12:00:00Z")`},
		{"time = 'May'", `1:6: expected a time such as "2026-01-31T12:00:00Z", found "May"`},
		{"LEN(customer) = 1", "1:1: expected one of the functions ABS, BOOL, CONCAT, CONCAT_WS, INT, IS_BOOL, IS_INT, LEFT, LENGTH, LOWER, RIGHT, STRING, SUBSTRING, TRIM, UPPER, found LEN with 1 arguments"},
		{"FALSE AND LEN(1)", "1:11: expected one of the functions ABS, BOOL, CONCAT, CONCAT_WS, INT, IS_BOOL, IS_INT, LEFT, LENGTH, LOWER, RIGHT, STRING, SUBSTRING, TRIM, UPPER, found LEN with 1 arguments"},
		{strings.Repeat("(", 40) + "1", "1:33: expected less nesting, found one level too much"},
		{strings.Repeat("a XOR ", 300) + "a", "1:387: expected at most 64 comparisons as EQL writes them, found more"},
		{strings.Repeat("customer = 'a' XOR ", 20) + "paid", "1:1: expected at most 64 comparisons as EQL writes them, found more"},
		{"customer = '" + strings.Repeat("x", 300) + "'", "1:10: expected a string of at most 256 bytes, found 300"},
		{"LOWER(customer) = '" + strings.Repeat("x", 100) + "'", "1:17: expected a regular expression of at most 128 bytes, found 402"},
		{strings.Repeat(" ", 3000) + "TRUE", "1:2049: expected a query of at most 2048 bytes, found 3004"},
	} {
		_, err := query.ParseCESQL([]byte(test.sql), orderSchema, query.DefaultOptions())
		if err == nil || err.Error() != test.want {
			t.Errorf("%.80s\nsays %v\nwant %s", test.sql, err, test.want)
		}
	}
}

// Whatever is accepted can be written as EQL, and says what the evaluation of the
// expression says.
func FuzzCESQL(f *testing.F) {
	for _, s := range []string{
		`type LIKE 'order.%' AND NOT (customer IN ("ada", 'b\'ob')) XOR EXISTS subject`, "total != 12 OR '5' = total", "paid = (customer = 'a')", "INT(customer) < -5",
		"UPPER(customer) LIKE 'A_%' OR total IN (TRUE, '5', 7)", "'ada' IN (customer, 'x') = FALSE", "NOT BOOL(total) OR total - 1 = 0", "customer = customer",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, schema := range []*query.Schema{nil, orderSchema} {
			options := query.DefaultOptions()
			q, err := query.ParseCESQL([]byte(text), schema, options)
			if err != nil {
				if e, ok := err.(*query.Error); !ok || e.Line < 1 || e.Column < 1 || e.Offset > len(text) || e.Text == "" {
					t.Fatalf("%q: %#v", text, err)
				}
				continue
			}
			options.Limits.Text = 1 << 20
			queries := sqlForms(t, q, options)
			again, err := query.ParseJSON(q.JSON(), options)
			if err != nil || again.Hash() != q.Hash() {
				t.Fatalf("%q is %s, and that %v, %v", text, q.JSON(), again, err)
			}
			if lower := strings.ToLower(text); strings.Contains(lower, "time") || strings.Contains(lower, "due") {
				continue // which are points in time to filters
			}
			for _, data := range []string{`{}`, `{"customer":"ada","total":12,"paid":true,"tags":["x"]}`, `{"customer":"-6","total":0.5,"paid":false}`, `{"customer":"TRUE","total":-7,"paid":null,"items":[]}`} {
				want := sqlSays(t, text, data)
				for _, q := range queries {
					if got := q.Match(sample(t, schema, data)); got != want {
						t.Fatalf("%q of %s is %v, want %v: %s", text, data, got, want, q)
					}
				}
			}
		}
	})
}
