package cesql

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/sql/v2/parser"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// wantFilters is how many of the cases that are expressions can be filters; the
// others ask what EQL cannot say.
const wantFilters = 260

// The cases that are accepted as filters let those events pass that the cases
// say.
func TestConformanceOfFilters(t *testing.T) {
	accepted := 0
	for _, c := range conformanceCases(t) {
		q, err := query.ParseCESQL([]byte(c.Expression), nil, query.DefaultOptions())
		if err != nil {
			if c.Error != "parse" {
				t.Logf("%s: %v", c.Expression, err)
			}
			continue
		}
		event := c.attributes()
		want := false
		if c.Error == "" {
			want = passes(t, c.Result)
		}
		if c.Expression == "EXISTS time" || c.Expression == "NOT EXISTS time" {
			want = c.Expression == "EXISTS time" // every event has one here
		}
		if got := q.Match(sample(t, event)); got != want {
			t.Errorf("%s: %s of %v is %v, want %v: %s", c.Name, c.Expression, event, got, want, q)
		}
		accepted++
	}
	t.Logf("%d cases are filters", accepted)
	if accepted != wantFilters {
		t.Errorf("%d cases are filters, want %d", accepted, wantFilters)
	}
}

// passes reports whether a result, as a Boolean, is true.
func passes(t *testing.T, result any) bool {
	t.Helper()
	v, _ := attributesOf(map[string]any{"result": result})("result")
	b, err := v.Cast(cesql.Boolean)
	return err == nil && b.Boolean
}

// sample returns an event that has the attributes.
func sample(t *testing.T, event map[string]any) *query.Sample {
	t.Helper()
	fields := maps.Clone(event)
	meta := query.Meta{Class: event["type"].(string), ID: event["id"].(string), Time: time.Date(2026, 1, 31, 12, 30, 15, 0, time.UTC)}
	for _, name := range []string{"type", "id", "time", "specversion", "datacontenttype"} {
		delete(fields, name)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	s, err := query.NewSample(meta, data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}

// Filters let those events pass for which the SDK's evaluation of the expression
// has no error and is, as a Boolean, true.
func TestFiltersSDK(t *testing.T) {
	g := draw(t)
	options := query.DefaultOptions()
	options.Limits.Text, options.Limits.Leaves, options.Limits.Depth = 1<<20, 2000, 100
	const each = 20
	accepted, refused, passed := 0, 0, 0
	for done := 0; done < *pairs; done += each {
		text := g.filter(2)
		q, err := query.ParseCESQL([]byte(text), nil, options)
		if err != nil {
			refused++
			continue
		}
		accepted++
		theirs, err := parser.Parse(text)
		if err != nil {
			t.Fatalf("%s: to the SDK: %v", text, err)
		}
		for range each {
			event := g.event()
			v, err := sdkSays(t, theirs.Evaluate, event)
			if err == nil {
				v, err = v.Cast(cesql.Boolean)
			}
			want := err == nil && v.Boolean
			if got := q.Match(sample(t, event)); got != want {
				t.Fatalf("%s\n%v\npasses: %v, and to the SDK: %v\n%s", text, event, got, want, q)
			}
			if want {
				passed++
			}
		}
	}
	t.Logf("%d filters accepted, %d refused, %d events passed", accepted, refused, passed)
}
