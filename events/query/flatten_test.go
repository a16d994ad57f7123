package query_test

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// What is no JSON object is refused, and what is one is not; how it reads is the
// matter of TestProgramSaysWhatQuerySays.
func TestLoadRefuses(t *testing.T) {
	ix := query.NewIndex(query.DefaultConfig())
	if _, err := ix.Add(querytest.Parse(t, `a == 1 && b.c == "x" && l.exists(x, x.y == 1)`)); err != nil {
		t.Fatal(err)
	}
	m := ix.NewMatcher()
	defer m.Close()
	const in = "the data of the event: "
	for _, test := range []struct{ data, want string }{
		{`{}`, ``},
		{"\r\n\t {\"a\" : 1 , \"b\":[ ] } ", ``},
		{`{"a":-0,"b":0.5e-7,"c":1E+9,"d":[{}, [], "", null, true, false]}`, ``},
		{`{"\u0061\"":"\ud83d\ude00\b\f\n\r\t\/\\"}`, ``},
		{``, in + `expected a JSON object`},
		{`[]`, in + `expected a JSON object`},
		{"\xef\xbb\xbf{}", in + `expected a JSON object`},
		{`{`, in + `expected a name in quotes or "}", found the end`},
		{`{"a"`, in + `expected ":" behind the name, found the end`},
		{`{"a":`, in + `expected a value, found the end`},
		{`{"a":1`, in + `expected "," or "}", found the end`},
		{`{"a":1,}`, in + `at byte 7: expected a name in quotes or "}", found '}'`},
		{`{"a":1} x`, in + `at byte 8: expected nothing behind the JSON object, found 'x'`},
		{`{"a":01}`, in + `at byte 6: expected a value, found '1'`},
		{`{"a":+1}`, in + `at byte 5: expected a value, found '+'`},
		{`{"a":-}`, in + `at byte 5: expected a value, found '-'`},
		{`{"a":1.}`, in + `at byte 7: expected a digit behind the point, found '}'`},
		{`{"a":.5}`, in + `at byte 5: expected a value, found '.'`},
		{`{"a":1e}`, in + `at byte 7: expected a digit of the exponent, found '}'`},
		{`{"z":1e999}`, in + `at byte 5: expected a number that a double can hold, found 1e999`},
		{`{"a":nul}`, in + `at byte 5: expected a value, found 'n'`},
		{`{"a":[1,]}`, in + `at byte 8: expected a value, found ']'`},
		{`{"a":[1 2]}`, in + `at byte 8: expected "," or "]", found '2'`},
		{`{"a":"x}`, in + `expected the end of the string, found the end`},
		{"{\"a\":\"\n\"}", in + `at byte 6: expected a character, not a control character, found '\n'`},
		{"{\"a\":\"\xff\"}", in + `at byte 6: expected UTF-8, found 'ÿ'`},
		{"{\"a\":\"\xed\xa0\x80\"}", in + `at byte 6: expected UTF-8, found 'í'`},
		{`{"a":"\x"}`, in + `at byte 6: expected an escape sequence of JSON, found '\\'`},
		{`{"a":"\ud800"}`, in + `at byte 6: expected an escape sequence of JSON, found '\\'`},
		{`{"a":"\ud800\u0041"}`, in + `at byte 6: expected an escape sequence of JSON, found '\\'`},
		{`{"a":"\udc00\ud800"}`, in + `at byte 6: expected an escape sequence of JSON, found '\\'`},
		{`{"a":"\u12g4"}`, in + `at byte 6: expected an escape sequence of JSON, found '\\'`},
		{`{"a":` + strings.Repeat("[", 20_000), in + `expected at most 10000 levels, found more`},
	} {
		err := m.Load(query.Meta{}, []byte(test.data))
		switch {
		case err == nil && test.want != "" || err != nil && err.Error() != test.want:
			t.Errorf("%.60q: %v, want %q", test.data, err, test.want)
		case err != nil && len(m.Match(nil)) > 0:
			t.Errorf("%.60q: matches", test.data)
		}
	}
}

// Whatever NewSample takes, a matcher takes, and a query says the same of both,
// also if it is told that the data was checked. If that is not so, no harm is
// done. Names that are in a map twice are the exception: those it need not find.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":{"c":"x\u0041"},"l":[{"y":1.5},"z",null]}`, `{"a":-0.0,"b":[],"l":{"k":{"y":1}}}`, `{"a":9007199254740993,"\u0061b":"\ud83d\ude00"}`,
		`{"a":1e400}`, `{"a":123456789012345678901234567890.5e-3}`, `{"a":0.1234567890123456789}`, "{\"a\":\"\xff\"}", `{"l":[[["a"]],{"y":[1]}]}`,
		`{"z":[{"a":"]}\"\\"},[[]],1e5],"l":[{"x":{"y":[1]},"y":2}]}`, `{"a":[}]}`, `{"z":[[1]`, `{"z":{"y":"\ud800"}}`, `{"é":"ü","a":1}`,
	} {
		f.Add([]byte(s), uint64(len(s)))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		md := newModel(true)
		g := querytest.New(seed)
		for _, text := range []string{
			`a == 1 || b.c == "xA" || l.exists(x, x.y >= 1 || x == "z" || "a" in x)`, `a == b || has(b.c) || l == data.l`, g.Query(2), g.Query(2),
		} {
			md.add(t, text)
		}
		meta, untyped := g.Meta(), new(query.Schema)
		loaded := md.m.Load(meta, data)
		s, err := query.NewSample(meta, data)
		if err != nil {
			if md.m.LoadChecked(untyped, meta, data) == nil {
				md.m.Match(nil)
			}
			if loaded == nil && !strings.Contains(err.Error(), "duplicate") {
				t.Fatalf("%q is taken, and is %v", data, err)
			}
			return
		}
		if loaded != nil {
			t.Fatalf("%q: %v", data, loaded)
		}
		md.compare(t, s, string(data))
		if err := md.m.LoadChecked(untyped, meta, data); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		md.compare(t, s, string(data))
	})
}

// The times of an event that its class declares are what NewSample of the class
// makes of them.
func TestLoadClass(t *testing.T) {
	at := query.Type{Kind: query.TimeType}
	schema := &query.Schema{Class: "c", Data: query.Type{Kind: query.ObjectType, Fields: []query.Field{
		{Name: "at", Type: at},
		{Name: "all", Type: query.Type{Kind: query.ArrayType, Items: &at}},
		{Name: "steps", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.ObjectType, Fields: []query.Field{{Name: "at", Type: at}}}}},
		{Name: "a", Type: query.Type{Kind: query.ObjectType, Fields: []query.Field{{Name: "at", Type: at}, {Name: "n", Type: query.Type{Kind: query.IntType}}}}},
	}}}
	md := newModel(true)
	for _, op := range []string{"<", "<=", "==", "!=", ">", ">="} {
		for _, literal := range []string{`timestamp("2026-01-02T03:04:05Z")`, `timestamp("2026-01-02T03:04:05.5Z")`, `"2026-01-02T03:04:05Z"`} {
			md.add(t, "at "+op+" "+literal)
			md.add(t, "a.at "+op+" "+literal+" && a.n == 1")
			md.add(t, "all.exists(x, x "+op+" "+literal+")")
			md.add(t, "steps.exists(x, x.at "+op+" "+literal+")")
		}
		md.add(t, "at "+op+" a.at")
	}
	for _, data := range []string{
		`{"at":"2026-01-02T04:04:05+01:00","all":["2026-01-02T03:04:05Z","x",1,null],"steps":[{"at":"2026-01-02T03:04:05.5Z"},{"at":1}],"a":{"at":"2026-01-02T03:04:04Z","n":1}}`,
		`{"at":"\u0032026-01-02T03:04:05Z","all":{"2026-01-02T03:04:05Z":1},"steps":{"at":"2026-01-02T03:04:05.5Z"},"a":{"at":"0001-01-01T00:00:00Z","n":1}}`,
		`{"at":["2026-01-02T03:04:05Z"],"all":"2026-01-02T03:04:05Z","steps":["2026-01-02T03:04:05Z"],"a":[{"at":"2026-01-02T03:04:05Z","n":1}]}`,
		`{"at":"2026-01-02","all":[],"a":{"at":"9999-01-01T00:00:00Z","n":1}}`,
	} {
		s, err := schema.NewSample(query.Meta{}, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, load := range []func(*query.Schema, query.Meta, []byte) error{md.m.LoadClass, md.m.LoadChecked} {
			if err := load(schema, query.Meta{}, []byte(data)); err != nil {
				t.Fatal(err)
			}
			md.compare(t, s, data)
		}
	}
}
