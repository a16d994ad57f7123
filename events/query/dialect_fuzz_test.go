package query_test

import (
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

// Whatever a dialect accepts is a query that can be written as EQL and as a JSON
// tree within the same limits, the length of the text excepted, and is the same
// query then.
func FuzzDialects(f *testing.F) {
	for _, s := range []string{
		`[{"prefix":{"type":"order.","a":"1"}},{"not":{"any":[{"exact":{"time":"2026-01-31T12:00:00Z"}},{"suffix":{"b":"x"}}]}}]`,
		`{"detail-type":["a",{"prefix":"b"}],"time":[{"prefix":"2026-01"}],"detail":{"a":{"b":["x",null,{"numeric":[">",0,"<=",5]},{"anything-but":{"suffix":["y"]}}]}}}`,
		`{"detail":{"$or":[{"a":[{"wildcard":"x*y*"}]},{"b":[{"exists":false},{"equals-ignore-case":"É"}]}]}}`,
		`[{"filter":{"a":1,"b__range":[1,"x"],"c__iregex":"^x"}},{"exclude":{"due__lt":"2026-01-31T12:00:00Z","d__in":[1,"x",null]}}]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, parse := range map[string]func([]byte, *query.Schema, query.Options) (*query.Query, error){
			"CloudEvents": query.ParseCloudEvents, "EventBridge": query.ParseEventBridge, "lookups": query.ParseLookups,
		} {
			for _, schema := range []*query.Schema{nil, orderSchema} {
				options := query.DefaultOptions()
				q, err := parse([]byte(text), schema, options)
				if err != nil {
					if e, ok := err.(*query.Error); !ok || e.Line < 1 || e.Column < 1 || e.Offset > len(text) || e.Text == "" {
						t.Fatalf("%s: %q: %#v", name, text, err)
					}
					continue
				}
				_ = q.Check(orderSchema)
				_, _ = q.Explain(sample(t, nil, `{"a":["x",{"b":1}],"b":{"a":"x"},"customer":5}`)), q.Tree()
				options.Limits.Text = 1 << 20
				again, err := query.Parse(q.String(), options)
				if err != nil || again.String() != q.String() || again.Hash() != q.Hash() {
					t.Fatalf("%s: %q is %s, and that %v, %v", name, text, q, again, err)
				}
				again, err = query.ParseJSON(q.JSON(), options)
				if err != nil || again.Hash() != q.Hash() {
					t.Fatalf("%s: %q is %s, and that %v, %v", name, text, q.JSON(), again, err)
				}
			}
		}
	})
}
