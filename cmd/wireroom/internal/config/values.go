package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// scalar returns the value of a key that must be a scalar of one of the tags.
func (o *object) scalar(key, kind, def, expected string, tags ...string) (value string, n *yaml.Node, path string) {
	n, path = o.take(key, kind, def)
	if n == nil {
		return "", nil, path
	}
	if !isScalar(n, tags...) {
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
		return "", nil, path
	}
	return n.Value, n, path
}

// string reads a text.
func (o *object) string(key string, v *string) {
	if s, n, _ := o.scalar(key, "string", *v, "a text", "!!str"); n != nil {
		*v = s
	}
}

// uri reads a text that is a URI. It does not check it.
func (o *object) uri(key string, v *wamp.URI) {
	s := string(*v)
	o.string(key, &s)
	*v = wamp.URI(s)
}

// boolean reads true or false.
func (o *object) boolean(key string, v *bool) {
	if _, n, _ := o.scalar(key, "bool", strconv.FormatBool(*v), "true or false", "!!bool"); n != nil {
		*v = isTrue(n)
	}
}

// isTrue reports whether a node that is a bool is true.
func isTrue(n *yaml.Node) bool { return strings.EqualFold(n.Value, "true") }

// integer reads an integer in low to high.
func (o *object) integer(key string, v *int, low, high int) {
	o.integerOr(key, v, low, high, strconv.Itoa(*v))
}

// integerOr is integer with another text for the default.
func (o *object) integerOr(key string, v *int, low, high int, def string) {
	expected := fmt.Sprintf("an integer in %d to %d", low, high)
	s, n, path := o.scalar(key, "int", def, expected, "!!int")
	if n == nil {
		return
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || i < int64(low) || i > int64(high) {
		o.d.reportf(n, path, "expected %s, found %s", expected, s)
		return
	}
	*v = int(i)
}

// number reads a number, as JSON writes it.
func (o *object) number(key string, v *json.Number) {
	s, n, path := o.scalar(key, "number", "", "a number", "!!int", "!!float")
	if n == nil {
		return
	}
	num, ok := jsonNumber(s)
	if !ok {
		o.d.reportf(n, path, "expected a number, found %s", s)
		return
	}
	*v = num
}

// size reads a number of bytes in low to high.
func (o *object) size(key string, v *int, low, high int) {
	expected := fmt.Sprintf("a size in %s to %s (512, 64KiB, 1MiB)", formatSize(int64(low)), formatSize(int64(high)))
	s, n, path := o.scalar(key, "size", formatSize(int64(*v)), expected, "!!int", "!!str")
	if n == nil {
		return
	}
	i, err := parseSize(s)
	if err != nil || i < int64(low) || i > int64(high) {
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
		return
	}
	*v = int(i)
}

// duration reads a duration in low to high.
func (o *object) duration(key string, v *time.Duration, low, high time.Duration) {
	expected := fmt.Sprintf("a duration in %s to %s (10s, 5m, 720h, 7d)", FormatDuration(low), FormatDuration(high))
	s, n, path := o.scalar(key, "duration", FormatDuration(*v), expected, "!!str")
	if n == nil {
		return
	}
	dur, err := ParseDuration(s)
	if err != nil || dur < low || dur > high {
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
		return
	}
	*v = dur
}

// oneOf reads one of the words.
func (o *object) oneOf(key string, v *string, words ...string) {
	expected := "one of " + strings.Join(words, ", ")
	if len(words) == 1 {
		expected = words[0]
	}
	s, n, path := o.scalar(key, "one of "+strings.Join(words, ", "), *v, expected, "!!str")
	if n == nil {
		return
	}
	if !slices.Contains(words, s) {
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
		return
	}
	*v = s
}

// strings reads a list of texts.
func (o *object) strings(key, kind string, v *[]string, def string) {
	var list []string
	read := false
	o.list(key, "list of "+kind, def, func(n *yaml.Node, path string) {
		read = true
		if n == nil {
			return
		}
		if !isScalar(n, "!!str") {
			o.d.reportf(n, path, "expected a text, found %s", describeNode(n))
			return
		}
		list = append(list, n.Value)
	})
	if read || o.has(key) {
		*v = slices.Clip(list)
		if *v == nil {
			*v = []string{}
		}
	}
}

// anyDuration reads a duration whose range a room checks.
func (o *object) anyDuration(key string, v *time.Duration) {
	const expected = "a duration (10s, 5m, 720h, 7d)"
	s, n, path := o.scalar(key, "duration", FormatDuration(*v), expected, "!!str")
	if n == nil {
		return
	}
	dur, err := ParseDuration(s)
	if err != nil {
		o.d.reportf(n, path, "expected %s, found %s", expected, describeNode(n))
		return
	}
	*v = dur
}

// patterns reads a list of URI patterns.
func (o *object) patterns(key string, v *[]auth.Pattern) {
	var texts []string
	o.strings(key, "patterns", &texts, "")
	for _, t := range texts {
		*v = append(*v, auth.Pattern(t))
	}
}
