package events

import "github.com/wireroom/wireroom/events/query"

// Schema returns what queries need to know about the class. It must not be
// changed.
func (c *Class) Schema() *query.Schema { return c.schema }

func newSchema(c *ClassConfig) *query.Schema {
	closed := c.Unknown == UnknownReject
	return &query.Schema{
		Class: c.Name,
		Data:  query.Type{Kind: query.ObjectType, Fields: schemaFields(c.Fields, closed), Closed: closed},
	}
}

func schemaFields(fields []FieldConfig, closed bool) []query.Field {
	list := make([]query.Field, len(fields))
	for i := range fields {
		list[i] = query.Field{Name: fields[i].Name, Type: schemaType(&fields[i], closed)}
	}
	return list
}

var schemaKinds = map[Type]query.TypeKind{
	String: query.StringType, Int: query.IntType, Number: query.NumberType, Bool: query.BoolType,
	Time: query.TimeType, Object: query.ObjectType, Array: query.ArrayType,
}

// schemaType returns the type of a field. An object of which no fields are
// declared may have any, whatever the class says of unknown ones.
func schemaType(f *FieldConfig, closed bool) query.Type {
	t := query.Type{Kind: schemaKinds[f.Type]}
	if len(f.Fields) > 0 {
		t.Fields, t.Closed = schemaFields(f.Fields, closed), closed
	}
	if f.Items != nil {
		t.Items = new(schemaType(f.Items, closed))
	}
	return t
}
