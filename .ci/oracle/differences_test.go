package oracle

import (
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// Where queries say something else than cel-go, which generated ones therefore
// have not. If one of these is the same some day, the generator need not keep
// away from it, and the document not name it.
func TestDifferences(t *testing.T) {
	env := newEnv(t)
	for _, test := range []struct {
		text, data string
		class      bool
		cel, want  query.Truth
	}{
		// An integer and a double beyond 2^53.
		{text: `data.a == 9007199254740992.0`, data: `{"a":9007199254740993}`, cel: query.True, want: query.False},
		{text: `data.a < 9007199254740993`, data: `{"a":9007199254740992.0}`, cel: query.False, want: query.True},
		{text: `data.a >= 9223372036854775808.0`, data: `{"a":9223372036854775807}`, cel: query.True, want: query.False},
		{text: `18446744073709551616.0 in data.a`, data: `{"a":[18446744073709551615]}`, cel: query.True, want: query.False},
		// An empty string is no list.
		{text: `data.a.exists(x, x == 1)`, data: `{"a":""}`, cel: query.False, want: query.Unknown},
		// Times that a class declares: those before 1678 are all alike, those after
		// 2261 too, and in lists and objects as a whole they are strings.
		{text: `data.ats.exists(x, x != data.at)`, data: `{"at":"1500-01-01T00:00:00Z","ats":["1501-01-01T00:00:00Z"]}`, class: true, cel: query.True, want: query.False},
		{text: `data.ats == data.list`, data: `{"ats":["2026-01-02T03:04:05Z"],"list":["2026-01-02T03:04:05Z"]}`, class: true, cel: query.False, want: query.True},
	} {
		e := newSampled(t, query.Meta{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, test.data, test.class)
		if got := celSays(program(t, env, test.text), e.activation); got != test.cel {
			t.Errorf("%s of %s: cel-go says %v, and said %v", test.text, test.data, got, test.cel)
		}
		if got := querytest.Parse(t, test.text).Eval(e.sample); got != test.want {
			t.Errorf("%s of %s: is %v, want %v", test.text, test.data, got, test.want)
		}
	}
	if _, issues := env.Parse(`data.a.exists(.x, x == 1)`); issues.Err() != nil {
		t.Errorf("cel-go does not take a dot before the name for the element any more: %v", issues.Err())
	}
	if _, err := query.Parse(`data.a.exists(.x, x == 1)`, generous()); err == nil {
		t.Error("a dot before the name for the element is read")
	}
	for _, text := range []string{`has(data)`, `has(data["a b"])`} {
		if _, issues := env.Parse(text); issues.Err() == nil {
			t.Errorf("%s: cel-go takes it", text)
		}
		querytest.Parse(t, text)
	}
}
