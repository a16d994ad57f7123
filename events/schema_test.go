package events_test

import (
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

// shipment has a field of every type, at every place where fields are.
func shipment(unknown events.Unknown) events.ClassConfig {
	every := func() []events.FieldConfig {
		var list []events.FieldConfig
		for _, t := range events.Types {
			list = append(list, events.FieldConfig{Name: string(t), Type: t})
		}
		return list
	}
	fields := every()
	fields = append(fields, events.FieldConfig{Name: "part", Type: events.Object, Fields: every()})
	for _, t := range events.Types {
		fields = append(fields, events.FieldConfig{Name: string(t) + "s", Type: events.Array, Items: &events.FieldConfig{Type: t}})
	}
	fields = append(fields, events.FieldConfig{Name: "parts", Type: events.Array, Items: &events.FieldConfig{Type: events.Object, Fields: every()}})
	return events.ClassConfig{Name: "shipment.sent", Fields: fields, Unknown: unknown}
}

// A field of each type of a class takes the comparisons of its type, and no
// others.
func TestSchemaOfEveryType(t *testing.T) {
	const data = `{"string":"a","int":1,"number":1.5,"bool":true,"time":"2026-01-31T09:30:00+01:00","object":{"x":1},"array":[1]}`
	values := map[events.Type]string{
		events.String: `"a"`, events.Int: `1`, events.Number: `1.5`, events.Bool: `true`, events.Time: `timestamp("2026-01-31T08:30:00Z")`,
		events.Object: ``, events.Array: ``,
	}
	closed := class(t, shipment(events.UnknownReject))
	whole := `{` + data[1:len(data)-1] + `,"part":` + data + `,"parts":[` + data + `],"strings":["a"],"ints":[1],"numbers":[1.5],"bools":[true],` +
		`"times":["2026-01-31T09:30:00+01:00"],"objects":[{"x":1}],"arrays":[[1]]}`
	if _, err := closed.Check([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	sample, err := closed.Schema().NewSample(query.Meta{Class: closed.Name()}, []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	accepts := func(text string, want bool) {
		t.Helper()
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := q.Check(closed.Schema()); (err == nil) != want {
			t.Errorf("%s: %v, want it accepted: %v", text, err, want)
		} else if err == nil && q.Eval(sample) != query.True {
			t.Errorf("%s is %v, want true", text, q.Eval(sample))
		}
	}
	number := func(t events.Type) bool { return t == events.Int || t == events.Number }
	for _, typ := range events.Types {
		for other, value := range values {
			if value == "" {
				continue
			}
			want := typ == other
			if typ != other && number(typ) && number(other) {
				continue // accepted, and not equal
			}
			accepts("data."+string(typ)+" == "+value, want)
			accepts("part."+string(typ)+" == "+value, want)
			accepts("parts.exists(p, p."+string(typ)+" == "+value+")", want)
			accepts(string(typ)+"s.exists(x, x == "+value+")", want)
			accepts(value+" in "+string(typ)+"s", want)
		}
	}
	for text, want := range map[string]bool{
		`missing == 1`: false, `part.missing == 1`: false, `parts.exists(p, p.missing == 1)`: false,
		`object.x == 1`: true, `1 in array`: true, `objects.exists(o, o.x == 1)`: true, `arrays.exists(a, 1 in a)`: true,
	} {
		accepts(text, want)
	}
}

// A class that allows unknown fields lets queries ask for them.
func TestSchemaOfOpenClasses(t *testing.T) {
	for _, unknown := range []events.Unknown{"", events.UnknownAllow} {
		s := class(t, shipment(unknown)).Schema()
		for _, text := range []string{`missing == 1`, `part.missing.more == "x"`, `parts.exists(p, p.missing == 1)`} {
			q, err := query.Parse(text, query.DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Check(s); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
