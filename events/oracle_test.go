package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wireroom/wireroom/events"
)

// valid says whether data matches a class, in the slowest and plainest way:
// jsontext judges the JSON, encoding/json decodes it, and then each value is
// held against its definition.
func valid(c events.ClassConfig, data []byte) bool {
	if !jsontext.Value(data).IsValid() || depth(data) > events.MaxDepth {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return false
	}
	object, ok := v.(map[string]any)
	return ok && numbersFit(v) && validObject(c.Fields, c.Unknown, object)
}

func depth(data []byte) (most int) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.ReadToken(); err != nil {
			return most
		}
		most = max(most, d.StackDepth())
	}
}

// numbersFit reports whether every number in v fits in a float64.
func numbersFit(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, err := v.Float64()
		return err == nil
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !numbersFit(item) })
	case map[string]any:
		for _, item := range v {
			if !numbersFit(item) {
				return false
			}
		}
	}
	return true
}

func validObject(fields []events.FieldConfig, unknown events.Unknown, object map[string]any) bool {
	known := make(map[string]bool)
	for _, f := range fields {
		known[f.Name] = true
		v := object[f.Name]
		if v == nil && f.Required || v != nil && !validValue(f, unknown, v) {
			return false
		}
	}
	for name := range object {
		if unknown == events.UnknownReject && !known[name] {
			return false
		}
	}
	return true
}

func validValue(f events.FieldConfig, unknown events.Unknown, v any) bool {
	switch f.Type {
	case events.String:
		s, ok := v.(string)
		n := utf8.RuneCountInString(s)
		return ok && within(f.MinLength, f.MaxLength, n) &&
			(f.Enum == nil || slices.Contains(f.Enum, any(s))) && regexp.MustCompile(f.Pattern).MatchString(s)
	case events.Time:
		s, ok := v.(string)
		b, err := json.Marshal(s)
		return ok && err == nil && json.Unmarshal(b, new(time.Time)) == nil
	case events.Bool:
		_, ok := v.(bool)
		return ok
	case events.Int:
		text, ok := v.(json.Number)
		n, err := text.Int64()
		if !ok || err != nil {
			return false
		}
		lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
		if f.Min != "" {
			lo, _ = f.Min.Int64()
		}
		if f.Max != "" {
			hi, _ = f.Max.Int64()
		}
		return lo <= n && n <= hi && oneOf(f.Enum, float64(n))
	case events.Number:
		text, ok := v.(json.Number)
		n, err := strconv.ParseFloat(string(text), 64)
		if !ok || err != nil {
			return false
		}
		lo, hi := math.Inf(-1), math.Inf(1)
		if f.Min != "" {
			lo, _ = f.Min.Float64()
		}
		if f.Max != "" {
			hi, _ = f.Max.Float64()
		}
		return lo <= n && n <= hi && oneOf(f.Enum, n)
	case events.Object:
		object, ok := v.(map[string]any)
		return ok && (f.Fields == nil || validObject(f.Fields, unknown, object))
	case events.Array:
		items, ok := v.([]any)
		if !ok || !within(f.MinItems, f.MaxItems, len(items)) {
			return false
		}
		for _, item := range items {
			if f.Items != nil && (item == nil || !validValue(*f.Items, unknown, item)) {
				return false
			}
		}
		return true
	}
	return false
}

func within(lo, hi *int, n int) bool { return (lo == nil || n >= *lo) && (hi == nil || n <= *hi) }

func oneOf(enum []any, n float64) bool {
	for _, v := range enum {
		if x, err := strconv.ParseFloat(fmt.Sprint(v), 64); err == nil && x == n {
			return true
		}
	}
	return enum == nil
}

// FuzzCheck holds Check against the slow way, and its errors to their promise.
func FuzzCheck(f *testing.F) {
	for _, more := range []string{
		`"total":12.5,"paid":true,"at":"2026-01-31T09:30:00.5Z","state":"new","size":2,"rate":0.5,"code":"NO","count":-9007199254740993`,
		`"address":{"city":"Oslo","zip":150,"x":null},"items":[{"price":1},{"price":2e-3}],"tags":["a","\u00e9"],"any":[[]],"free":{}`,
		`"total":-1`, `"count":1.0`, `"at":"x"`, `"items":[]`, `"address":{}`, `"a":1,"a":2`, `"a":"\ud834\udd1e"`, `"a":"\ud834"`, `"total":1e400`, `"a":[1e400]`,
	} {
		f.Add([]byte(`{"id":1,"customer":"ada",` + more + `}`))
	}
	f.Add([]byte(" {} "))
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(strings.Repeat(`{"free":`, 65) + strings.Repeat(`}`, 65)))
	open, closed := order(), order()
	closed.Unknown = events.UnknownReject
	classes := []*events.Class{class(f, open), class(f, closed)}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i, config := range []events.ClassConfig{open, closed} {
			before := bytes.Clone(data)
			channel, err := classes[i].Check(data)
			if !bytes.Equal(data, before) {
				t.Fatalf("Check changed the data to %q", data)
			}
			if want := valid(config, data); (err == nil) != want {
				t.Fatalf("Check(%q) with unknown fields %q: %v, want valid %v", data, config.Unknown, err, want)
			}
			if err == nil {
				if customer, ok := events.DecodeChannel(channel); !ok || channel == "" || customer == "" {
					t.Fatalf("Check(%q) gives the channel %q", data, channel)
				}
				continue
			}
			invalid, ok := err.(*events.InvalidError)
			if !ok || invalid.Code == "" || invalid.Expected == "" || invalid.Found == "" || len(invalid.More) > 7 ||
				invalid.Position < 0 || invalid.Position > len(data) || !utf8.ValidString(err.Error()) {
				t.Fatalf("Check(%q): %#v", data, err)
			}
			if len(err.Error()) > 16_000 {
				t.Fatalf("Check of %d bytes: an error of %d bytes", len(data), len(err.Error()))
			}
		}
	})
}
