package query_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

func TestParseEventBridge(t *testing.T) {
	for _, test := range []struct {
		detail, data string
		want         bool
	}{
		// Values: any of them, as they are.
		{`{"s":["new","paid"]}`, `{"s":"paid"}`, true},
		{`{"s":["new","paid"]}`, `{"s":"Paid"}`, false},
		{`{"s":["new"]}`, `{}`, false},
		{`{"n":[100]}`, `{"n":100.0}`, true},
		{`{"n":[1e2]}`, `{"n":100}`, true},
		{`{"n":[100]}`, `{"n":"100"}`, false},
		{`{"n":[true]}`, `{"n":true}`, true},
		{`{"n":[true]}`, `{"n":"true"}`, false},
		{`{"n":[null]}`, `{"n":null}`, true},
		{`{"n":[null]}`, `{}`, false},
		{`{"n":[null]}`, `{"n":""}`, false},
		{`{"n":[""]}`, `{"n":""}`, true},
		{`{"n":[null,5,"x"]}`, `{"n":5}`, true},

		// Fields: all of them, and below others.
		{`{"a":["x"],"b":["y"]}`, `{"a":"x","b":"y","c":1}`, true},
		{`{"a":["x"],"b":["y"]}`, `{"a":"x"}`, false},
		{`{"a":{"b":{"c":["x"]}}}`, `{"a":{"b":{"c":"x"}}}`, true},
		{`{"a":{"b":{"c":["x"]}}}`, `{"a":{"b":"x"}}`, false},
		{`{"a":{"b":{"c":["x"]}}}`, `{"a":5}`, false},

		// Arrays: one element is enough.
		{`{"tags":["red","blue"]}`, `{"tags":["green","blue"]}`, true},
		{`{"tags":["red","blue"]}`, `{"tags":["green"]}`, false},
		{`{"tags":["red"]}`, `{"tags":[]}`, false},
		{`{"tags":[{"prefix":"r"}]}`, `{"tags":["green","red"]}`, true},
		{`{"tags":[{"numeric":[">",5]}]}`, `{"tags":[1,"x",6]}`, true},
		{`{"tags":[{"anything-but":"red"}]}`, `{"tags":["red","blue"]}`, true},
		{`{"tags":[{"anything-but":"red"}]}`, `{"tags":["red"]}`, false},
		{`{"tags":[{"anything-but":["red","blue"]}]}`, `{"tags":["red","blue"]}`, false},
		{`{"tags":[{"anything-but":"red"}]}`, `{"tags":[]}`, false},
		{`{"staff":{"first":["Anna"]}}`, `{"staff":[{"first":"John"},{"first":"Anna"}]}`, true},
		{`{"staff":{"first":["Anna"],"last":["Smith"]}}`, `{"staff":[{"first":"Anna","last":"Smith"},{"first":"Jo","last":"Jones"}]}`, true},
		{`{"staff":{"first":["Anna"],"last":["Jones"]}}`, `{"staff":[{"first":"Anna","last":"Smith"},{"first":"Jo","last":"Jones"}]}`, false},
		{`{"staff":{"name":{"first":["Anna"]}}}`, `{"staff":[{"name":{"first":"Anna"}}]}`, true},
		{`{"staff":{"tags":["x"]}}`, `{"staff":[{"tags":["y","x"]}]}`, true},
		{`{"staff":{"tags":["x"]}}`, `{"staff":[{"tags":["y"]}]}`, false},

		{`{"s":[{"prefix":"ab"}]}`, `{"s":"abc"}`, true},
		{`{"s":[{"prefix":"ab"}]}`, `{"s":"Abc"}`, false},
		{`{"s":[{"prefix":"1"}]}`, `{"s":12}`, false},
		{`{"s":[{"prefix":{"equals-ignore-case":"AB"}}]}`, `{"s":"aBc"}`, true},
		{`{"s":[{"suffix":".png"}]}`, `{"s":"a.png"}`, true},
		{`{"s":[{"suffix":".png"}]}`, `{"s":"a.png.gz"}`, false},
		{`{"s":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"s":"a.png"}`, true},
		{`{"s":[{"equals-ignore-case":"Alice"}]}`, `{"s":"aLICE"}`, true},
		{`{"s":[{"equals-ignore-case":"Alice"}]}`, `{"s":"alices"}`, false},
		{`{"s":[{"equals-ignore-case":"a.b"}]}`, `{"s":"axb"}`, false},

		{`{"s":[{"wildcard":"dir/*.png"}]}`, `{"s":"dir/a/b.png"}`, true},
		{`{"s":[{"wildcard":"dir/*.png"}]}`, `{"s":"dir/a.jpg"}`, false},
		{`{"s":[{"wildcard":"a*"}]}`, `{"s":"a"}`, true},
		{`{"s":[{"wildcard":"*a"}]}`, `{"s":"ba"}`, true},
		{`{"s":[{"wildcard":"*a*"}]}`, `{"s":"bab"}`, true},
		{`{"s":[{"wildcard":"*a*"}]}`, `{"s":"bb"}`, false},
		{`{"s":[{"wildcard":"*"}]}`, `{"s":""}`, true},
		{`{"s":[{"wildcard":"*"}]}`, `{"s":1}`, false},
		{`{"s":[{"wildcard":"a\\*b"}]}`, `{"s":"a*b"}`, true},
		{`{"s":[{"wildcard":"a\\*b"}]}`, `{"s":"axb"}`, false},
		{`{"s":[{"wildcard":"a\\\\*"}]}`, `{"s":"a\\b"}`, true},
		{`{"s":[{"wildcard":"a*b"}]}`, `{"s":"a\nb"}`, true},

		{`{"n":[{"numeric":[">",0,"<=",5]}]}`, `{"n":5}`, true},
		{`{"n":[{"numeric":[">",0,"<=",5]}]}`, `{"n":0}`, false},
		{`{"n":[{"numeric":["<",10]}]}`, `{"n":-3.5}`, true},
		{`{"n":[{"numeric":["=",301.8]}]}`, `{"n":3.018e2}`, true},
		{`{"n":[{"numeric":["<",10]}]}`, `{"n":"5"}`, false},
		{`{"n":[{"numeric":["<",10]}]}`, `{}`, false},

		{`{"s":[{"anything-but":"x"}]}`, `{"s":"y"}`, true},
		{`{"s":[{"anything-but":"x"}]}`, `{"s":"x"}`, false},
		{`{"s":[{"anything-but":"x"}]}`, `{}`, false},
		{`{"s":[{"anything-but":"x"}]}`, `{"s":5}`, true},
		{`{"s":[{"anything-but":"x"}]}`, `{"s":null}`, true},
		{`{"s":[{"anything-but":["x","y"]}]}`, `{"s":"y"}`, false},
		{`{"s":[{"anything-but":[100,200]}]}`, `{"s":200}`, false},
		{`{"s":[{"anything-but":[100,200]}]}`, `{"s":300}`, true},
		{`{"s":[{"anything-but":123}]}`, `{"s":"123"}`, true},
		{`{"s":[{"anything-but":{"prefix":"init"}}]}`, `{"s":"initial"}`, false},
		{`{"s":[{"anything-but":{"prefix":"init"}}]}`, `{"s":"run"}`, true},
		{`{"s":[{"anything-but":{"prefix":["init","err"]}}]}`, `{"s":"error"}`, false},
		{`{"s":[{"anything-but":{"prefix":"init"}}]}`, `{}`, false},
		{`{"s":[{"anything-but":{"prefix":"init"}}]}`, `{"s":7}`, true},
		{`{"s":[{"anything-but":{"suffix":[".a",".b"]}}]}`, `{"s":"x.c"}`, true},
		{`{"s":[{"anything-but":{"suffix":[".a",".b"]}}]}`, `{"s":"x.b"}`, false},
		{`{"s":[{"anything-but":{"equals-ignore-case":["X","y"]}}]}`, `{"s":"Y"}`, false},
		{`{"s":[{"anything-but":{"wildcard":"*/lib/*"}}]}`, `{"s":"/a/lib/b"}`, false},
		{`{"s":[{"anything-but":{"wildcard":"*/lib/*"}}]}`, `{"s":"/a/b"}`, true},

		{`{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{`{"a":[{"exists":true}]}`, `{}`, false},
		{`{"a":[{"exists":false}]}`, `{}`, true},
		{`{"a":[{"exists":false}]}`, `{"a":1}`, false},
		{`{"a":{"b":[{"exists":false}]}}`, `{}`, true},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":5}`, true},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":{"b":5}}`, false},
		{`{"a":[{"exists":false},"x"]}`, `{}`, true},
		{`{"a":[{"exists":false},"x"]}`, `{"a":"x"}`, true},
		{`{"a":[{"exists":false},"x"]}`, `{"a":"y"}`, false},
		{`{"items":{"a":[{"exists":true}]}}`, `{"items":[{"b":1},{"a":1}]}`, true},

		{`{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"b":"y"}`, true},
		{`{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"b":"x"}`, false},
		{`{"c":[1],"$or":[{"a":["x"]},{"b":["y"],"d":[2]}]}`, `{"b":"y","d":2,"c":1}`, true},
		{`{"c":[1],"$or":[{"a":["x"]},{"b":["y"],"d":[2]}]}`, `{"b":"y","d":2}`, false},
		{`{"o":{"$or":[{"a":["x"]},{"b":["y"]}]}}`, `{"o":{"b":"y"}}`, true},
	} {
		text := `{"detail":` + test.detail + `}`
		q, err := query.ParseEventBridge([]byte(text), nil, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.Match(sample(t, nil, test.data)); got != test.want {
			t.Errorf("%s of %s is %v; it is %s", text, test.data, got, q)
		}
	}
}

// A small pattern does not become a large query: that it would is found early.
func TestEventBridgeLimits(t *testing.T) {
	for _, test := range []struct{ before, after string }{
		{`{"detail":` + strings.Repeat(`{"a":`, 350), `[1]` + strings.Repeat(`}`, 351)},
		{`{"detail":` + strings.Repeat(`{"a":`, 40), `[1]` + strings.Repeat(`}`, 41)},
		{strings.Repeat(`{"$or":[`, 200), strings.Repeat(`]}`, 200)},
		{`{"detail":{"a":[` + strings.Repeat(`{"anything-but":"x"},`, 50), `"y"]}}`},
	} {
		text := []byte(test.before + test.after)
		_, err := query.ParseEventBridge(text, nil, query.DefaultOptions())
		if e, ok := err.(*query.Error); !ok || !e.Limit {
			t.Errorf("%.40s… is not over a limit: %v", text, err)
		}
		if n := testing.AllocsPerRun(1, func() { _, _ = query.ParseEventBridge(text, nil, query.DefaultOptions()) }); n > 20_000 {
			t.Errorf("%.40s… costs %v allocations", text, n)
		}
	}
}

// Where EQL differs from EventBridge; the documentation lists it.
func TestEventBridgeDifferences(t *testing.T) {
	for _, test := range []struct {
		detail, data string
		want         bool
	}{
		{`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, true},
		{`{"a":[{"exists":false}]}`, `{"a":[]}`, false},
		{`{"a":["x"]}`, `{"a":{"x":1}}`, true},
		{`{"a":["x"]}`, `{"a":[["x"]]}`, false},
		{`{"a":{"b":[{"prefix":"x"}]}}`, `{"a":[{"b":["x"]}]}`, false},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":[{"c":1}]}`, false},
		{`{"a.b":["x"]}`, `{"a":{"b":"x"}}`, false},
		{`{"a.b":["x"]}`, `{"a.b":"x"}`, true},
	} {
		q, err := query.ParseEventBridge([]byte(`{"detail":`+test.detail+`}`), nil, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.detail, err)
		} else if got := q.Match(sample(t, nil, test.data)); got != test.want {
			t.Errorf("%s of %s is %v; it is %s", test.detail, test.data, got, q)
		}
	}
}

func TestParseEventBridgeEnvelope(t *testing.T) {
	for _, test := range []struct{ pattern, want string }{
		{`{"detail-type":["order.created",{"prefix":"bill."}]}`, `class == "order.created" || class.startsWith("bill.")`},
		{`{"detail-type":[{"anything-but":"order.created"}]}`, `class != "order.created"`},
		{`{"detail-type":[{"exists":true}],"id":[{"exists":false}]}`, `true && false`},
		{`{"time":[{"prefix":"2026-01-31"}]}`, `time >= timestamp("2026-01-31T00:00:00Z") && time < timestamp("2026-02-01T00:00:00Z")`},
		{`{"id":["e-1"],"time":["2026-01-31T00:00:00Z"]}`, `id == "e-1" && time == timestamp("2026-01-31T00:00:00Z")`},
		{`{"$or":[{"detail-type":["a"]},{"detail":{"x":[1]}}]}`, `class == "a" || x == 1 || 1 in x`},
	} {
		q, err := query.ParseEventBridge([]byte(test.pattern), nil, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		} else if q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.pattern, q, test.want)
		}
	}
}

// With a schema, a pattern asks only what can be.
func TestParseEventBridgeSchema(t *testing.T) {
	for _, test := range []struct{ detail, want string }{
		{`{"customer":["ada",{"prefix":"b"}],"total":[{"numeric":[">",100]}]}`, `(customer == "ada" || customer.startsWith("b")) && total > 100`},
		{`{"tags":["red"]}`, `"red" in tags`},
		{`{"tags":["red",{"suffix":"x"}]}`, `tags.exists(it, it == "red" || it.endsWith("x"))`},
		{`{"items":{"sku":["A"],"quantity":[{"numeric":[">",1]}]}}`, `items.exists(it, it.sku == "A" && it.quantity > 1)`},
		{`{"address":{"city":[{"anything-but":"Oslo"}]}}`, `address.city != "Oslo"`},
		{`{"address":{"city":[{"anything-but":{"prefix":"O"}}]}}`, `!address.city.startsWith("O") || address.city == null`},
		{`{"due":["2026-01-01T00:00:00Z",null]}`, `due in [timestamp("2026-01-01T00:00:00Z"), null]`},
	} {
		q, err := query.ParseEventBridge([]byte(`{"detail":`+test.detail+`}`), orderSchema, query.DefaultOptions())
		if err != nil {
			t.Errorf("%s: %v", test.detail, err)
			continue
		}
		if err := q.Check(orderSchema); err != nil {
			t.Errorf("%s: %v", test.detail, err)
		}
		if q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.detail, q, test.want)
		}
	}
}

func TestParseEventBridgeErrors(t *testing.T) {
	for _, test := range []struct{ pattern, want string }{
		{`[]`, `1:1: expected a pattern, which is an object such as {"detail": {"status": ["new", "paid"]}}, found an array`},
		{`{"source":["aws.ec2"]}`, `1:11 (/source): expected "detail-type", "detail", "id", "time" or "$or", found "source", which events here do not have; a field of the data is in "detail"`},
		{`{"detail":{}}`, `1:11 (/detail): expected an object of patterns for its fields, found an empty object`},
		{`{"detail":["x"]}`, `1:11 (/detail): expected an object of patterns for its fields, found an array`},
		{`{"detail":{"a":"x"}}`, `1:16 (/detail/a): expected an array of what the field may be, such as ["new", {"prefix": "p"}], or an object of patterns for its fields, found "x"`},
		{`{"detail":{"a":[]}}`, `1:16 (/detail/a): expected an array of what the field may be, such as ["new", {"prefix": "p"}], or an object of patterns for its fields, found an empty array`},
		{`{"detail":{"a":[["x"]]}}`, `1:17 (/detail/a/0): expected a string, a number, true, false, null or an object such as {"prefix": "p"}, found an array`},
		{`{"detail":{"a":[{"prefx":"x"}]}}`, `1:26 (/detail/a/0/prefx): expected one of "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but" and "exists", found "prefx"`},
		{`{"detail":{"a":[{"cidr":"10.0.0.0/8"}]}}`, `1:17 (/detail/a/0): expected one of "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but" and "exists", found "cidr": EQL has no IP addresses`},
		{`{"detail":{"a":[{"prefix":"x","suffix":"y"}]}}`, `1:40 (/detail/a/0/suffix): expected one of "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but" and "exists": one member and no other, found "prefix" and "suffix"`},
		{`{"detail":{"a":[{"prefix":5}]}}`, `1:27 (/detail/a/0/prefix): expected a string for prefix, found the number 5`},
		{`{"detail":{"a":[{"prefix":{"suffix":"x"}}]}}`, `1:27 (/detail/a/0/prefix): expected a string or {"equals-ignore-case": "…"}, found an object with "suffix"`},
		{`{"detail":{"a":[{"wildcard":"a**b"}]}}`, `1:29 (/detail/a/0/wildcard): expected no two * side by side in the wildcard, found "a**b"`},
		{`{"detail":{"a":[{"wildcard":"a\\b"}]}}`, `1:29 (/detail/a/0/wildcard): expected * or \ behind a \ in the wildcard, found "a\\b"`},
		{`{"detail":{"a":[{"numeric":[">"]}]}}`, `1:28 (/detail/a/0/numeric): expected an array such as [">", 0, "<=", 5] for numeric, found 1 elements`},
		{`{"detail":{"a":[{"numeric":["!=",5]}]}}`, `1:29 (/detail/a/0/numeric/0): expected one of = < <= > >=, found "!="`},
		{`{"detail":{"a":[{"numeric":[">","5"]}]}}`, `1:33 (/detail/a/0/numeric/1): expected a number, found "5"`},
		{`{"detail":{"a":[{"numeric":[">",5,">",6]}]}}`, `1:28 (/detail/a/0/numeric): expected a lower and an upper bound, or one comparison, for numeric`},
		{`{"detail":{"a":[{"anything-but":["x",5]}]}}`, `1:38 (/detail/a/0/anything-but/1): expected strings or numbers for anything-but, all of them the same, found the number 5`},
		{`{"detail":{"a":[{"anything-but":null}]}}`, `1:33 (/detail/a/0/anything-but): expected strings or numbers for anything-but, all of them the same, found null`},
		{`{"detail":{"a":[{"anything-but":{"prefix":["a",""]}}]}}`, `1:48 (/detail/a/0/anything-but/prefix/1): expected a string that is not empty for prefix`},
		{`{"detail":{"a":[{"anything-but":{"numeric":"a"}}]}}`, `1:44 (/detail/a/0/anything-but/numeric): expected one of "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but" and "exists", found "numeric"`},
		{`{"detail":{"a":[{"exists":"yes"}]}}`, `1:27 (/detail/a/0/exists): expected true or false for exists, found "yes"`},
		{`{"detail":{"$or":[{"a":[1]}]}}`, `1:18 (/detail/$or): expected an array of two patterns or more for $or, found one`},
	} {
		_, err := query.ParseEventBridge([]byte(test.pattern), nil, query.DefaultOptions())
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\nsays %v\nwant %s", test.pattern, err, test.want)
		}
	}
}

// Patterns say of events what a plain reading of them says, which knows arrays
// from objects.
func TestEventBridgeOracle(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	test := func() string {
		return pick(`"x"`, `"xy"`, `5`, `null`, `true`, `{"prefix":"x"}`, `{"suffix":"y"}`, `{"equals-ignore-case":"XY"}`, `{"wildcard":"x*y"}`,
			`{"numeric":[">",1,"<=",5]}`, `{"anything-but":"x"}`, `{"anything-but":[5,7]}`, `{"anything-but":{"prefix":["x","z"]}}`, `{"exists":true}`)
	}
	leaf := func() string { return "[" + test() + pick("", ","+test()) + "]" }
	scalar := func() string {
		return pick(`"x"`, `"xy"`, `"XY"`, `"zy"`, `5`, `7`, `1.5`, `-1`, `true`, `false`, `null`, `""`)
	}
	value := func() string {
		return pick(scalar(), scalar(), `[`+scalar()+`]`, `[`+scalar()+`,`+scalar()+`]`, `[[`+scalar()+`]]`)
	}
	object := func() string { return pick(`{"b":`+scalar()+`}`, `{"b":`+scalar()+`,"c":`+scalar()+`}`, `{}`) }
	options := query.DefaultOptions()
	options.Limits.Leaves, options.Limits.Text = 1000, 1<<16
	for range 400 {
		detail := pick(`{"a":`+leaf()+`}`, `{"a":`+leaf()+`,"o":{"b":`+leaf()+`}}`, `{"o":{"b":`+leaf()+`,"c":`+leaf()+`}}`,
			`{"$or":[{"a":`+leaf()+`},{"o":{"b":`+leaf()+`}}]}`, `{"o":{"$or":[{"c":`+leaf()+`},{"b":`+leaf()+`}]}}`)
		q, err := query.ParseEventBridge([]byte(`{"detail":`+detail+`}`), nil, options)
		if err != nil {
			t.Fatalf("%s: %v", detail, err)
		}
		again, err := query.Parse(q.String(), options)
		if err != nil || again.String() != q.String() {
			t.Fatalf("%s: %v, %v", q, again, err)
		}
		normal, err := query.Parse(q.Normal(), options)
		if err != nil {
			t.Fatalf("%s: %v", q.Normal(), err)
		}
		ix := index(t, q)
		var pattern map[string]any
		if err := json.Unmarshal([]byte(detail), &pattern); err != nil {
			t.Fatal(err)
		}
		for range 15 {
			data := pick(`{}`, fmt.Sprintf(`{"a":%s}`, value()),
				fmt.Sprintf(`{"a":%s,"o":%s}`, value(), pick(object(), value(), `[`+object()+`,`+object()+`]`, `[`+scalar()+`,`+object()+`]`)))
			var fields map[string]any
			if err := json.Unmarshal([]byte(data), &fields); err != nil {
				t.Fatal(err)
			}
			want := patternSays(pattern, fields)
			ix.check(t, data, want)
			for _, q := range []*query.Query{q, again, normal} {
				if got := q.Match(sample(t, nil, data)); got != want {
					t.Fatalf("seed %d: %s of %s is %v, want %v: %s", seed, detail, data, got, want, q)
				}
			}
		}
	}
}

// patternSays is for patterns of two levels without exists: false.
func patternSays(pattern, fields map[string]any) bool {
	for name, want := range pattern {
		value, there := fields[name]
		switch want := want.(type) {
		case map[string]any:
			elements, isArray := value.([]any)
			if !isArray {
				elements = []any{value}
			}
			if !slices.ContainsFunc(elements, func(e any) bool {
				m, isObject := e.(map[string]any)
				return isObject && patternSays(want, m)
			}) {
				return false
			}
		case []any:
			if name == "$or" {
				if !slices.ContainsFunc(want, func(w any) bool { return patternSays(w.(map[string]any), fields) }) {
					return false
				}
				continue
			}
			elements, isArray := value.([]any)
			if !isArray {
				elements = []any{value}
			}
			if !there || !slices.ContainsFunc(want, func(w any) bool {
				if m, ok := w.(map[string]any); ok && m["exists"] == true {
					return true
				}
				return slices.ContainsFunc(elements, func(e any) bool { return testSays(w, e) })
			}) {
				return false
			}
		}
	}
	return true
}

func testSays(want, value any) bool {
	switch value.(type) {
	case []any, map[string]any:
		return false
	}
	m, ok := want.(map[string]any)
	if !ok {
		return want == value
	}
	s, isString := value.(string)
	n, isNumber := value.(float64)
	for name, arg := range m {
		switch name {
		case "prefix":
			return isString && strings.HasPrefix(s, arg.(string))
		case "suffix":
			return isString && strings.HasSuffix(s, arg.(string))
		case "equals-ignore-case":
			return isString && strings.EqualFold(s, arg.(string))
		case "wildcard":
			return isString && len(s) > 1 && strings.HasPrefix(s, "x") && strings.HasSuffix(s, "y")
		case "numeric":
			return isNumber && n > 1 && n <= 5
		case "anything-but":
			switch arg := arg.(type) {
			case map[string]any:
				return !isString || !strings.HasPrefix(s, "x") && !strings.HasPrefix(s, "z")
			case []any:
				return !slices.Contains(arg, value)
			}
			return arg != value
		}
	}
	panic("no test")
}
