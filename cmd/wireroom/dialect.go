package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router/wamp"
)

// optionDialect is the option of a subscription that says in which language its
// _where is.
const optionDialect = "_dialect"

// A dialect is a language in which queries are written.
type dialect struct {
	name string
	// json says that a query is JSON: on the wire, a value or the text of one.
	json bool
	// parse reads a query. The schema is nil if nobody knows the fields.
	parse func(text []byte, schema *query.Schema, options query.Options) (*query.Query, error)
}

// dialects are all that there are; the first one is the default.
var dialects = []dialect{
	{"eql", false, func(text []byte, _ *query.Schema, options query.Options) (*query.Query, error) {
		return query.Parse(string(text), options)
	}},
	{"json", true, func(text []byte, _ *query.Schema, options query.Options) (*query.Query, error) {
		return query.ParseJSON(text, options)
	}},
	{"cloudevents", true, query.ParseCloudEvents},
	{"sql", false, query.ParseCESQL},
	{"lookups", true, query.ParseLookups},
	{"eventbridge", true, query.ParseEventBridge},
}

// dialectNames are the names of all dialects, in their order.
func dialectNames() []string {
	names := make([]string, len(dialects))
	for i := range dialects {
		names[i] = dialects[i].name
	}
	return names
}

// findDialect returns a dialect by its name.
func findDialect(name string) (*dialect, bool) {
	for i := range dialects {
		if dialects[i].name == name {
			return &dialects[i], true
		}
	}
	return nil, false
}

// dialectOf returns the dialect that the options of a subscription name for the
// query v. Without a name, a text is EQL, and a dictionary a JSON tree.
func dialectOf(v any, options map[string]any) (*dialect, error) {
	named, has := options[optionDialect]
	if !has {
		if _, ok := v.(map[string]any); ok {
			named = "json"
		} else {
			named = dialects[0].name
		}
	}
	name, ok := named.(string)
	if !ok {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "option %s: expected a string, one of %s", optionDialect, strings.Join(dialectNames(), ", "))
	}
	d, ok := findDialect(name)
	if !ok {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "option %s: expected one of %s, found %q", optionDialect, strings.Join(dialectNames(), ", "), name)
	}
	return d, nil
}

// read reads a query as a client sends it. The error is about its text, unless it
// came as a value: then it is a [treeError].
func (d *dialect) read(v any, schema *query.Schema, options query.Options) (*query.Query, error) {
	if text, ok := v.(string); ok {
		return d.parse([]byte(text), schema, options)
	}
	switch v.(type) {
	case map[string]any, []any:
		if d.json {
			break
		}
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected a query in the dialect %s: a string", d.name)
	default:
		what := "a string"
		if d.json {
			what = "JSON, as a value or as a string"
		}
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "expected a query in the dialect %s: %s", d.name, what)
	}
	text, err := wamp.AppendValue(nil, wamp.JSON, v)
	if err != nil {
		return nil, err
	}
	q, err := d.parse(text, schema, options)
	if e, ok := errors.AsType[*query.Error](err); ok {
		return nil, &treeError{e}
	}
	return q, err
}

// A treeError is about a query of which the client has not the text that its
// places are in, only the value.
type treeError struct{ wrong *query.Error }

// Error returns the place in the value, and the text.
func (e *treeError) Error() string {
	if e.wrong.Pointer == "" {
		return e.wrong.Text
	}
	return e.wrong.Pointer + ": " + e.wrong.Text
}

// A dialectFlag is the flag --dialect.
type dialectFlag struct{ is *dialect }

func (f *dialectFlag) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(f, "dialect", "`language` of the query: "+strings.Join(dialectNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("dialect", cobra.FixedCompletions(dialectNames(), cobra.ShellCompDirectiveNoFileComp))
}

// dialect returns the dialect that was given, or the default one.
func (f *dialectFlag) dialect() *dialect {
	if f.is == nil {
		return &dialects[0]
	}
	return f.is
}

// String returns the name.
func (f *dialectFlag) String() string { return f.dialect().name }

// Type returns what the value is, for the usage.
func (*dialectFlag) Type() string { return "language" }

// Set reads a name.
func (f *dialectFlag) Set(name string) error {
	d, ok := findDialect(name)
	if !ok {
		return fmt.Errorf("expected one of %s, found %q", strings.Join(dialectNames(), ", "), name)
	}
	f.is = d
	return nil
}
