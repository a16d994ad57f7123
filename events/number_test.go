package events_test

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events"
)

// A number that not every subscriber could get is refused, wherever it stands.
func TestCheckNumbersFit(t *testing.T) {
	c := class(t, events.ClassConfig{Name: "c", Fields: []events.FieldConfig{
		{Name: "f", Type: events.Number}, {Name: "list", Type: events.Array}, {Name: "o", Type: events.Object},
	}})
	digits := strings.Repeat("9", 309)
	for _, test := range []struct{ data, want string }{
		{`{"a":1e308}`, ""},
		{`{"a":-1.7976931348623157E+308}`, ""},
		{`{"a":1e400}`, "field a: expected a number, found 1e400, which does not fit in a 64-bit float"},
		{`{"a":-1E400}`, "field a: expected a number, found -1E400, which does not fit in a 64-bit float"},
		{`{"f":1e400}`, "field f: expected a number, found 1e400, which does not fit in a 64-bit float"},
		{`{"list":[1,{"x":1e309}]}`, "field list[1].x: expected a number, found 1e309, which does not fit in a 64-bit float"},
		{`{"o":{"x":1e309}}`, "field o.x: expected a number, found 1e309, which does not fit in a 64-bit float"},
		{`{"a":1e-400}`, ""},
		{`{"a":18446744073709551615}`, ""},
		{`{"a":18446744073709551616}`, ""},
		{`{"a":-9223372036854775809}`, ""},
		{`{"a":` + digits[1:] + `}`, ""},
		{`{"a":` + digits + `}`, "field a: expected a number, found " + digits[:40] + "…, which does not fit in a 64-bit float"},
		{`{"f":` + digits + `.5}`, "field f: expected a number, found " + digits[:40] + "…, which does not fit in a 64-bit float"},
		{`{"a":0.` + digits + `}`, ""},
	} {
		_, err := c.Check([]byte(test.data))
		if got, want := text(err), prefixed("c: ", test.want); got != want {
			t.Errorf("Check(%.80s):\n\t%s\nwant:\n\t%s", test.data, got, want)
		}
	}
}
