package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseJSON reads one JSON value from what a person typed. Integers become
// int64 where they fit, so that they stay integers on every wire.
func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	v, err := readJSON(dec)
	if err != nil {
		return nil, fmt.Errorf("expected a JSON value, found %s: %w", quoteShort(text), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("expected one JSON value, found more in %s", quoteShort(text))
	}
	return v, nil
}

// readJSON reads the next value of a stream. The decoder must use json.Number.
func readJSON(dec *json.Decoder) (any, error) {
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return numbers(v), nil
}

// numbers replaces every json.Number in v, in place where it can, and returns
// the value.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// arguments turns a JSON value into WAMP arguments: a list is positional, an
// object is keyword, anything else is the only positional argument.
func arguments(v any) (args []any, kwargs map[string]any) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case map[string]any:
		// Not nil, which the client library would send as null.
		return []any{}, v
	}
	return []any{v}, nil
}

// quoteShort quotes text for an error message, at most its first 60 letters.
func quoteShort(text string) string {
	if r := []rune(text); len(r) > 60 {
		return fmt.Sprintf("%q…", string(r[:60]))
	}
	return fmt.Sprintf("%q", text)
}
