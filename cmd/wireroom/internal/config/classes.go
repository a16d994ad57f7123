package config

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/events"
)

// maxRetain is the most that retain.for can say: a hundred years.
const maxRetain = 100 * 365 * day

// class reads an event class.
func (d *decoder) class(name string, n *yaml.Node, path string) events.ClassConfig {
	c := events.ClassConfig{Name: name}
	d.object(n, path, func(o *object) {
		o.string("about", &c.About)
		o.access("access", &c.Access)
		c.Fields = o.fields("fields", 0)
		unknown := string(events.UnknownAllow)
		o.oneOf("unknown", &unknown, string(events.UnknownAllow), string(events.UnknownReject))
		c.Unknown = events.Unknown(unknown)
		o.string("channel", &c.Channel)
		o.sub("retain", func(o *object) {
			o.integer("events", &c.Retain.Events, 0, 1<<30)
			o.duration("for", &c.Retain.For, 0, maxRetain)
		})
		o.persistent("persistent", &c.Persistent)
		o.boolean("presence", &c.Presence)
		o.delivery(&c.Delivery)
	})
	return c
}

// persistentFor is how long persistent subscriptions outlive their sessions,
// unless the class says it.
const persistentFor = 30 * day

// persistent reads whether a class has persistent subscriptions, and for how
// long.
func (o *object) persistent(key string, v *time.Duration) {
	n, path := o.take(key, "bool or mapping", "false")
	switch {
	case n == nil && !o.d.describe:
	case n != nil && isScalar(n, "!!bool"):
		if n.Value == "true" {
			*v = persistentFor
		}
	case n != nil && n.Kind != yaml.MappingNode:
		o.d.reportf(n, path, "expected true, false or a mapping with the key expires, found %s", describeNode(n))
	default:
		*v = persistentFor
		o.d.object(n, path, func(o *object) {
			o.duration("expires", v, events.MinPersistentFor, events.MaxPersistentFor)
		})
	}
}

// access reads who may receive the events of a class.
func (o *object) access(key string, a *events.Access) {
	n, path := o.take(key, "public, authenticated or list of roles", events.AccessAuthenticated)
	if n == nil {
		return
	}
	const expected = "public, authenticated or a list of roles"
	switch {
	case isScalar(n, "!!str") && n.Value == events.AccessPublic:
		*a = events.Access{Public: true}
	case isScalar(n, "!!str") && n.Value == events.AccessAuthenticated:
		*a = events.Access{}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		for i, el := range n.Content {
			p := path + "[" + strconv.Itoa(i) + "]"
			el, ok := o.d.visit(el, p)
			if !ok {
				continue
			}
			if !isScalar(el, "!!str") {
				o.d.reportf(el, p, "expected the name of a role, found %s", describeNode(el))
				continue
			}
			a.Roles = append(a.Roles, el.Value)
		}
	case n.Kind == yaml.SequenceNode:
		o.d.reportf(n, path, "expected %s, found an empty list", expected)
	default:
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
	}
}

// fields reads the fields of an object, which is depth objects deep.
func (o *object) fields(key string, depth int) []events.FieldConfig {
	if o.d.describe && depth > 0 {
		o.take(key, "mapping of <field>, as above", "")
		return nil
	}
	var fields []events.FieldConfig
	o.each(key, "field", func(name string, n *yaml.Node, path string) {
		f := o.d.field(n, path, depth)
		f.Name = name
		fields = append(fields, f)
	})
	return fields
}

// field reads one field.
func (d *decoder) field(n *yaml.Node, path string, depth int) events.FieldConfig {
	var f events.FieldConfig
	d.object(n, path, func(o *object) {
		names := make([]string, len(events.Types))
		for i, t := range events.Types {
			names[i] = string(t)
		}
		var kind string
		o.oneOf("type", &kind, names...)
		o.required("type", "one of "+strings.Join(names, ", "))
		f.Type = events.Type(kind)
		o.boolean("required", &f.Required)
		o.number("min", &f.Min)
		o.number("max", &f.Max)
		o.count("min_length", &f.MinLength)
		o.count("max_length", &f.MaxLength)
		o.count("min_items", &f.MinItems)
		o.count("max_items", &f.MaxItems)
		o.scalars("enum", &f.Enum)
		o.string("pattern", &f.Pattern)
		f.Fields = o.fields("fields", depth+1)
		if items, p := o.take("items", "field, as above", ""); items != nil {
			item := d.field(items, p, depth+1)
			f.Items = &item
		}
	})
	return f
}

// count reads a number of things.
func (o *object) count(key string, v **int) {
	if !o.has(key) && !o.d.describe {
		o.known = append(o.known, key)
		return
	}
	var n int
	def := ""
	o.integerOr(key, &n, 0, 1<<30, def)
	if o.has(key) {
		*v = &n
	}
}

// scalars reads a list of texts and numbers. Numbers stay as they are written.
func (o *object) scalars(key string, v *[]any) {
	o.list(key, "list of strings or numbers", "", func(n *yaml.Node, path string) {
		switch {
		case n == nil:
		case isScalar(n, "!!str"):
			*v = append(*v, n.Value)
		case isScalar(n, "!!int", "!!float"):
			if num, ok := jsonNumber(n.Value); ok {
				*v = append(*v, num)
				return
			}
			fallthrough
		default:
			o.d.reportf(n, path, "expected a text or a number, found %s", describeNode(n))
		}
	})
}

// jsonNumber returns a YAML number as JSON writes it, and false for those
// that JSON lacks.
func jsonNumber(s string) (json.Number, bool) {
	s = strings.ReplaceAll(s, "_", "")
	if _, err := strconv.ParseInt(s, 10, 64); err == nil && json.Valid([]byte(s)) {
		return json.Number(s), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f-f != 0 { // not a number, or infinite
		return "", false
	}
	if json.Valid([]byte(s)) {
		return json.Number(s), true
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), true
}
