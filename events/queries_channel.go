package events

import (
	"fmt"
	"slices"

	"github.com/wireroom/wireroom/events/query"
)

// OptionChannel is the option of a subscription that names a channel by its
// value.
const OptionChannel = "_channel"

// ChannelQuery returns the query that is true of the events of one channel of the
// class: a comparison of the field that the class's channels are of with value,
// as a decoder gives it. The error is an [*OptionError].
func (c *Class) ChannelQuery(value any) (*query.Query, error) {
	name := c.config.Channel
	if name == "" {
		return nil, &OptionError{OptionChannel, "a class with channels", c.name + ", which has none"}
	}
	i := slices.IndexFunc(c.config.Fields, func(f FieldConfig) bool { return f.Name == name })
	var literal string
	t := c.config.Fields[i].Type
	switch v := value.(type) {
	case string:
		if t == String && len(v) <= maxChannelLen {
			literal = quoteJSON(v)
		}
	case bool:
		if t == Bool {
			literal = fmt.Sprint(v)
		}
	case int, int64, uint64:
		if t == Int {
			literal = fmt.Sprint(v)
		}
	}
	if literal == "" {
		expected := map[Type]string{String: fmt.Sprintf("a string of at most %d bytes", maxChannelLen), Int: "an integer", Bool: "a bool"}[t]
		return nil, &OptionError{OptionChannel, fmt.Sprintf("%s, like the field %s of %s", expected, name, c.name), describeOption(value)}
	}
	return scope(fmt.Sprintf(`{"field":[%s],"op":"==","value":%s}`, quoteJSON(name), literal)), nil
}
