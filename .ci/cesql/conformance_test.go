package cesql

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// wantCases is how many cases the SDK of go.mod has.
const wantCases = 275

// A testCase is a case of the conformance files.
type testCase struct {
	Name       string
	Expression string
	Result     any
	Error      string

	// Event is the whole event, if it is given; Overrides changes one that has
	// everything that an event must have.
	Event     map[string]any
	Overrides map[string]any `yaml:"eventOverrides"`
}

// attributes returns what the event of a case has.
func (c *testCase) attributes() map[string]any {
	if c.Event != nil {
		return c.Event
	}
	event := map[string]any{"specversion": "1.0", "id": "A", "source": "http://example.com/source", "type": "com.example.full"}
	for k, v := range c.Overrides {
		event[k] = v
	}
	return event
}

// attributesOf has a map for an event.
func attributesOf(event map[string]any) cesql.Attributes {
	return func(name string) (cesql.Value, bool) {
		v, ok := event[name]
		switch v := v.(type) {
		case string:
			return cesql.StringValue(v), true
		case time.Time:
			return cesql.StringValue(v.Format(time.RFC3339Nano)), true
		case bool:
			return cesql.BooleanValue(v), true
		case int:
			return cesql.NumberValue(float64(v)), true
		case float64:
			return cesql.NumberValue(v), true
		}
		return cesql.Value{}, ok
	}
}

var errorKinds = map[string]cesql.ErrorKind{
	"math": cesql.MathError, "cast": cesql.CastError, "missingAttribute": cesql.MissingAttributeError,
	"missingFunction": cesql.MissingFunctionError, "functionEvaluation": cesql.FunctionEvaluationError,
}

// Every conformance case has the value that it should have, and the error.
func TestConformance(t *testing.T) {
	cases := conformanceCases(t)
	if len(cases) != wantCases {
		t.Errorf("found %d cases, want %d", len(cases), wantCases)
	}
	for _, c := range cases {
		e, err := cesql.Parse(c.Expression, 100)
		if (err != nil) != (c.Error == "parse") {
			t.Errorf("%s: %s: parsing says %v", c.Name, c.Expression, err)
		}
		if err != nil {
			continue
		}
		v, err := e.Eval(attributesOf(c.attributes()))
		var got any
		switch v.Kind {
		case cesql.String:
			got = v.String
		case cesql.Integer:
			got = int(v.Integer)
		case cesql.Boolean:
			got = v.Boolean
		}
		want := c.Result
		if at, ok := want.(time.Time); ok { // YAML takes it for one
			want = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %s is %#v, want %#v", c.Name, c.Expression, got, want)
		}
		failed, ok := errors.AsType[*cesql.Error](err)
		if want, wanted := errorKinds[c.Error]; ok != wanted || ok && failed.Kind != want {
			t.Errorf("%s: %s fails with %v, want %q", c.Name, c.Expression, err, c.Error)
		}
		again, err := cesql.Parse(e.String(), 100)
		if err != nil || again.String() != e.String() {
			t.Errorf("%s: %s is written as %s, and that is %v, %v", c.Name, c.Expression, e, again, err)
		}
	}
	t.Logf("%d cases evaluated", len(cases))
}

// conformanceCases reads the cases in the SDK's module.
func conformanceCases(t *testing.T) []testCase {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cloudevents/sdk-go/sql/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "test", "tck", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Tests []testCase }
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases = append(cases, file.Tests...)
	}
	return cases
}
