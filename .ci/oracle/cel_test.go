package oracle

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// newEnv returns cel-go as queries have it: numbers of different types compare,
// and nothing is declared of the data.
func newEnv(t testing.TB) *cel.Env {
	t.Helper()
	env, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true), cel.Variable("data", cel.DynType),
		cel.Variable("class", cel.StringType), cel.Variable("id", cel.StringType),
		cel.Variable("topic", cel.StringType), cel.Variable("time", cel.TimestampType))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// program returns a query as cel-go has it. It is not checked: to look into a
// string for a field, say, is an error when it is run.
func program(t testing.TB, env *cel.Env, text string) cel.Program {
	t.Helper()
	ast, issues := env.Parse(text)
	if issues.Err() != nil {
		t.Fatalf("%s: %v", text, issues.Err())
	}
	p, err := env.Program(ast)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// celSays returns what cel-go says of an event.
func celSays(p cel.Program, activation cel.Activation) query.Truth {
	value, _, err := p.Eval(activation)
	if err != nil {
		return query.Unknown
	}
	switch value.Value() {
	case true:
		return query.True
	case false:
		return query.False
	}
	return query.Unknown
}

// A sampled is an event as a query takes it, and as cel-go takes it.
type sampled struct {
	meta       query.Meta
	data       string
	schema     *query.Schema // may be nil
	sample     *query.Sample
	activation cel.Activation
}

// newSampled makes an event, of the class that has times or of none.
func newSampled(t *testing.T, meta query.Meta, data string, class bool) sampled {
	t.Helper()
	e := sampled{meta: meta, data: data, sample: querytest.Sample(t, meta, data)}
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.UseNumber()
	var decoded map[string]any
	if err := d.Decode(&decoded); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	value := exact(t, decoded).(map[string]any)
	if class {
		e.schema = querytest.Schema
		var err error
		if e.sample, err = e.schema.NewSample(meta, []byte(data)); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		withTimes(value)
	}
	var err error
	e.activation, err = cel.NewActivation(map[string]any{
		"data": value, "class": meta.Class, "id": meta.ID, "topic": meta.Topic, "time": meta.Time,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// load reads the event in one of the three ways, always the same for it.
func (e *sampled) load(m *query.Matcher) error {
	switch data := []byte(e.data); {
	case e.schema == nil:
		return m.Load(e.meta, data)
	case len(data)%2 == 0:
		return m.LoadClass(e.schema, e.meta, data)
	default:
		return m.LoadChecked(e.schema, e.meta, data)
	}
}

// exact has numbers as they are, not as doubles.
func exact(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil && v.String() != "-0" {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		for i := range v {
			v[i] = exact(t, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(t, v[k])
		}
	}
	return v
}

// withTimes has timestamps where [querytest.Schema] declares them.
func withTimes(data map[string]any) {
	if at, ok := data["at"]; ok {
		data["at"] = asTime(at)
	}
	if list, ok := data["ats"].([]any); ok {
		for i := range list {
			list[i] = asTime(list[i])
		}
	}
}

func asTime(v any) any {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t
		}
	}
	return v
}
