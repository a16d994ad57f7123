package cesql

import (
	"strconv"
	"strings"
)

// A Kind is the type of a [Value].
type Kind uint8

// The types of values. Nothing is what no expression can have: the value of a
// field that is there and is no attribute, such as an object.
const (
	Nothing Kind = iota
	String
	Integer
	Boolean

	// Number is a number of an event that is no Integer, because it is not
	// whole or needs more than 32 bits. It can be compared with Integers and is
	// neither cast to one nor calculated with. Cast to a String, it is written
	// out in decimal; as a Boolean it is true.
	Number
)

// A Value is what an expression has for an event, or what an attribute is.
type Value struct {
	Kind    Kind
	String  string
	Integer int32
	Boolean bool
	Number  float64
}

// StringValue returns a String.
func StringValue(s string) Value { return Value{Kind: String, String: s} }

// IntegerValue returns an Integer.
func IntegerValue(i int32) Value { return Value{Kind: Integer, Integer: i} }

// BooleanValue returns a Boolean.
func BooleanValue(b bool) Value { return Value{Kind: Boolean, Boolean: b} }

// NumberValue returns a number that an event has, as an Integer if it is one.
func NumberValue(f float64) Value {
	if i := int32(max(min(f, 1<<31-1), -1<<31)); float64(i) == f {
		return IntegerValue(i)
	}
	return Value{Kind: Number, Number: f}
}

// float returns the number that an Integer or a Number is.
func (v Value) float() float64 {
	if v.Kind == Integer {
		return float64(v.Integer)
	}
	return v.Number
}

// Text casts the value to a String, which always succeeds.
func (v Value) Text() string {
	switch v.Kind {
	case Integer:
		return strconv.Itoa(int(v.Integer))
	case Boolean:
		return strconv.FormatBool(v.Boolean)
	case Number:
		return strconv.FormatFloat(v.Number, 'f', -1, 64)
	}
	return v.String
}

// Cast returns the value as one of another type: String, Integer or Boolean. A
// Number is left as it is by a cast to Integer. The error is an [*Error] about
// the cast, beside the zero value of the type.
func (v Value) Cast(to Kind) (Value, error) {
	if v.Kind == to {
		return v, nil
	}
	switch to {
	case String:
		return StringValue(v.Text()), nil
	case Integer:
		switch v.Kind {
		case Boolean:
			if v.Boolean {
				return IntegerValue(1), nil
			}
			return IntegerValue(0), nil
		case Number:
			return v, nil
		}
		i, err := strconv.ParseInt(v.String, 10, 32)
		if err != nil {
			return IntegerValue(0), failed(CastError, "expected an Integer, found %q", v.String)
		}
		return IntegerValue(int32(i)), nil
	case Boolean:
		switch v.Kind {
		case Integer:
			return BooleanValue(v.Integer != 0), nil
		case Number:
			return BooleanValue(true), nil
		}
		switch strings.ToLower(v.String) {
		case "true":
			return BooleanValue(true), nil
		case "false":
			return BooleanValue(false), nil
		}
		return BooleanValue(false), failed(CastError, "expected true or false, found %q", v.String)
	}
	return v, nil
}

// zero returns what an expression of the type is when it fails.
func zero(k Kind) Value { return Value{Kind: k} }
