package query

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A Meta is what an event has besides its data.
type Meta struct {
	Class, ID, Topic string
	Time             time.Time
}

// A Sample is an event as [Query.Eval] takes it. It costs far more than what an
// [Index] makes of an event, and is for tests and explanations.
type Sample struct {
	meta Meta
	data item
}

// An item is a JSON value.
type item struct {
	value  Value // of a scalar
	list   []item
	fields map[string]item
	shape  shape
}

type shape uint8

const (
	scalar shape = iota
	list
	object
)

// NewSample returns an event with the data, a JSON object. An error says what
// is wrong with the data.
func NewSample(meta Meta, data []byte) (*Sample, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	it, err := decodeItem(d)
	if err != nil {
		return nil, fmt.Errorf("the data of the event: %w", err)
	}
	if it.shape != object {
		return nil, errors.New("the data of the event: expected a JSON object")
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errors.New("the data of the event: expected nothing behind the JSON object")
	}
	return &Sample{meta: meta, data: it}, nil
}

func decodeItem(d *jsontext.Decoder) (item, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return item{}, err
	}
	switch tok.Kind() {
	case 't', 'f':
		return item{value: BoolValue(tok.Bool())}, nil
	case '"':
		return item{value: StringValue(tok.String())}, nil
	case '0':
		v, err := parseNumber(tok.String())
		return item{value: v}, err
	case '[':
		it := item{shape: list}
		for d.PeekKind() != ']' {
			el, err := decodeItem(d)
			if err != nil {
				return item{}, err
			}
			it.list = append(it.list, el)
		}
		_, err := d.ReadToken()
		return it, err
	case '{':
		it := item{shape: object, fields: map[string]item{}}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return item{}, err
			}
			key := name.String()
			if it.fields[key], err = decodeItem(d); err != nil {
				return item{}, err
			}
		}
		_, err := d.ReadToken()
		return it, err
	}
	return item{}, nil // null
}

// parseNumber returns what a JSON number is: an integer if it is written as one
// and 64 bits hold it, and otherwise the nearest double.
func parseNumber(text string) (Value, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return IntValue(i), nil
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return UintValue(u), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Value{}, fmt.Errorf("expected a number that a double can hold, found %s", text)
	}
	return DoubleValue(f), nil
}
