package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on what an operator may define.
const (
	maxNameLen    = 200     // bytes in the name of a class
	maxFieldLen   = 128     // bytes in the name of a field
	maxFields     = 256     // fields of one object
	maxPatternLen = 1000    // bytes in a pattern
	maxEnum       = 1000    // values of one enum
	maxNesting    = 16      // objects and arrays in one another
	maxRetained   = 1 << 30 // events in one log
)

// A ClassConfig is what an operator defines about an event class.
type ClassConfig struct {
	// Name is the class's name, and a topic: one or more words of ASCII
	// letters, digits, '_' and '-', joined by dots; at most 200 bytes; not
	// under "wamp" or "wireroom".
	Name string

	About  string // what such an event means, for people
	Access Access // who may receive such events

	Fields  []FieldConfig // of the event's data, at most 256
	Unknown Unknown       // what becomes of data with other fields

	// Channel is the name of a field of type string, int or bool. Each of its
	// values has a topic of its own below the class's: "order.created.ada".
	// Empty: the class has no channels.
	Channel string

	Retain Retain // how much of the past is kept

	// Persistent is how long subscriptions may outlive their sessions, as those
	// of a client: 1 minute to 10 years, only with Retain; 0: not at all.
	Persistent time.Duration

	Delivery Delivery // how events reach slow subscribers
	Presence bool     // whoever may receive the events may know who else does
}

// A Type is the type of a field.
type Type string

// The types of fields.
const (
	String Type = "string"
	Int    Type = "int"    // of -2^63 to 2^63-1, written without fraction and exponent
	Number Type = "number" // any that a 64-bit float can hold
	Bool   Type = "bool"
	Time   Type = "time" // a string with a date and time as in RFC 3339
	Object Type = "object"
	Array  Type = "array"
)

// Types has every [Type].
var Types = []Type{String, Int, Number, Bool, Time, Object, Array}

// A FieldConfig is what an operator defines about a field of the data. Null
// in a field that is not required is the same as its absence.
type FieldConfig struct {
	Name     string // unique in its object; empty in Items
	Type     Type
	Required bool // must be there and not null

	Min, Max json.Number // of an int or number, inclusive; empty: no limit

	MinLength, MaxLength *int // of a string, in characters; nil: no limit
	MinItems, MaxItems   *int // of an array; nil: no limit

	// Enum has the values that a string, int or number may take: each a
	// string, int, int64, uint64, float64 or [json.Number]. Empty: any.
	Enum []any

	// Pattern is a regular expression (RE2) that a string must match
	// somewhere; begin it with ^ and end it with $ for the whole of it.
	Pattern string

	Fields []FieldConfig // of an object; empty: any
	Items  *FieldConfig  // what each item of an array must be; nil: anything
}

// Unknown says what becomes of data with fields that the class lacks.
type Unknown string

// What becomes of unknown fields. The zero value means [UnknownAllow].
const (
	UnknownAllow  Unknown = "allow"
	UnknownReject Unknown = "reject"
)

// Retain says how much of a class's past is kept. Events that fall outside
// either limit are removed, soon but not at once. With both zero the class has
// no log at all.
type Retain struct {
	Events int           // how many, up to 2^30; 0: any number
	For    time.Duration // how long, at least 1s; 0: for ever
}

// Retained reports whether there is a log.
func (r Retain) Retained() bool { return r.Events > 0 || r.For > 0 }

// First returns the offset at which a log with the bounds begins at the time now
// once what falls outside r is gone: b.First if nothing is to go, b.Next if
// everything is. It calls from only if age matters, which returns the offset of
// the first event that is not older than t, or b.Next if there is none. The error
// is that of from.
func (r Retain) First(b Bounds, now time.Time, from func(t time.Time) (uint64, error)) (first uint64, err error) {
	first = b.First
	if r.Events > 0 && b.Next-b.First > uint64(r.Events) {
		first = b.Next - uint64(r.Events)
	}
	if r.For > 0 {
		young, err := from(now.Add(-r.For))
		if err != nil {
			return 0, err
		}
		first = max(first, young)
	}
	return first, nil
}

// Access says who may receive the events of a class. The zero value lets in
// whoever is authenticated.
type Access struct {
	Public bool     // everyone
	Roles  []string // only these roles, unless Public; empty: whoever is authenticated
}

// Names of the kinds of access.
const (
	AccessPublic        = "public"
	AccessAuthenticated = "authenticated"
	AccessRoles         = "roles"
)

// Kind returns [AccessPublic], [AccessAuthenticated] or [AccessRoles].
func (a Access) Kind() string {
	switch {
	case a.Public:
		return AccessPublic
	case len(a.Roles) > 0:
		return AccessRoles
	default:
		return AccessAuthenticated
	}
}

// Allows reports whether a session of the role may receive events, where
// authenticated says that the gateway knows who it is. It does not allocate.
func (a Access) Allows(role string, authenticated bool) bool {
	switch {
	case a.Public:
		return true
	case len(a.Roles) > 0:
		return slices.Contains(a.Roles, role)
	default:
		return authenticated
	}
}

// Validate reports everything that is wrong with the class by itself. A path
// is named as in the configuration file, relative to the class, such as
// "fields.total.min"; [CheckClasses] also looks at classes side by side.
func (c *ClassConfig) Validate(report func(path string, err error)) {
	if err := checkName(c.Name); err != nil {
		report("", err)
	}
	for i, role := range c.Access.Roles {
		if role == "" {
			report(fmt.Sprintf("access[%d]", i), errors.New("expected the name of a role, found an empty text"))
		}
	}
	checkFields("fields", c.Fields, 1, report)
	switch c.Unknown {
	case "", UnknownAllow, UnknownReject:
	default:
		report("unknown", fmt.Errorf("must be allow or reject, not %s", quote(string(c.Unknown))))
	}
	if c.Channel != "" {
		c.checkNaming("channel", c.Channel, report)
	}
	c.checkDelivery(report)
	if c.Retain.Events < 0 || c.Retain.Events > maxRetained {
		report("retain.events", fmt.Errorf("must be in 0 to %d, not %d", maxRetained, c.Retain.Events))
	}
	if c.Retain.For != 0 && c.Retain.For < time.Second {
		report("retain.for", fmt.Errorf("must be at least 1s, not %v", c.Retain.For))
	}
	switch {
	case c.Persistent == 0:
	case c.Persistent < MinPersistentFor || c.Persistent > MaxPersistentFor:
		report("persistent", fmt.Errorf("must be in %v to %v, not %v", MinPersistentFor, MaxPersistentFor, c.Persistent))
	case !c.Retain.Retained():
		report("persistent", errors.New("expected only with retain, found without: there is no past to come back to"))
	}
}

// checkNaming looks at the name of a field whose values name something: at path
// there must be a field whose equal values are written alike.
func (c *ClassConfig) checkNaming(path, name string, report func(path string, err error)) {
	i := slices.IndexFunc(c.Fields, func(f FieldConfig) bool { return f.Name == name })
	if i < 0 {
		report(path, fmt.Errorf("expected the name of a field, found %s, and there is no such field", quote(name)))
		return
	}
	switch t := c.Fields[i].Type; t {
	case String, Int, Bool:
	default:
		report(path, fmt.Errorf("expected a field of type string, int or bool, found %s, which has the type %s", name, t))
	}
}

// checkName says what is wrong with the name of a class.
func checkName(name string) error {
	if name == "" || len(name) > maxNameLen {
		return fmt.Errorf("expected a class name of 1 to %d bytes, found %d", maxNameLen, len(name))
	}
	first, _, _ := strings.Cut(name, ".")
	if first == "wamp" || first == "wireroom" {
		return fmt.Errorf("expected a class name that begins with another word, found %q, which belongs to the gateway", first)
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" {
			return fmt.Errorf("expected a class name of words joined by single dots, found %s", quote(name))
		}
		for _, r := range word {
			if !isWordChar(r) {
				return fmt.Errorf("expected a class name of letters a-z and A-Z, digits, '_', '-' and dots, found %q", r)
			}
		}
	}
	return nil
}

func isWordChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// checkFields looks at the fields of one object.
func checkFields(path string, fields []FieldConfig, depth int, report func(path string, err error)) {
	if len(fields) > maxFields {
		report(path, fmt.Errorf("must be at most %d fields, not %d", maxFields, len(fields)))
		return
	}
	seen := make(map[string]bool, len(fields))
	for i := range fields {
		f := &fields[i]
		at := path + "." + f.Name
		if err := checkFieldName(f.Name); err != nil {
			report(at, err)
		}
		if seen[f.Name] {
			report(at, errors.New("expected each field once, found it again"))
		}
		seen[f.Name] = true
		f.check(at, depth, report)
	}
}

// checkFieldName rules out names that would make the path of a field unclear.
func checkFieldName(name string) error {
	switch {
	case name == "" || len(name) > maxFieldLen:
		return fmt.Errorf("expected a field name of 1 to %d bytes, found %d", maxFieldLen, len(name))
	case !utf8.ValidString(name):
		return errors.New("expected a field name in UTF-8, found other bytes")
	}
	for _, r := range name {
		if strings.ContainsRune(`.[]"\`, r) || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return fmt.Errorf(`expected a field name without white space and . [ ] " \, found %q`, r)
		}
	}
	return nil
}

// check looks at one field; depth is how deep it is nested, from 1.
func (f *FieldConfig) check(at string, depth int, report func(path string, err error)) {
	if !slices.Contains(Types, f.Type) {
		if f.Type == "" {
			report(at, fmt.Errorf("expected a type, one of %s, found none", typeNames()))
		} else {
			report(at+".type", fmt.Errorf("must be one of %s, not %s", typeNames(), quote(string(f.Type))))
		}
		return
	}
	if depth > maxNesting {
		report(at, fmt.Errorf("expected at most %d levels of fields, found more", maxNesting))
		return
	}
	misplaced := func(key string, set bool, types ...Type) {
		if set && !slices.Contains(types, f.Type) {
			report(at+"."+key, fmt.Errorf("expected only with the type %s, found with %s", joinTypes(types), f.Type))
		}
	}
	misplaced("min", f.Min != "", Int, Number)
	misplaced("max", f.Max != "", Int, Number)
	misplaced("min_length", f.MinLength != nil, String)
	misplaced("max_length", f.MaxLength != nil, String)
	misplaced("min_items", f.MinItems != nil, Array)
	misplaced("max_items", f.MaxItems != nil, Array)
	misplaced("enum", len(f.Enum) > 0, String, Int, Number)
	misplaced("pattern", f.Pattern != "", String)
	misplaced("fields", len(f.Fields) > 0, Object)
	misplaced("items", f.Items != nil, Array)

	f.checkRange(at, report)
	checkCounts(at, "length", f.MinLength, f.MaxLength, report)
	checkCounts(at, "items", f.MinItems, f.MaxItems, report)
	f.checkEnum(at, report)
	if len(f.Pattern) > maxPatternLen {
		report(at+".pattern", fmt.Errorf("must have at most %d bytes, not %d", maxPatternLen, len(f.Pattern)))
	} else if _, err := regexp.Compile(f.Pattern); err != nil {
		report(at+".pattern", fmt.Errorf("expected a regular expression (RE2), found %s: %w", quote(f.Pattern), err))
	}
	checkFields(at+".fields", f.Fields, depth+1, report)
	if f.Items != nil {
		if f.Items.Name != "" {
			report(at+".items", fmt.Errorf("expected items without a name, found %s", quote(f.Items.Name)))
		}
		f.Items.check(at+".items", depth+1, report)
	}
}

func (f *FieldConfig) checkRange(at string, report func(path string, err error)) {
	if f.Type != Int && f.Type != Number {
		return
	}
	lo, errLo := parseLimit(f.Type, f.Min)
	hi, errHi := parseLimit(f.Type, f.Max)
	if errLo != nil {
		report(at+".min", errLo)
	}
	if errHi != nil {
		report(at+".max", errHi)
	}
	if errLo == nil && errHi == nil && f.Min != "" && f.Max != "" && hi.less(lo) {
		report(at+".max", fmt.Errorf("must be at least min, %s, not %s", f.Min, f.Max))
	}
}

func checkCounts(at, what string, lo, hi *int, report func(path string, err error)) {
	if lo != nil && *lo < 0 {
		report(at+".min_"+what, fmt.Errorf("must be at least 0, not %d", *lo))
	}
	switch {
	case hi == nil:
	case *hi < 0:
		report(at+".max_"+what, fmt.Errorf("must be at least 0, not %d", *hi))
	case lo != nil && *hi < *lo:
		report(at+".max_"+what, fmt.Errorf("must be at least min_%s, %d, not %d", what, *lo, *hi))
	}
}

func (f *FieldConfig) checkEnum(at string, report func(path string, err error)) {
	if f.Type != String && f.Type != Int && f.Type != Number {
		return
	}
	if len(f.Enum) > maxEnum {
		report(at+".enum", fmt.Errorf("must be at most %d values, not %d", maxEnum, len(f.Enum)))
		return
	}
	for i, v := range f.Enum {
		if _, err := enumValue(f.Type, v); err != nil {
			report(fmt.Sprintf("%s.enum[%d]", at, i), err)
		}
	}
}

func typeNames() string { return joinTypes(Types) }

func joinTypes(types []Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}
