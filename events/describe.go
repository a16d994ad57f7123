package events

import "slices"

// A Description describes a class to people and to programs that post events.
type Description struct {
	Name       string             `json:"name"`
	About      string             `json:"about,omitempty"`
	Access     string             `json:"access"`          // AccessPublic, AccessAuthenticated or AccessRoles
	Roles      []string           `json:"roles,omitempty"` // with AccessRoles
	Fields     []FieldDescription `json:"fields"`
	Unknown    Unknown            `json:"unknown"`           // what becomes of other fields
	Channel    string             `json:"channel,omitempty"` // the field that names the channel
	Retained   bool               `json:"retained"`
	KeepEvents int                `json:"keepEvents,omitempty"`        // how many are kept; 0: no limit
	KeepFor    float64            `json:"keepSeconds,omitempty"`       // how long; 0: no limit
	Persistent float64            `json:"persistentSeconds,omitempty"` // how long subscriptions may outlive their sessions; 0: not at all
	WhenFull   WhenFull           `json:"whenFull,omitempty"`          // for slow subscribers; empty: as their role says
	Key        string             `json:"key,omitempty"`               // the field of [Delivery.Key]
	Presence   bool               `json:"presence,omitempty"`          // as [Class.Presence]
}

// A FieldDescription describes one field. Its fields are those of
// [FieldConfig]; Expected says the same in words.
type FieldDescription struct {
	Name      string             `json:"name,omitempty"`
	Type      Type               `json:"type"`
	Required  bool               `json:"required"`
	Expected  string             `json:"expected"`
	Min       *float64           `json:"min,omitempty"`
	Max       *float64           `json:"max,omitempty"`
	MinLength *int               `json:"minLength,omitempty"`
	MaxLength *int               `json:"maxLength,omitempty"`
	MinItems  *int               `json:"minItems,omitempty"`
	MaxItems  *int               `json:"maxItems,omitempty"`
	Enum      []any              `json:"enum,omitempty"` // string, int64 or float64
	Pattern   string             `json:"pattern,omitempty"`
	Fields    []FieldDescription `json:"fields,omitempty"`
	Items     *FieldDescription  `json:"items,omitempty"`
}

// Describe returns a description of the class. It belongs to the caller.
func (c *Class) Describe() Description {
	config := c.config.clone()
	d := Description{
		Name:       c.name,
		About:      config.About,
		Access:     config.Access.Kind(),
		Fields:     describeFields(config.Fields),
		Unknown:    UnknownAllow,
		Channel:    config.Channel,
		Retained:   config.Retain.Retained(),
		KeepEvents: config.Retain.Events,
		KeepFor:    config.Retain.For.Seconds(),
		Persistent: config.Persistent.Seconds(),
		WhenFull:   config.Delivery.WhenFull,
		Key:        config.Delivery.Key,
		Presence:   config.Presence,
	}
	if d.Access == AccessRoles {
		d.Roles = config.Access.Roles
	}
	if config.Unknown == UnknownReject {
		d.Unknown = UnknownReject
	}
	return d
}

func describeFields(fields []FieldConfig) []FieldDescription {
	ds := make([]FieldDescription, len(fields))
	for i := range fields {
		ds[i] = describeField(&fields[i])
	}
	return ds
}

func describeField(c *FieldConfig) FieldDescription {
	d := FieldDescription{
		Name:      c.Name,
		Type:      c.Type,
		Required:  c.Required,
		Expected:  expected(c),
		MinLength: c.MinLength,
		MaxLength: c.MaxLength,
		MinItems:  c.MinItems,
		MaxItems:  c.MaxItems,
		Pattern:   c.Pattern,
	}
	if x, err := c.Min.Float64(); err == nil {
		d.Min = &x
	}
	if x, err := c.Max.Float64(); err == nil {
		d.Max = &x
	}
	for _, v := range c.Enum {
		e, _ := enumValue(c.Type, v)
		switch c.Type {
		case Int:
			d.Enum = append(d.Enum, e.i)
		case Number:
			d.Enum = append(d.Enum, e.f)
		default:
			d.Enum = append(d.Enum, e.text)
		}
	}
	d.Enum = slices.Clip(d.Enum)
	if len(c.Fields) > 0 {
		d.Fields = describeFields(c.Fields)
	}
	if c.Items != nil {
		d.Items = new(describeField(c.Items))
	}
	return d
}
