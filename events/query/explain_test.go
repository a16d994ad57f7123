package query_test

import (
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

func TestExplain(t *testing.T) {
	const data = `{"total":80,"name":"Ada","paid":true,"gone":null,"tags":["red","new"],"none":[],"one":[{"n":1}],
		"items":[{"sku":"A","qty":1},{"sku":"B","qty":5},{"sku":"C"}],"address":{"city":"Oslo"},
		"long":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","cccccccccccccccccccccccccccccccccc"],"code":"a\u0007\"b"}`
	s, err := query.NewSample(query.Meta{Class: "order.created", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{`total > 100`, `false: total > 100, and total is 80`},
		{`total > 50`, `true: total > 50, and total is 80`},
		{`100 < total`, `false: total > 100, and total is 80`},
		{`data.total == "80"`, `false: total == "80", and total is 80`},
		{`name > 1`, `error: name > 1, and name is "Ada", which is no number`},
		{`total < "a"`, `error: total < "a", and total is 80, which is no string`},
		{`total > timestamp("2026-01-01T00:00:00Z")`, `error: total > timestamp("2026-01-01T00:00:00Z"), and total is 80, which is no timestamp`},
		{`total > null`, `error: total > null, and total is 80, and null has no order`},
		{`gone > 1`, `error: gone > 1, and gone is null, which is no number`},
		{`missing > 1`, `error: missing > 1, and missing is not there`},
		{`missing.x.y > 1`, `error: missing.x.y > 1, and missing is not there`},
		{`address.street == ""`, `error: address.street == "", and address.street is not there`},
		{`name.x == ""`, `error: name.x == "", and name is "Ada", which has no fields`},
		{`items.sku == "A"`, `error: items.sku == "A", and items is [{"qty":1,"sku":"A"},{"qty":5,"sku":"B"},{"sku":"C"}], an array, which has no fields`},
		{`has(total) && has(address.city)`, `true: has(total), and total is there; has(address.city), and address.city is there`},
		{`has(address.street)`, `false: has(address.street), and address.street is not there`},
		{`has(missing.x)`, `error: has(missing.x), and missing is not there`},
		{`has(tags.x)`, `error: has(tags.x), and tags is ["red","new"], an array, which has no fields`},
		{`paid`, `true: paid, and paid is true`},
		{`total`, `error: total, and total is 80, which is no bool`},
		{`total == name`, `false: total == name, and total is 80 and name is "Ada"`},
		{`total < name`, `error: total < name, and total is 80 and name is "Ada", which have no order`},
		{`total == missing`, `error: total == missing, and missing is not there`},
		{`missing == total`, `error: missing == total, and missing is not there`},
		{`total in [1, 2]`, `false: total in [1, 2], and total is 80`},
		{`"red" in tags`, `true: "red" in tags, and tags is ["red","new"]`},
		{`"red" in name`, `error: "red" in name, and name is "Ada", which is no array`},
		{`name.startsWith("B") || name.contains("d")`, `true: name.contains("d"), and name is "Ada"`},
		{`total.matches("8")`, `error: total.matches("8"), and total is 80, which is no string`},
		{`"x" in long`, `false: "x" in long, and long is ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","ccccccc…`},
		{`code == ""`, `false: code == "", and code is "a\u0007\"b"`},
		{`class == "x" || time > timestamp("2027-01-01T00:00:00Z")`, `false: class == "x", and class is "order.created"; time > timestamp("2027-01-01T00:00:00Z"), and time is timestamp("2026-01-02T03:04:05Z")`},

		// Of what decides alone, the first; of what decides together, all.
		{`total > 100 && missing > 1 && paid`, `false: total > 100, and total is 80`},
		{`missing > 1 && paid`, `error: missing > 1, and missing is not there`},
		{`missing > 1 || paid || true`, `true: paid, and paid is true`},
		{`missing > 1 || !paid`, `error: missing > 1, and missing is not there`},
		{`paid && total == 80 && true`, `true: paid, and paid is true; total == 80, and total is 80; true`},
		{`!paid || total != 80`, `false: !paid, and paid is true; total != 80, and total is 80`},
		{`!(total == 80 && paid)`, `false: !(total == 80), and total is 80; !paid, and paid is true`},
		{`!(total == 81 || !paid)`, `true: !(total == 81), and total is 80; paid, and paid is true`},
		{`!has(total)`, `false: !has(total), and total is there`},
		{`1 < "a"`, `error: 0 < "", and these have no order`},

		{`items.exists(i, i.qty > 2 && i.sku == "B")`, `true: items.exists(i, i.qty > 2 && i.sku == "B"), and for items[1]: true: i.qty > 2, and i.qty is 5; i.sku == "B", and i.sku is "B"`},
		{`items.exists(i, i.sku == "Z")`, `false: items.exists(i, i.sku == "Z"), and so it is for all 3; for items[0]: false: i.sku == "Z", and i.sku is "A"`},
		{`items.exists(i, i.qty > 9)`, `error: items.exists(i, i.qty > 9), and for items[2]: error: i.qty > 9, and i.qty is not there`},
		{`one.exists(i, i.n > 1)`, `false: one.exists(i, i.n > 1), and for one[0]: false: i.n > 1, and i.n is 1`},
		{`none.exists(i, i > 1)`, `false: none.exists(i, i > 1), and none is empty`},
		{`address.exists(k, k == "city")`, `true: address.exists(k, k == "city"), and for the name "city": true: k == "city", and k is "city"`},
		{`name.exists(i, i > 1)`, `error: name.exists(i, i > 1), and name is "Ada", which is no array`},
		{`!items.exists(i, total > 9)`, `false: !items.exists(i, total > 9), and for items[0]: true: total > 9, and total is 80`},
	} {
		q, err := query.Parse(test.text, query.DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", test.text, err)
		}
		got := q.Explain(s)
		if got.String() != test.want {
			t.Errorf("%s\nis explained by %s\nwant            %s", test.text, got, test.want)
		}
		if got.Truth != q.Eval(s) {
			t.Errorf("%s is %v, and explained as %v", test.text, q.Eval(s), got.Truth)
		}
	}
}

// Reasons are where their field, or what they are made of, is in the text.
func TestExplainPlaces(t *testing.T) {
	s, err := query.NewSample(query.Meta{}, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{`  a == 2`: 2, `1 == 1 && 3 > a && a == 5`: 19, `true && !has( a )`: 9, `false`: 0} {
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if x := q.Explain(s); x.Reasons[len(x.Reasons)-1].Offset != want {
			t.Errorf("%s: %+v, want the last at %d", text, x, want)
		}
	}
}

// A role's query is explained without a session, too.
func TestExplainSession(t *testing.T) {
	s, err := query.NewSample(query.Meta{}, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	options := query.DefaultOptions()
	options.Session = true
	q, err := query.Parse(`a == session.authid`, options)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := q.Explain(s).String(), `error: a == session.authid, and session.authid is not known here`; got != want {
		t.Errorf("is explained by %s, want %s", got, want)
	}
}

func TestTree(t *testing.T) {
	q, err := query.Parse(`(a || !b)&&items.exists( i ,i.qty>1 && 5 == a )`, query.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var walk func(n query.Node, indent string)
	walk = func(n query.Node, indent string) {
		lines = append(lines, indent+n.Op+" "+n.Text)
		for _, k := range n.Kids {
			walk(k, indent+"  ")
		}
	}
	walk(q.Tree(), "")
	want := []string{
		`and (a || !b) && items.exists(i, i.qty > 1 && a == 5)`,
		`  or a || !b`, `    leaf a`, `    not !b`, `      leaf b`,
		`  exists items.exists(i, i.qty > 1 && a == 5)`,
		`    and i.qty > 1 && a == 5`, `      leaf i.qty > 1`, `      leaf a == 5`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%q", lines)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("%q, want %q", lines[i], want[i])
		}
	}
}
