package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
)

// disclose reads who is named to whom.
func (o *object) disclose(key string, v *auth.Disclose) {
	o.sub(key, func(o *object) {
		o.disclosure("caller", &v.Caller)
		o.disclosure("publisher", &v.Publisher)
		if o.has("to_callee") || o.d.describe {
			var always bool
			o.inherit(func() { o.boolean("to_callee", &always) })
			v.ToCallee = &always
		} else {
			o.known = append(o.known, "to_callee")
		}
	})
}

// disclosure reads for which URIs somebody is named: true or false for all, or
// either for patterns.
func (o *object) disclosure(key string, v *map[auth.Pattern]bool) {
	const kind = "bool, or mapping of <pattern>"
	n, path := o.take(key, kind, "")
	switch {
	case n == nil || isNull(n):
	case isScalar(n, "!!bool"):
		*v = map[auth.Pattern]bool{"*": isTrue(n)}
	case n.Kind == yaml.MappingNode:
		*v = o.d.disclosures(n, path)
	default:
		o.d.reportf(n, path, "expected true, false or a mapping of patterns, found %s", describeNode(n))
	}
}

func (d *decoder) disclosures(n *yaml.Node, path string) map[auth.Pattern]bool {
	patterns := map[auth.Pattern]bool{}
	names := &object{d: d, path: path, node: n, items: map[string]item{}}
	if !names.load() {
		return patterns
	}
	for _, name := range names.order {
		p := join(path, name)
		value, ok := d.visit(names.items[name].value, p)
		switch {
		case !ok:
		case !isScalar(value, "!!bool"):
			d.reportf(value, p, "expected true or false, found %s", describeNode(value))
		default:
			patterns[auth.Pattern(name)] = isTrue(value)
			d.at[p] = names.items[name].key // what may be wrong with it is the pattern
		}
	}
	return patterns
}
