package events_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

func TestCheckClasses(t *testing.T) {
	field := func(f events.FieldConfig) events.ClassConfig {
		f.Name = "f"
		return events.ClassConfig{Name: "c", Fields: []events.FieldConfig{f}}
	}
	deep := events.FieldConfig{Name: "f", Type: events.Object}
	for range 16 {
		deep = events.FieldConfig{Name: "f", Type: events.Object, Fields: []events.FieldConfig{deep}}
	}
	for _, test := range []struct {
		name    string
		classes []events.ClassConfig
		want    []string // "class path: error"
	}{
		{"good", []events.ClassConfig{order(), {Name: "a"}, {Name: "A-b_1.c"}}, nil},
		{"no name", []events.ClassConfig{{}}, []string{" : expected a class name of 1 to 200 bytes, found 0"}},
		{"long name", []events.ClassConfig{{Name: strings.Repeat("x", 201)}}, []string{strings.Repeat("x", 201) + " : expected a class name of 1 to 200 bytes, found 201"}},
		{"reserved", []events.ClassConfig{{Name: "wamp.x"}, {Name: "wireroom"}, {Name: "wampum"}}, []string{
			`wamp.x : expected a class name that begins with another word, found "wamp", which belongs to the gateway`,
			`wireroom : expected a class name that begins with another word, found "wireroom", which belongs to the gateway`,
		}},
		{"odd names", []events.ClassConfig{{Name: "a..b"}, {Name: ".a"}, {Name: "a."}, {Name: "a b"}, {Name: "é"}}, []string{
			`a..b : expected a class name of words joined by single dots, found "a..b"`,
			`.a : expected a class name of words joined by single dots, found ".a"`,
			`a. : expected a class name of words joined by single dots, found "a."`,
			`a b : expected a class name of letters a-z and A-Z, digits, '_', '-' and dots, found ' '`,
			`é : expected a class name of letters a-z and A-Z, digits, '_', '-' and dots, found 'é'`,
		}},
		{"twice", []events.ClassConfig{{Name: "c"}, {Name: "c"}}, []string{"c : expected each class once, found it again"}},
		{"a channel of another", []events.ClassConfig{
			{Name: "a.b.c"}, {Name: "a.b", Fields: []events.FieldConfig{{Name: "x", Type: events.String}}, Channel: "x"}, {Name: "a"}, {Name: "a.b.c.d"},
		}, []string{"a.b.c : expected a name that is no channel's topic, found one of the class a.b, whose channels are its x"}},
		{"channel of no field", []events.ClassConfig{{Name: "c", Channel: "x"}}, []string{`c channel: expected the name of a field, found "x", and there is no such field`}},
		{"channel of a number", []events.ClassConfig{{Name: "c", Channel: "x", Fields: []events.FieldConfig{{Name: "x", Type: events.Number}}}}, []string{"c channel: expected a field of type string, int or bool, found x, which has the type number"}},
		{"delivery", []events.ClassConfig{
			{Name: "a", Delivery: events.Delivery{WhenFull: events.DropOldest, Linger: time.Second}},
			{Name: "b", Retain: events.Retain{Events: 1}, Delivery: events.Delivery{WhenFull: events.DropOldest, Linger: -1}},
			{Name: "c", Delivery: events.Delivery{WhenFull: events.KeepLatest}},
			{Name: "d", Delivery: events.Delivery{WhenFull: events.KeepLatest, Key: "x"}, Fields: []events.FieldConfig{{Name: "x", Type: events.Bool}}},
		}, nil},
		{"policy", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{WhenFull: "drop"}}}, []string{`c queue.when_full: must be one of disconnect, drop-oldest, keep-latest, not "drop"`}},
		{"key without a policy", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{Key: "x"}}}, []string{"c queue.key: expected only with when_full: keep-latest, found without when_full"}},
		{"key with another policy", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{Key: "x", WhenFull: events.DropOldest}}}, []string{"c queue.key: expected only with when_full: keep-latest, found with drop-oldest"}},
		{"key of no field", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{Key: "x", WhenFull: events.KeepLatest}}}, []string{`c queue.key: expected the name of a field, found "x", and there is no such field`}},
		{"key of a number", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{Key: "x", WhenFull: events.KeepLatest}, Fields: []events.FieldConfig{{Name: "x", Type: events.Number}}}}, []string{"c queue.key: expected a field of type string, int or bool, found x, which has the type number"}},
		{"linger", []events.ClassConfig{{Name: "c", Delivery: events.Delivery{Linger: 1001 * time.Millisecond}}}, []string{"c linger: must be at most 1s, not 1.001s"}},
		{"role", []events.ClassConfig{{Name: "c", Access: events.Access{Roles: []string{"a", ""}}}}, []string{"c access[1]: expected the name of a role, found an empty text"}},
		{"unknown", []events.ClassConfig{{Name: "c", Unknown: "maybe"}}, []string{`c unknown: must be allow or reject, not "maybe"`}},
		{"retain", []events.ClassConfig{{Name: "c", Retain: events.Retain{Events: -1, For: time.Millisecond}}}, []string{
			"c retain.events: must be in 0 to 1073741824, not -1",
			"c retain.for: must be at least 1s, not 1ms",
		}},
		{"type", []events.ClassConfig{field(events.FieldConfig{Type: "float"}), {Name: "d", Fields: []events.FieldConfig{{Name: "x"}}}}, []string{
			`c fields.f.type: must be one of string, int, number, bool, time, object, array, not "float"`,
			`d fields.x: expected a type, one of string, int, number, bool, time, object, array, found none`,
		}},
		{"fields twice", []events.ClassConfig{{Name: "c", Fields: []events.FieldConfig{{Name: "x", Type: events.Int}, {Name: "x", Type: events.Int}}}}, []string{"c fields.x: expected each field once, found it again"}},
		{"field names", []events.ClassConfig{{Name: "c", Fields: []events.FieldConfig{
			{Name: "", Type: events.Int}, {Name: "a.b", Type: events.Int}, {Name: "a b", Type: events.Int}, {Name: "\xff", Type: events.Int}, {Name: "é$-@", Type: events.Int},
		}}}, []string{
			"c fields.: expected a field name of 1 to 128 bytes, found 0",
			`c fields.a.b: expected a field name without white space and . [ ] " \, found '.'`,
			`c fields.a b: expected a field name without white space and . [ ] " \, found ' '`,
			"c fields.\xff: expected a field name in UTF-8, found other bytes",
		}},
		{"too many fields", []events.ClassConfig{{Name: "c", Fields: make([]events.FieldConfig, 257)}}, []string{"c fields: must be at most 256 fields, not 257"}},
		{"too deep", []events.ClassConfig{{Name: "c", Fields: []events.FieldConfig{deep}}}, []string{"c fields.f" + strings.Repeat(".fields.f", 16) + ": expected at most 16 levels of fields, found more"}},
		{"misplaced", []events.ClassConfig{field(events.FieldConfig{
			Type: events.Bool, Min: "1", Max: "2", MinLength: new(1), MaxLength: new(2), MinItems: new(1), MaxItems: new(2), Enum: []any{true}, Pattern: "x",
			Fields: []events.FieldConfig{{Name: "x", Type: events.Int}}, Items: &events.FieldConfig{Type: events.Int},
		})}, []string{
			"c fields.f.min: expected only with the type int, number, found with bool",
			"c fields.f.max: expected only with the type int, number, found with bool",
			"c fields.f.min_length: expected only with the type string, found with bool",
			"c fields.f.max_length: expected only with the type string, found with bool",
			"c fields.f.min_items: expected only with the type array, found with bool",
			"c fields.f.max_items: expected only with the type array, found with bool",
			"c fields.f.enum: expected only with the type string, int, number, found with bool",
			"c fields.f.pattern: expected only with the type string, found with bool",
			"c fields.f.fields: expected only with the type object, found with bool",
			"c fields.f.items: expected only with the type array, found with bool",
		}},
		{"range", []events.ClassConfig{field(events.FieldConfig{Type: events.Int, Min: "2", Max: "1"})}, []string{"c fields.f.max: must be at least min, 2, not 1"}},
		{"int range", []events.ClassConfig{field(events.FieldConfig{Type: events.Int, Min: "1.5", Max: "9223372036854775808"})}, []string{
			`c fields.f.min: must be an integer of 64 bits, not "1.5"`,
			`c fields.f.max: must be an integer of 64 bits, not "9223372036854775808"`,
		}},
		{"number range", []events.ClassConfig{field(events.FieldConfig{Type: events.Number, Min: "NaN", Max: "1e999"})}, []string{
			`c fields.f.min: must be a number, not "NaN"`,
			`c fields.f.max: must be a number, not "1e999"`,
		}},
		{"counts", []events.ClassConfig{field(events.FieldConfig{Type: events.String, MinLength: new(-1), MaxLength: new(-2)})}, []string{
			"c fields.f.min_length: must be at least 0, not -1",
			"c fields.f.max_length: must be at least 0, not -2",
		}},
		{"items", []events.ClassConfig{field(events.FieldConfig{Type: events.Array, MinItems: new(3), MaxItems: new(2), Items: &events.FieldConfig{Name: "x", Type: "y"}})}, []string{
			"c fields.f.max_items: must be at least min_items, 3, not 2",
			`c fields.f.items: expected items without a name, found "x"`,
			`c fields.f.items.type: must be one of string, int, number, bool, time, object, array, not "y"`,
		}},
		{"pattern", []events.ClassConfig{field(events.FieldConfig{Type: events.String, Pattern: "("})}, []string{"c fields.f.pattern: expected a regular expression (RE2), found \"(\": error parsing regexp: missing closing ): `(`"}},
		{"long pattern", []events.ClassConfig{field(events.FieldConfig{Type: events.String, Pattern: strings.Repeat("x", 1001)})}, []string{"c fields.f.pattern: must have at most 1000 bytes, not 1001"}},
		{"enum", []events.ClassConfig{field(events.FieldConfig{Type: events.Int, Enum: []any{1, "2", 3.5, true, json.Number("4")}})}, []string{
			`c fields.f.enum[1]: must be of the type int, not the string "2"`,
			`c fields.f.enum[2]: must be an integer of 64 bits, not "3.5"`,
			"c fields.f.enum[3]: must be of the type int, not true",
		}},
		{"enum of strings", []events.ClassConfig{field(events.FieldConfig{Type: events.String, Enum: []any{"a", 1}})}, []string{"c fields.f.enum[1]: must be of the type string, not the number 1 (quote it)"}},
		{"long enum", []events.ClassConfig{field(events.FieldConfig{Type: events.String, Enum: make([]any, 1001)})}, []string{"c fields.f.enum: must be at most 1000 values, not 1001"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			events.CheckClasses(test.classes, func(class, path string, err error) {
				got = append(got, fmt.Sprintf("%s %s: %v", class, path, err))
			})
			if !slices.Equal(got, test.want) {
				t.Errorf("CheckClasses reports\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
			if _, err := events.NewCatalogue(test.classes); (err == nil) != (test.want == nil) {
				t.Errorf("NewCatalogue: %v", err)
			}
		})
	}
}

func TestNewCatalogueError(t *testing.T) {
	_, err := events.NewCatalogue([]events.ClassConfig{{Name: "a b"}, {Name: "c", Channel: "x"}})
	want := "a b: expected a class name of letters a-z and A-Z, digits, '_', '-' and dots, found ' '\n" +
		`c.channel: expected the name of a field, found "x", and there is no such field`
	if text(err) != want {
		t.Errorf("NewCatalogue: %v\nwant: %s", err, want)
	}
}

func TestLookup(t *testing.T) {
	cat := catalogue(t, []events.ClassConfig{order(), {Name: "order"}})
	for _, test := range []struct {
		topic, class, channel string
	}{
		{"order.created", "order.created", ""},
		{"order.created.ada", "order.created", "ada"},
		{"order.created.a%2Eb", "order.created", "a%2Eb"},
		{"order", "order", ""},
		{"order.x", "", ""}, // order has no channels
		{"order.created.", "", ""},
		{"order.created.a.b", "", ""},
		{"order.create", "", ""},
		{"", "", ""},
		{".", "", ""},
		{"created", "", ""},
	} {
		c, channel, ok := cat.Lookup(test.topic)
		if ok != (test.class != "") || ok && (c.Name() != test.class || channel != test.channel) {
			t.Errorf("Lookup(%q) = %v, %q, %v; want %q, %q", test.topic, c, channel, ok, test.class, test.channel)
		}
		if ok && c.Topic(channel) != test.topic {
			t.Errorf("Topic(%q) = %q, want %q", channel, c.Topic(channel), test.topic)
		}
	}
	if cat.Len() != 2 || cat.Classes()[0].Name() != "order.created" || cat.Class("x") != nil {
		t.Errorf("Classes = %v", cat.Classes())
	}
}

// What a catalogue was made from may change afterwards.
func TestCatalogueIsApart(t *testing.T) {
	config := order()
	config.Access.Roles = []string{"member"}
	c := class(t, config)
	before := described(t, c)
	config.Fields[0].Name, config.Access.Roles[0], *config.Fields[1].MaxLength, config.Fields[5].Enum[0] = "x", "x", 99, "x"
	if after := described(t, c); after != before {
		t.Errorf("the class changed from\n%s to\n%s", before, after)
	}
	d := c.Describe()
	d.Fields[0].Name, d.Roles[0], *d.Fields[1].MaxLength = "x", "x", 99
	if after := described(t, c); after != before {
		t.Errorf("the class changed from\n%s to\n%s", before, after)
	}
}

func TestAccess(t *testing.T) {
	for _, test := range []struct {
		access        events.Access
		kind          string
		anonymous     bool
		member, admin bool
	}{
		{events.Access{}, events.AccessAuthenticated, false, true, true},
		{events.Access{Public: true}, events.AccessPublic, true, true, true},
		{events.Access{Public: true, Roles: []string{"admin"}}, events.AccessPublic, true, true, true},
		{events.Access{Roles: []string{"x", "admin"}}, events.AccessRoles, false, false, true},
	} {
		got := []bool{test.access.Allows("anonymous", false), test.access.Allows("member", true), test.access.Allows("admin", true)}
		if want := []bool{test.anonymous, test.member, test.admin}; !slices.Equal(got, want) || test.access.Kind() != test.kind {
			t.Errorf("%+v is %s and allows anonymous, member, admin: %v; want %s, %v", test.access, test.access.Kind(), got, test.kind, want)
		}
	}
}

// described returns the description of a class as JSON.
func described(t *testing.T, c *events.Class) string {
	t.Helper()
	b, err := json.Marshal(c.Describe())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDescribe(t *testing.T) {
	config := order()
	config.About = "A customer placed an order."
	config.Access.Roles = []string{"member"}
	config.Unknown = events.UnknownReject
	config.Retain = events.Retain{Events: 100, For: time.Hour}
	config.Fields = config.Fields[:12]
	got := described(t, class(t, config))
	for _, want := range []string{
		`{"name":"order.created","about":"A customer placed an order.","access":"roles","roles":["member"],"fields":[{"name":"id",`,
		`{"name":"customer","type":"string","required":true,"expected":"a string of 1 to 10 characters","minLength":1,"maxLength":10}`,
		`{"name":"total","type":"number","required":false,"expected":"a number of 0 to 1e6","min":0,"max":1000000}`,
		`"enum":["new","sent","done"]`,
		`"enum":[1,2,3]`,
		`"enum":[0.5,1]`,
		`"pattern":"^[A-Z]{2}$"`,
		`"fields":[{"name":"city","type":"string","required":true,"expected":"a string"},`,
		`"minItems":1,"maxItems":3,"items":{"type":"object",`,
		`"unknown":"reject","channel":"customer","retained":true,"keepEvents":100,"keepSeconds":3600}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the description lacks %s:\n%s", want, got)
		}
	}
}

func ExampleClass_Check() {
	cat, err := events.NewCatalogue([]events.ClassConfig{{
		Name: "order.created",
		Fields: []events.FieldConfig{
			{Name: "customer", Type: events.String, Required: true},
			{Name: "total", Type: events.Number, Min: "0"},
		},
		Channel: "customer",
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cat.Class("order.created")
	channel, err := c.Check([]byte(`{"customer": "ada", "total": 12.5}`))
	fmt.Println(c.Topic(channel), err)
	_, err = c.Check([]byte(`{"customer": "ada", "total": -3}`))
	fmt.Println(err)
	// Output:
	// order.created.ada <nil>
	// order.created: field total: expected a number of at least 0, found -3
}
