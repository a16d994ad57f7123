package query_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

func TestParseLookups(t *testing.T) {
	const ada = `{"name":"Ada Lovelace","pk":42,"total":99.5,"ok":true,"none":null,"tags":["a"]}`
	for _, test := range []struct {
		lookups string
		want    bool
	}{
		{`{"name":"Ada Lovelace"}`, true},
		{`{"name__exact":"Ada Lovelace"}`, true},
		{`{"name__exact":"ada lovelace"}`, false},
		{`{"pk":42}`, true},
		{`{"pk":"42"}`, false},
		{`{"ok":true}`, true},
		{`{"none":null}`, true},
		{`{"missing":null}`, false},
		{`{"name__iexact":"ADA lovelace"}`, true},
		{`{"name__iexact":"ADA"}`, false},
		{`{"name__contains":"a L"}`, true},
		{`{"name__contains":"a l"}`, false},
		{`{"name__icontains":"A l"}`, true},
		{`{"name__icontains":"a.l"}`, false},
		{`{"pk__in":[41,42]}`, true},
		{`{"pk__in":[41,43]}`, false},
		{`{"pk__in":[]}`, false},
		{`{"pk__gt":42}`, false},
		{`{"pk__gte":42}`, true},
		{`{"pk__lt":42.5}`, true},
		{`{"pk__lte":42}`, true},
		{`{"pk__lte":41}`, false},
		{`{"name__gt":"Ad"}`, true},
		{`{"pk__gt":"1"}`, false},
		{`{"name__startswith":"Ada"}`, true},
		{`{"name__startswith":"ada"}`, false},
		{`{"name__istartswith":"aDA"}`, true},
		{`{"name__istartswith":"lovelace"}`, false},
		{`{"name__endswith":"lace"}`, true},
		{`{"name__endswith":"LACE"}`, false},
		{`{"name__iendswith":"LACE"}`, true},
		{`{"name__iendswith":"ada"}`, false},
		{`{"total__range":[99.5,100]}`, true},
		{`{"total__range":[0,99]}`, false},
		{`{"name__regex":"^A.a "}`, true},
		{`{"name__regex":"^a"}`, false},
		{`{"name__iregex":"^b|^a"}`, true},
		{`{"name__regex":"x"}`, false},
		{`{"pk":42,"ok":true}`, true},
		{`{"pk":42,"ok":false}`, false},
		{`[{"filter":{"pk":42}},{"exclude":{"ok":false}}]`, true},
		{`[{"filter":{"pk":42}},{"exclude":{"ok":true}}]`, false},
		{`[{"exclude":{"pk":42,"ok":false}}]`, true},
		{`[{"exclude":{"pk":42,"ok":true}}]`, false},
		{`[{"exclude":{"missing":1}}]`, true},
		{`[{"exclude":{"missing__gt":1}}]`, true},
		{`[{"exclude":{"name__gt":1}}]`, true},
		{`[{"exclude":{"none__contains":"a"}}]`, true},
		{`[{"exclude":{"tags__iexact":"a"}}]`, true},
	} {
		q, err := query.ParseLookups([]byte(test.lookups), nil, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.lookups, err)
			continue
		}
		index(t, q).check(t, ada, test.want)
		if got := q.Match(sample(t, nil, ada)); got != test.want {
			t.Errorf("%s is %v; it is %s", test.lookups, got, q)
		}
	}
}

func TestParseLookupsErrors(t *testing.T) {
	for _, test := range []struct{ lookups, want string }{
		{`5`, `1:1: expected an object of lookups, such as {"total__gte": 100}, or an array of {"filter": …} and {"exclude": …}, found the number 5`},
		{`{}`, `1:1: expected an object of lookups, such as {"total__gte": 100}, or an array of {"filter": …} and {"exclude": …}, found an empty object`},
		{`[{"filtre":{"a":1}}]`, `1:2 (/0): expected {"filter": …} or {"exclude": …}, found one with "filtre"`},
		{`[{"filter":{}}]`, `1:12 (/0/filter): expected an object of lookups, found an empty object`},
		{`{"a__b__gt":1}`, `1:13 (/a__b__gt): expected one of the lookups contains, endswith, exact, gt, gte, icontains, iendswith, iexact, in, iregex, istartswith, lt, lte, range, regex, startswith behind two underscores, found "b__gt" in "a__b__gt"`},
		{`{"__gt":1}`, `1:9 (/__gt): expected the name of a field, and perhaps a lookup behind two underscores, found "__gt"`},
		{`{"a":[1]}`, `1:6 (/a): expected a value for exact: a string, a number, true, false or null, found an array`},
		{`{"a__in":1}`, `1:10 (/a__in): expected an array of values for in, found the number 1`},
		{`{"a__in":[[]]}`, `1:11 (/a__in/0): expected a string, a number, true, false or null, found an array`},
		{`{"a__range":[1]}`, `1:13 (/a__range): expected an array of two values for range, the lowest and the highest, found an array`},
		{`{"a__gt":true}`, `1:10 (/a__gt): expected a number or a string, to compare with, found true`},
		{`{"a__icontains":1}`, `1:17 (/a__icontains): expected a string for icontains, found the number 1`},
		{`{"a__regex":"("}`, "1:13 (/a__regex): expected a regular expression of RE2: error parsing regexp: missing closing ): `(`"},
	} {
		_, err := query.ParseLookups([]byte(test.lookups), nil, query.DefaultOptions())
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\nsays %v\nwant %s", test.lookups, err, test.want)
		}
	}
}

// What exclude says of an event is the opposite of what filter says, whatever
// the event has.
func TestExcludeIsTheOpposite(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	options := query.DefaultOptions()
	options.Limits.Leaves, options.Limits.Text = 1000, 1<<16
	lookup := func() string {
		name := pick("a", "b", "due")
		if name == "due" {
			return `"due__` + pick("gt", "lte", "exact") + `":"2026-01-01T00:00:00Z"`
		}
		switch r.IntN(4) {
		case 0:
			return fmt.Sprintf(`"%s__%s":%s`, name, pick("gt", "gte", "lt", "lte"), pick(`1`, `1.5`, `"x"`))
		case 1:
			return fmt.Sprintf(`"%s__range":[%s]`, name, pick(`0,1`, `"a","x"`, `1,0`))
		case 2:
			return fmt.Sprintf(`"%s":%s`, name, pick(`null`, `1`, `"x"`, `true`))
		}
		kind := pick("iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex", "iregex")
		return fmt.Sprintf(`"%s__%s":"%s"`, name, kind, pick("x", "Xy", "y"))
	}
	value := func() string {
		return pick(`"x"`, `"XY"`, `1`, `1.25`, `-7`, `true`, `null`, `[]`, `["x"]`, `{}`, `{"x":1}`, `""`, `"2026-01-01T00:00:00Z"`)
	}
	for range 400 {
		members := lookup()
		if second := lookup(); second[:4] != members[:4] {
			members += "," + second
		}
		var pair [2]*query.Query
		for i, kind := range []string{"filter", "exclude"} {
			text := fmt.Sprintf(`[{"%s":{%s}}]`, kind, members)
			q, err := query.ParseLookups([]byte(text), nil, options)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			pair[i] = q
		}
		for range 10 {
			data := pick(`{}`, `{"a":`+value()+`}`, `{"a":`+value()+`,"b":`+value()+`,"due":`+value()+`}`)
			s := sample(t, nil, data)
			if pair[0].Match(s) == pair[1].Match(s) {
				t.Fatalf("seed %d: filter and exclude say the same of %s:\n%s\n%s", seed, data, pair[0], pair[1])
			}
		}
	}
}

// A query of lookups passes the check that its fields and values pass.
func TestParseLookupsSchema(t *testing.T) {
	for _, test := range []struct{ lookups, want string }{
		{`{"due__gte":"2026-01-01T00:00:00Z","total__lt":5}`, `due >= timestamp("2026-01-01T00:00:00Z") && total < 5`},
		{`[{"exclude":{"customer__startswith":"a","due":null}}]`, `!has(customer) || !customer.startsWith("a") || customer == null || !has(due) || due != null`},
		{`{"due__in":["2026-01-01T00:00:00Z"]}`, `due == timestamp("2026-01-01T00:00:00Z")`},
	} {
		q, err := query.ParseLookups([]byte(test.lookups), orderSchema, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.lookups, err)
			continue
		}
		if err := q.Check(orderSchema); err != nil {
			t.Errorf("%s: %v", test.lookups, err)
		}
		if q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.lookups, q, test.want)
		}
	}
	q, err := query.ParseLookups([]byte(`{"totl__gte":1}`), orderSchema, query.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Check(orderSchema); err == nil || err.Error() != `1:2: expected a field of order.created, found "totl"; did you mean total?` {
		t.Errorf("a field that is not declared: %v", err)
	}
}
