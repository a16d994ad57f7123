package query_test

import (
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

var order = &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
	{Name: "customer", Type: query.Type{Kind: query.IntType}},
	{Name: "total", Type: query.Type{Kind: query.NumberType}},
	{Name: "status", Type: query.Type{Kind: query.StringType}},
	{Name: "paid", Type: query.Type{Kind: query.BoolType}},
	{Name: "placed", Type: query.Type{Kind: query.TimeType}},
	{Name: "tags", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.StringType}}},
	{Name: "visits", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.TimeType}}},
	{Name: "notes", Type: query.Type{Kind: query.ArrayType}},
	{Name: "extra", Type: query.Type{}},
	{Name: "address", Type: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
		{Name: "city", Type: query.Type{Kind: query.StringType}},
	}}},
	{Name: "labels", Type: query.Type{Kind: query.ObjectType}},
	{Name: "items", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
		{Name: "sku", Type: query.Type{Kind: query.StringType}},
		{Name: "qty", Type: query.Type{Kind: query.IntType}},
		{Name: "sent", Type: query.Type{Kind: query.TimeType}},
	}}}},
}}}

func TestCheck(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`class == "order.created" && customer == 42 && total > 100`, ``},
		{`customer == 1.0 && total == 1 && customer < total && total in [1, 2.5, 3u]`, ``},
		{`has(total) && has(address.city) && total != null && status in ["new", null]`, ``},
		{`paid && !paid && paid == true && paid < true`, ``},
		{`placed >= timestamp("2026-01-01T00:00:00Z") && placed < time`, ``},
		{`timestamp("2026-01-01T00:00:00Z") in visits && visits.exists(v, v > timestamp("2026-01-01T00:00:00Z"))`, ``},
		{`"a" in tags && tags.exists(t, t.startsWith("a")) && 5 in notes && notes.exists(n, n > 5 && n.x == "a")`, ``},
		{`items.exists(i, i.sku == "A" && i.qty > 1 && has(i.sent))`, ``},
		{`extra > 1 && extra == "a" && extra.x.y && "a" in extra && extra.exists(x, x) && extra.contains("a")`, ``},
		{`labels.anything == 1 && "x" in labels && labels.exists(name, name.startsWith("x"))`, ``},
		{`"total" in data && data.total > 1 && data["address"]["city"] == "Oslo"`, ``},
		{`tags == notes && address != labels && id.startsWith("a") && topic != class`, ``},
		{`tags.exists(total, total == "x")`, ``},

		{`totl > 1`, `1:1: expected a field of order.created, found "totl"; did you mean total?`},
		{`paid && data.totl > 1`, `1:14: expected a field of order.created, found "totl"; did you mean total?`},
		{`has(Total)`, `1:5: expected a field of order.created, found "Total"; did you mean total?`},
		{`colour == 1`, `1:1: expected one of the fields of order.created, address, customer, extra, items, labels, notes, paid, placed, status, tags, total, visits, found "colour"`},
		{`paid && address.ctiy == "Oslo"`, `1:17: expected a field of address, found "ctiy"; did you mean city?`},
		{`data["address"]["street"] == "x"`, `1:17: expected the only field of address, city, found "street"`},
		{`items.exists(i, i.qyt > 1)`, `1:19: expected a field of i, found "qyt"; did you mean qty?`},
		{`items.exists(i, total > 1 && i["nothing like it"] > 1)`, `1:32: expected one of the fields of i, qty, sent, sku, found "nothing like it"`},
		{`items.sku == "A"`, `1:7: expected a field of an object, found one of items, which is an array; ask its elements, as in items.exists(x, has(x.sku))`},
		{`status.length == 1`, `1:8: expected a field of an object, found one of status, which is a string`},
		{`total == customer.id`, `1:19: expected a field of an object, found one of customer, which is an int`},
		{`"total " in data`, `1:10: expected a field of order.created, found "total "; did you mean total?`},

		{`total == "100"`, `1:7: expected a number to compare total with, found "100"; write it without quotation marks`},
		{`"100" < total`, `1:7: expected a number to compare total with, found "100"; write it without quotation marks`},
		{`customer != "ada"`, `1:10: expected an int to compare customer with, found "ada"`},
		{`status == 5u`, `1:8: expected a string to compare status with, found 5u; write "5"`},
		{`status in ["new", 5]`, `1:8: expected a string to compare status with, found 5; write "5"`},
		{`paid == "true"`, `1:6: expected a bool to compare paid with, found "true"; write it without quotation marks`},
		{`total == true`, `1:7: expected a number to compare total with, found true`},
		{`placed > "2026-01-31T12:00:00+01:00"`, `1:8: expected a time to compare placed with, found "2026-01-31T12:00:00+01:00"; write timestamp("2026-01-31T11:00:00Z")`},
		{`time > "2026-01-31"`, `1:6: expected a time to compare time with, found "2026-01-31"; a time is written as timestamp("2026-01-31T12:00:00Z")`},
		{`status < timestamp("2026-01-31T12:00:00Z")`, `1:8: expected a string to compare status with, found timestamp("2026-01-31T12:00:00Z"); only what the class declares as a time is compared with timestamps`},
		{`total > null`, `1:7: expected a value that has an order, found null, which has none`},
		{`extra > null`, `1:7: expected a value that has an order, found null, which has none`},
		{`paid || 1 < "a"`, `1:11: expected values that have an order, found two that have none, which is always an error`},
		{`tags == "a"`, `1:6: expected a question about the elements of tags, which is an array, found a comparison with "a"; write "a" in tags`},
		{`address == "Oslo"`, `1:9: expected a field of address, which is an object, found a comparison of all of it with "Oslo"`},
		{`total == status`, `1:7: expected two fields of one type, found total, which is a number, and status, which is a string`},
		{`tags < notes`, `1:6: expected fields that have an order, found tags and notes, each of which is an array`},

		{`total && paid`, `1:1: expected a condition, found total alone, which is a number`},
		{`!status`, `1:2: expected a condition, found status alone, which is a string`},
		{`"a" in status`, `1:5: expected an array, found status, which is a string; write status.contains("a")`},
		{`5 in total`, `1:3: expected an array, found total, which is a number; write total == 5`},
		{`5 in tags`, `1:3: expected a string, as the elements of tags are, found 5; write "5"`},
		{`"A" in items`, `1:5: expected a condition about the elements of items, each of which is an object, found "A"; write it with items.exists(x, …)`},
		{`5 in labels`, `1:3: expected the name of a field in labels, which is an object, found 5`},
		{`status.exists(x, x == "a")`, `1:8: expected an array for exists, found status, which is a string`},
		{`total.startsWith("1")`, `1:7: expected a string for startsWith, found total, which is a number`},
		{`placed.startsWith("2026")`, `1:8: expected a string for startsWith, found placed, which is a time; compare it with times, as in placed >= timestamp("2026-01-31T12:00:00Z")`},
		{`tags.contains("a")`, `1:6: expected a string for contains, found tags, which is an array; ask its elements: tags.exists(x, x.contains("a"))`},
		{`items.matches("a")`, `1:7: expected a string for matches, found items, which is an array`},
	} {
		q, err := query.Parse(test.text, query.DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", test.text, err)
		}
		got := ""
		if err := q.Check(order); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s\nsays %s\nwant %s", test.text, got, test.want)
		}
	}
}

// A schema of nothing forbids nothing of the data.
func TestCheckOpen(t *testing.T) {
	open := &query.Schema{Data: query.Type{Kind: query.ObjectType}}
	q, err := query.Parse(`a.b == 1 && c.exists(x, x > 1) && "x" in d && e.startsWith("a")`, query.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Check(open); err != nil {
		t.Error(err)
	}
	empty := &query.Schema{Data: query.Type{Kind: query.ObjectType, Closed: true}}
	if err := q.Check(empty); err == nil || err.Error() != `1:1: expected a field of the event, which has none, found "a"` {
		t.Error(err)
	}
}

// Strings of events are timestamps where the class says that they are times.
func TestTimes(t *testing.T) {
	s, err := order.NewSample(query.Meta{Time: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}, []byte(
		`{"placed":"2026-01-31T12:00:00.5+01:00","status":"2026-01-31T12:00:00Z","visits":["1066-10-14T09:00:00Z","9999-01-01T00:00:00Z",null],
		"items":[{"sent":null},{"sent":"2026-03-01T00:00:00Z"}],"extra":"2026-01-31T12:00:00Z","address":"x","labels":{"placed":"2026-01-31T12:00:00Z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]query.Truth{
		`placed == timestamp("2026-01-31T11:00:00.5Z")`:        query.True,
		`placed < timestamp("2026-01-31T11:00:00.500000001Z")`: query.True,
		`placed in [timestamp("2026-01-31T11:00:00.5Z")]`:      query.True,
		`placed < time`: query.True,
		`placed == "2026-01-31T12:00:00.5+01:00"`:                                 query.False,
		`placed.startsWith("2026")`:                                               query.Unknown,
		`status.startsWith("2026")`:                                               query.True,
		`status < timestamp("2026-01-31T11:00:00Z")`:                              query.Unknown,
		`extra == "2026-01-31T12:00:00Z"`:                                         query.True,
		`labels.placed == "2026-01-31T12:00:00Z"`:                                 query.True,
		`visits.exists(v, v < timestamp("1678-01-01T00:00:00Z"))`:                 query.True,
		`visits.exists(v, v > timestamp("2261-12-31T23:59:59Z"))`:                 query.True,
		`null in visits`:                                                          query.True,
		`items.exists(i, i.sent > placed)`:                                        query.True,
		`items.exists(i, i.sent == null)`:                                         query.True,
		`items.exists(i, i.sent > timestamp("2026-03-01T00:00:00Z"))`:             query.Unknown,
		`timestamp("2026-03-01T00:00:00Z") in visits || visits.exists(v, v == 1)`: query.False,
	} {
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := q.Eval(s); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	if _, err := order.NewSample(query.Meta{}, []byte(`[]`)); err == nil {
		t.Error("a list is the data of an event")
	}
}
