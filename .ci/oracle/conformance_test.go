package oracle

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/parser"
	"cel.dev/expr"
	_ "cel.dev/expr/conformance/proto2" // messages that cases have
	_ "cel.dev/expr/conformance/proto3"
	conformance "cel.dev/expr/conformance/test"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/wireroom/wireroom/events/query"
)

// The cases of CEL's own suite that are queries say what they should, to the plain
// reading and to the index. Which ones run is in a list, so that none is
// skipped unnoticed, and how many in the document.
func TestConformance(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", "cel.dev/expr").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	place, version, _ := strings.Cut(strings.TrimSpace(string(dir)), " ")
	files, err := filepath.Glob(filepath.Join(place, "tests/simple/testdata/*.textproto"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files of cases in %s: %v", len(files), place, err)
	}
	var ran []string
	var tallies []tally
	why := map[outside]int{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file conformance.SimpleTestFile
		if err := prototext.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		count := tally{file: file.GetName()}
		for _, section := range file.GetSection() {
			for _, c := range section.GetTest() {
				name := file.GetName() + "/" + section.GetName() + "/" + c.GetName()
				written, err := runCase(t, name, c)
				if err == nil {
					count.run++
					if written {
						count.written++
					}
					ran = append(ran, name)
					continue
				}
				reason, ok := errors.AsType[outside](err)
				if !ok {
					t.Errorf("%s: %s: %v", name, c.GetExpr(), err)
				}
				count.skipped++
				why[reason]++
			}
		}
		tallies = append(tallies, count)
	}
	compare(t, runList, strings.Join(ran, "\n")+"\n")
	document(t, tables(version, tallies, why))
}

// lossy are cases in which CEL's suite has an integer and a double beyond 2^53
// compared as doubles. A query compares them exactly, and says the opposite.
var lossy = []string{
	"comparisons/lt_literal/not_lt_dyn_int_big_lossy_double", "comparisons/gt_literal/not_gt_dyn_big_double_int",
	"comparisons/lte_literal/lte_dyn_big_double_int", "comparisons/gte_literal/gte_dyn_int_big_lossy_double",
}

// runCase returns why a case is no query, or nil after it was run. written
// reports whether it was run as it is written, too.
func runCase(t *testing.T, name string, c *conformance.SimpleTest) (written bool, err error) {
	want, result, err := wanted(c)
	if err != nil {
		return false, err
	}
	celParser, err := parser.NewParser(parser.EnableOptionalSyntax(true), parser.EnableIdentEscapeSyntax(true))
	if err != nil {
		return false, err
	}
	parsed, issues := celParser.Parse(common.NewTextSource(c.GetExpr()))
	if len(issues.GetErrors()) > 0 {
		return false, noRejection
	}
	known := slices.Contains(lossy, name)
	if known {
		want = map[query.Truth]query.Truth{query.True: query.False, query.False: query.True}[want]
	}
	bindings, err := bindingsOf(c)
	if err != nil {
		return false, err
	}
	check := func(text string, q *query.Query, p *profile) {
		data := "{" + strings.Join(p.fields, ",") + "}"
		if err := says(q, data, want); err != nil {
			t.Errorf("%s: %s\nas %s of %s: %v", name, c.GetExpr(), text, data, err)
		}
	}
	for _, hoist := range []hoisting{hoistNeeded, hoistLeft, hoistAll} {
		p := &profile{hoist: hoist, names: slices.Collect(maps.Keys(c.GetBindings())), fields: slices.Clone(bindings)}
		text, err := p.whole(parsed.Expr(), result)
		if err != nil {
			return false, err
		}
		q, err := query.Parse(text, query.DefaultOptions())
		if err != nil {
			return false, refusal(text, err)
		}
		check(text, q, p)
	}
	p := &profile{fields: bindings}
	text := c.GetExpr()
	if result != nil {
		value, err := p.value(result)
		if err != nil {
			return false, err
		}
		text = "(" + text + "\n) == " + value
	}
	if q, err := query.Parse(text, query.DefaultOptions()); err == nil {
		check(text, q, p)
		written = true
	}
	if known {
		return false, noDoubles
	}
	return written, nil
}

// bindingsOf returns the values that a case gives to names, as fields.
func bindingsOf(c *conformance.SimpleTest) (fields []string, err error) {
	if c.GetContainer() != "" {
		return nil, noMessage
	}
	for name, value := range c.GetBindings() {
		text, err := jsonOfProto(value.GetValue())
		if err != nil {
			return nil, err
		}
		fields = append(fields, quoteJSON(name)+":"+text)
	}
	return fields, nil
}

// wanted returns what a case is to be. If it is to be a value that is no bool, it
// is to be equal to that.
func wanted(c *conformance.SimpleTest) (want query.Truth, result *expr.Value, err error) {
	if c.GetCheckOnly() {
		return 0, nil, noCheck
	}
	if c.GetDisableMacros() {
		return 0, nil, noMacrosAtAll
	}
	result = c.GetValue()
	switch m := c.GetResultMatcher().(type) {
	case *conformance.SimpleTest_EvalError, *conformance.SimpleTest_AnyEvalErrors:
		return query.Unknown, nil, nil
	case *conformance.SimpleTest_Unknown, *conformance.SimpleTest_AnyUnknowns:
		return 0, nil, noUnknown
	case *conformance.SimpleTest_TypedResult:
		result = m.TypedResult.GetResult()
	case nil:
		return query.True, nil, nil // the suite's default
	}
	if b, ok := result.GetKind().(*expr.Value_BoolValue); ok {
		return truthOf(b.BoolValue), nil, nil
	}
	return query.True, result, nil
}

func truthOf(b bool) query.Truth {
	if b {
		return query.True
	}
	return query.False
}

// refusal returns why a query is refused.
func refusal(text string, err error) error {
	e, ok := errors.AsType[*query.Error](err)
	switch {
	case ok && e.Limit:
		return noLimit
	case ok && strings.Contains(e.Text, "expected a time"):
		return noTimestamp
	}
	return fmt.Errorf("%s is refused: %w", text, err)
}

// says compares what a query says of data with what it should.
func says(q *query.Query, data string, want query.Truth) error {
	s, err := query.NewSample(query.Meta{}, []byte(data))
	if err != nil {
		return err
	}
	if got := q.Eval(s); got != want {
		return fmt.Errorf("it is %v, want %v", got, want)
	}
	ix := query.NewIndex(query.DefaultConfig())
	id, err := ix.Add(q)
	if errors.Is(err, query.ErrNoAnchor) {
		return nil
	}
	if err != nil {
		return err
	}
	m := ix.NewMatcher()
	defer m.Close()
	if err := m.Load(query.Meta{Time: time.Unix(0, 0)}, []byte(data)); err != nil {
		return err
	}
	if found := slices.Contains(m.Match(nil), id); found != (want == query.True) {
		return fmt.Errorf("the index finds it: %v, want %v", found, want)
	}
	return nil
}
