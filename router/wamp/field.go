package wamp

// A Field is one entry of Details that another room adds to a message, such as
// "_class". It holds a string, an unsigned integer or a boolean, without boxing
// it.
type Field struct {
	Key  string
	kind fieldKind
	num  uint64
	str  string
}

type fieldKind uint8

const (
	fieldString fieldKind = iota
	fieldUint
	fieldBool
)

// StringField returns the field key: v.
func StringField(key, v string) Field { return Field{Key: key, kind: fieldString, str: v} }

// UintField returns the field key: v. v is at most 2^53.
func UintField(key string, v uint64) Field { return Field{Key: key, kind: fieldUint, num: v} }

// BoolField returns the field key: v.
func BoolField(key string, v bool) Field {
	f := Field{Key: key, kind: fieldBool}
	if v {
		f.num = 1
	}
	return f
}
