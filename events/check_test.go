package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events"
)

// order is a class with a field of every type and limit.
func order() events.ClassConfig {
	return events.ClassConfig{
		Name: "order.created",
		Fields: []events.FieldConfig{
			{Name: "id", Type: events.Int, Required: true},
			{Name: "customer", Type: events.String, Required: true, MinLength: new(1), MaxLength: new(10)},
			{Name: "total", Type: events.Number, Min: "0", Max: "1e6"},
			{Name: "paid", Type: events.Bool},
			{Name: "at", Type: events.Time},
			{Name: "state", Type: events.String, Enum: []any{"new", "sent", "done"}},
			{Name: "size", Type: events.Int, Enum: []any{1, int64(2), uint64(3)}},
			{Name: "rate", Type: events.Number, Enum: []any{0.5, 1}},
			{Name: "code", Type: events.String, Pattern: "^[A-Z]{2}$"},
			{Name: "count", Type: events.Int, Min: "-9007199254740993", Max: "9007199254740993"},
			{Name: "address", Type: events.Object, Fields: []events.FieldConfig{
				{Name: "city", Type: events.String, Required: true},
				{Name: "zip", Type: events.Int},
			}},
			{Name: "items", Type: events.Array, MinItems: new(1), MaxItems: new(3), Items: &events.FieldConfig{
				Type: events.Object, Fields: []events.FieldConfig{{Name: "price", Type: events.Number, Required: true, Min: "0"}},
			}},
			{Name: "tags", Type: events.Array, Items: &events.FieldConfig{Type: events.String}},
			{Name: "any", Type: events.Array},
			{Name: "free", Type: events.Object},
		},
		Channel: "customer",
	}
}

func class(t testing.TB, c events.ClassConfig) *events.Class {
	t.Helper()
	return catalogue(t, []events.ClassConfig{c}).Class(c.Name)
}

// The data of these begins with what is required, then `,` and what is here.
func TestCheckFields(t *testing.T) {
	c := class(t, order())
	for _, test := range []struct {
		more string
		want string // empty: it is valid
	}{
		{`"total":12.5`, ""},
		{`"total":0`, ""},
		{`"total":-0.0`, ""},
		{`"total":1e6`, ""},
		{`"total":1000000.01`, "field total: expected a number of 0 to 1e6, found 1000000.01"},
		{`"total":-3`, "field total: expected a number of 0 to 1e6, found -3"},
		{`"total":1e999`, "field total: expected a number of 0 to 1e6, found 1e999, which does not fit in a 64-bit float"},
		{`"total":"12"`, `field total: expected a number of 0 to 1e6, found the string "12"`},
		{`"total":null`, ""},
		{`"paid":true`, ""},
		{`"paid":1`, "field paid: expected true or false, found 1"},
		{`"at":"2026-01-31T09:30:00Z"`, ""},
		{`"at":"2026-01-31T09:30:00.123+01:00"`, ""},
		{`"at":"2026-01-31 09:30:00"`, `field at: expected a time such as "2026-01-31T09:30:00Z" (RFC 3339), found "2026-01-31 09:30:00"`},
		{`"at":"2026-02-30T09:30:00Z"`, `field at: expected a time such as "2026-01-31T09:30:00Z" (RFC 3339), found "2026-02-30T09:30:00Z"`},
		{`"at":1769851800`, `field at: expected a time such as "2026-01-31T09:30:00Z" (RFC 3339), found 1769851800`},
		{`"state":"sent"`, ""},
		{`"state":"\u0073ent"`, ""},
		{`"state":"lost"`, `field state: expected a string: "new", "sent" or "done", found "lost"`},
		{`"size":2`, ""},
		{`"size":4`, "field size: expected an integer: 1, 2 or 3, found 4"},
		{`"rate":0.50`, ""},
		{`"rate":1.0`, ""},
		{`"rate":0.6`, "field rate: expected a number: 0.5 or 1, found 0.6"},
		{`"code":"NO"`, ""},
		{`"code":"no"`, `field code: expected a string that matches ^[A-Z]{2}$, found "no"`},
		{`"count":9007199254740993`, ""},
		{`"count":9007199254740994`, "field count: expected an integer of -9007199254740993 to 9007199254740993, found 9007199254740994"},
		{`"count":9223372036854775808`, "field count: expected an integer of -9007199254740993 to 9007199254740993, found 9223372036854775808, which does not fit in 64 bits"},
		{`"count":1.0`, "field count: expected an integer of -9007199254740993 to 9007199254740993, found 1.0, which is written with a fraction"},
		{`"count":1e3`, "field count: expected an integer of -9007199254740993 to 9007199254740993, found 1e3, which is written with an exponent"},
		{`"count":-0`, ""},
		{`"address":{"city":"Oslo","other":[]}`, ""},
		{`"address":{}`, "field address.city: expected a string, found nothing"},
		{`"address":{"city":null}`, "field address.city: expected a string, found null"},
		{`"address":{"city":"Oslo","zip":"0150"}`, `field address.zip: expected an integer, found the string "0150"`},
		{`"address":["Oslo"]`, "field address: expected an object, found an array"},
		{`"items":[{"price":1},{"price":2}]`, ""},
		{`"items":[]`, "field items: expected an array of 1 to 3 items, found an array of 0"},
		{`"items":[{"price":1},{"price":1},{"price":1},{"price":1}]`, "field items: expected an array of 1 to 3 items, found an array of 4"},
		{`"items":[{"price":1},{"price":-1}]`, "field items[1].price: expected a number of at least 0, found -1"},
		{`"items":[{"price":1},{}]`, "field items[1].price: expected a number of at least 0, found nothing"},
		{`"items":[null]`, "field items[0]: expected an object, found null"},
		{`"items":{}`, "field items: expected an array of 1 to 3 items, found an object"},
		{`"tags":["a",1]`, "field tags[1]: expected a string, found 1"},
		{`"tags":["a",["b"]]`, "field tags[1]: expected a string, found an array"},
		{`"any":[1,"a",null,{"x":[]}],"free":{"x":1}`, ""},
		{`"unknown":1`, ""},
		{`"cust\u006fmer":"x"`, "field customer: expected the field once, found it twice, again at byte 23"},
		{`"total":-1,"paid":2`, "field total: expected a number of 0 to 1e6, found -1; field paid: expected true or false, found 2"},
		{`"state":"` + strings.Repeat("é", 100) + `"`, `field state: expected a string: "new", "sent" or "done", found "` + strings.Repeat("é", 32) + `"…`},
	} {
		data := `{"id":1,"customer":"a",` + test.more + `}`
		_, err := c.Check([]byte(data))
		if got := text(err); got != prefixed("order.created: ", test.want) {
			t.Errorf("Check(%s):\n\t%s\nwant:\n\t%s", data, got, prefixed("order.created: ", test.want))
		}
	}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckRequired(t *testing.T) {
	c := class(t, order())
	for data, want := range map[string]string{
		`{}`:                                  "order.created: field id: expected an integer, found nothing; field customer: expected a string of 1 to 10 characters, found nothing",
		` { "customer" : "åäö" , "id" : 1 } `: "",
		`{"id":1,"customer":""}`:              `order.created: field customer: expected a string of 1 to 10 characters, found "", which has 0`,
		`{"id":1,"customer":"åååååååååå"}`:  "",
		`{"id":1,"customer":"ååååååååååå"}`: `order.created: field customer: expected a string of 1 to 10 characters, found "ååååååååååå", which has 11`,
		`{"id":null,"customer":"a"}`:        "order.created: field id: expected an integer, found null",
		`[]`:                                "order.created: data: expected a JSON object, found an array",
		`null`:                              "order.created: data: expected a JSON object, found null",
		`"{}"`:                              `order.created: data: expected a JSON object, found the string "{}"`,
		`[}`:                                "order.created: field [0]: expected a value, found '}' at byte 1",
	} {
		if _, err := c.Check([]byte(data)); text(err) != want {
			t.Errorf("Check(%s):\n\t%s\nwant:\n\t%s", data, text(err), want)
		}
	}
}

func TestCheckSyntax(t *testing.T) {
	c := class(t, events.ClassConfig{Name: "c"})
	deep := strings.Repeat("[", 63) + strings.Repeat("]", 63)
	for _, test := range []struct{ data, want string }{
		{`{"a":` + deep + `}`, ""},
		{`{"a":[` + deep + `]}`, "field a" + strings.Repeat("[0]", 63) + ": expected at most 64 arrays and objects in one another, found one more at byte 68"},
		{`{"a":[` + strings.Repeat("[", 1<<20), "field a" + strings.Repeat("[0]", 63) + ": expected at most 64 arrays and objects in one another, found one more at byte 68"},
		{``, "data: expected a value, found the end of the data at byte 0"},
		{`{`, "data: expected a key in quotation marks, found the end of the data at byte 1"},
		{`{"a"`, "field a: expected a colon, found the end of the data at byte 4"},
		{`{"a":`, "field a: expected a value, found the end of the data at byte 5"},
		{`{"a":1`, "data: expected a comma or '}', found the end of the data at byte 6"},
		{`{"a":1,}`, "data: expected a key in quotation marks, found '}' at byte 7"},
		{`{,}`, "data: expected a key in quotation marks, found ',' at byte 1"},
		{`{"a":1 "b":2}`, "data: expected a comma or '}', found '\"' at byte 7"},
		{`{a:1}`, "data: expected a key in quotation marks, found 'a' at byte 1"},
		{`{"a":1}x`, "data: expected the end of the data, found 'x' at byte 7"},
		{`{"a":1}{}`, "data: expected the end of the data, found '{' at byte 7"},
		{`{"a":[1,]}`, "field a[1]: expected a value, found ']' at byte 8"},
		{`{"a":[1 2]}`, "field a: expected a comma or ']', found '2' at byte 8"},
		{`{"a":01}`, "data: expected a comma or '}', found '1' at byte 6"},
		{`{"a":-}`, "field a: expected a digit, found '}' at byte 6"},
		{`{"a":1.}`, "field a: expected a digit, found '}' at byte 7"},
		{`{"a":1e+}`, "field a: expected a digit, found '}' at byte 8"},
		{`{"a":+1}`, "field a: expected a value, found '+' at byte 5"},
		{`{"a":.5}`, "field a: expected a value, found '.' at byte 5"},
		{`{"a":NaN}`, "field a: expected a value, found 'N' at byte 5"},
		{`{"a":tru}`, "field a: expected a value, found 't' at byte 5"},
		{`{"a":"x`, "field a: expected the end of a string, found the end of the data at byte 7"},
		{"{\"a\":\"x\ny\"}", `field a: expected an escape sequence in place of a control character, found '\n' at byte 7`},
		{"{\"a\":\"\x00\"}", `field a: expected an escape sequence in place of a control character, found '\x00' at byte 6`},
		{`{"a":"\x"}`, `field a: expected one of " \ / b f n r t u after a backslash, found 'x' at byte 7`},
		{`{"a":"\u12g4"}`, `field a: expected four hexadecimal digits after \u, found 'u' at byte 7`},
		{`{"a":"\u12`, `field a: expected four hexadecimal digits after \u, found 'u' at byte 7`},
		{`{"a":"\ud834\udd1e"}`, ""},
		{`{"a":"\ud834"}`, "field a: expected a surrogate pair, found half of one at byte 6"},
		{`{"a":"\ud834\u0041"}`, "field a: expected a surrogate pair, found half of one at byte 6"},
		{`{"a":"\udd1e\ud834"}`, "field a: expected a surrogate pair, found half of one at byte 6"},
		{"{\"a\":\"\xff\"}", "field a: expected UTF-8, found the byte 0xff at byte 6"},
		{"{\"a\":\"\xed\xa0\x80\"}", "field a: expected UTF-8, found the byte 0xed at byte 6"},
		{"{\"\xff\":1}", "data: expected UTF-8, found the byte 0xff at byte 2"},
		{"{\"a\":\xff}", "field a: expected a value, found the byte 0xff at byte 5"},
		{"\xef\xbb\xbf{}", `data: expected a value, found '\ufeff' at byte 0`},
		{`{"a":1,"a":2}`, "field a: expected the field once, found it twice, again at byte 7"},
		{`{"a":1,"\u0061":2}`, "field a: expected the field once, found it twice, again at byte 7"},
		{`{"":1,"":2}`, `field [""]: expected the field once, found it twice, again at byte 6`},
		{`{"x y":{"a.b":[{"c":1,"c":2}]}}`, `field ["x y"]["a.b"][0].c: expected the field once, found it twice, again at byte 22`},
		{`{"a":{"b":1},"b":{"a":1,"b":2}}`, ""},
	} {
		_, err := c.Check([]byte(test.data))
		if got, want := text(err), prefixed("c: ", test.want); got != want {
			t.Errorf("Check(%.80s):\n\t%s\nwant:\n\t%s", test.data, got, want)
		}
	}
}

// Large objects are searched for repeated keys in another way than small ones.
func TestCheckManyKeys(t *testing.T) {
	c := class(t, events.ClassConfig{Name: "c"})
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"key%d":{"x":1,"y":2},`, i)
	}
	many := b.String()
	if _, err := c.Check([]byte("{" + many + `"last":1}`)); err != nil {
		t.Error(err)
	}
	_, err := c.Check([]byte("{" + many + `"k\u0065y4321":1}`))
	want := fmt.Sprintf("c: field key4321: expected the field once, found it twice, again at byte %d", len(many)+1)
	if text(err) != want {
		t.Errorf("Check: %v, want %s", err, want)
	}
}

// Enough is enough: at most 8 problems are reported.
func TestCheckManyProblems(t *testing.T) {
	c := class(t, order())
	_, err := c.Check([]byte(`{"tags":[1,2,3,4,5,6,7,8,9,10],"total":-1}`))
	invalid, ok := errors.AsType[*events.InvalidError](err)
	if !ok || len(invalid.More) != 7 || invalid.Field != "tags[0]" || invalid.Code != events.CodeType || invalid.Position != 9 {
		t.Errorf("Check: %+v", err)
	}
}

func TestCheckUnknown(t *testing.T) {
	config := order()
	config.Unknown = events.UnknownReject
	config.Fields = config.Fields[:3]
	config.Fields = append(config.Fields, events.FieldConfig{Name: "o", Type: events.Object, Fields: []events.FieldConfig{{Name: "x", Type: events.Int}}})
	c := class(t, config)
	for more, want := range map[string]string{
		`"total":1`:             "",
		`"totl":1`:              `order.created: field totl: expected one of the fields id, customer, total, o, found "totl"`,
		`"o":{"y":1}`:           `order.created: field o.y: expected one of the fields x, found "y"`,
		`"totl":"x","totl":"y"`: `order.created: field totl: expected one of the fields id, customer, total, o, found "totl"; field totl: expected one of the fields id, customer, total, o, found "totl"; field totl: expected the field once, found it twice, again at byte 34`,
	} {
		if _, err := c.Check([]byte(`{"id":1,"customer":"a",` + more + `}`)); text(err) != want {
			t.Errorf("Check(%s):\n\t%s\nwant:\n\t%s", more, text(err), want)
		}
	}
	none := class(t, events.ClassConfig{Name: "c", Unknown: events.UnknownReject})
	if _, err := none.Check([]byte(`{"x":1}`)); text(err) != `c: field x: expected no fields, found "x"` {
		t.Error(err)
	}
}

func TestCheckChannel(t *testing.T) {
	of := func(typ events.Type) *events.Class {
		return class(t, events.ClassConfig{Name: "c", Fields: []events.FieldConfig{{Name: "x", Type: typ}}, Channel: "x"})
	}
	long := strings.Repeat("x", 256)
	for _, test := range []struct {
		typ        events.Type
		value      string
		want, fail string
	}{
		{events.String, `"ada"`, "ada", ""},
		{events.String, `""`, "", ""},
		{events.String, `null`, "", ""},
		{events.String, `"a.b c#d%e\n"`, "a%2Eb%20c%23d%25e%0A", ""},
		{events.String, `"é-_~/日本"`, "é-_~/日本", ""},
		{events.String, `"a\u2028b\u00a0c\u0085"`, "a%E2%80%A8b%C2%A0c%C2%85", ""},
		{events.String, `"\u0061"`, "a", ""},
		{events.String, `"` + long + `"`, long, ""},
		{events.String, `"` + long + `x"`, "", `c: field x: expected a value that has at most 256 bytes in a topic, as it names the channel, found "` + long[:64] + `"…, which has 257`},
		{events.Int, `-17`, "-17", ""},
		{events.Int, `-0`, "0", ""},
		{events.Bool, `true`, "true", ""},
	} {
		got, err := of(test.typ).Check([]byte(`{"x":` + test.value + `}`))
		if got != test.want || text(err) != test.fail {
			t.Errorf("Check(%.40s) = %q, %v; want %q, %s", test.value, got, err, test.want, test.fail)
		}
	}
	if got, err := of(events.String).Check([]byte(`{"o":{"x":"no"}}`)); got != "" || err != nil {
		t.Errorf("Check without the field = %q, %v", got, err)
	}
}

func FuzzEncodeChannel(f *testing.F) {
	for _, s := range []string{"", "ada", "a.b", "%", "%2E", "é\u2028", "\xff", "a b", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		channel := events.EncodeChannel(s)
		if strings.ContainsAny(channel, ".# \t\r\n\v\f") {
			t.Fatalf("EncodeChannel(%q) = %q, which is no component of a topic", s, channel)
		}
		if strings.ToValidUTF8(s, "") == s {
			if got, ok := events.DecodeChannel(channel); !ok || got != s {
				t.Fatalf("DecodeChannel(%q) = %q, %v; want %q", channel, got, ok, s)
			}
		}
		if value, ok := events.DecodeChannel(s); ok && events.EncodeChannel(value) != s {
			t.Fatalf("DecodeChannel(%q) = %q, which is encoded otherwise", s, value)
		}
	})
}
