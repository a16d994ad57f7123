package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

func newQuery() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Try queries for events (EQL)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	cmd.AddCommand(newQueryTest(), newQueryExplain())
	return cmd
}

// queryFlags say of which class a query is.
type queryFlags struct {
	output outputFlag
	class  string
	config string
	realm  string
	as     dialectFlag
}

func (f *queryFlags) addTo(cmd *cobra.Command) {
	f.output.addTo(cmd)
	f.as.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.class, "class", "", "check the query against this event `class` of the configuration")
	flags.StringVar(&f.config, "config", config.DefaultFile, "configuration `file`, for --class")
	flags.StringVar(&f.realm, "realm", "", "`realm` of the class; by default the first one that has it")
}

// read returns the query, and the class that it was checked against, which is
// nil without --class.
func (f *queryFlags) read(cmd *cobra.Command, text string) (*query.Query, *events.Class, error) {
	var class *events.Class
	switch {
	case f.class != "":
		cfg, problems := config.Load(f.config)
		if len(problems) > 0 {
			return nil, nil, configError(cmd, f.output, f.config, problems, nil)
		}
		var err error
		if class, err = findClass(cfg, f.realm, f.class); err != nil {
			return nil, nil, err
		}
	case cmd.Flags().Changed("config") || cmd.Flags().Changed("realm"):
		return nil, nil, usageErrorf("--config and --realm: only with --class")
	}
	var schema *query.Schema
	if class != nil {
		schema = class.Schema()
	}
	q, err := f.as.dialect().parse([]byte(text), schema, query.DefaultOptions())
	if err == nil && schema != nil {
		err = q.Check(schema)
	}
	if err != nil {
		return nil, nil, queryError(cmd, f.output, text, err)
	}
	return q, class, nil
}

// findClass returns a class of a configuration. The empty realm is the first
// one that has it.
func findClass(cfg *config.Config, realm, name string) (*events.Class, error) {
	var names []string
	for i := range cfg.Realms {
		r := &cfg.Realms[i]
		if realm != "" && string(r.Name) != realm {
			continue
		}
		catalogue, err := events.NewCatalogue(r.Classes)
		if err != nil {
			return nil, err
		}
		if c := catalogue.Class(name); c != nil {
			return c, nil
		}
		for _, c := range r.Classes {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return nil, usageErrorf("--class: expected an event class, found %q, and the configuration has none there", name)
	}
	slices.Sort(names)
	return nil, usageErrorf("--class: expected one of the event classes %s, found %q", strings.Join(slices.Compact(names), ", "), name)
}

// queryError says what is wrong with a query, and shows where.
func queryError(cmd *cobra.Command, output outputFlag, text string, err error) error {
	e, ok := errors.AsType[*query.Error](err)
	if !ok {
		return err
	}
	if output == outputJSON {
		err := printJSON(cmd.OutOrStdout(), struct {
			Error queryProblem `json:"error"`
		}{queryProblem{e.Line, e.Column, e.Offset, e.Pointer, e.Text}})
		if err != nil {
			return err
		}
	}
	return usageErrorf("the query: %w\n%s", e, pointAt(text, e.Line, e.Column))
}

// A queryProblem is what is wrong with a query, in JSON.
type queryProblem struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Offset int    `json:"offset"` // in bytes
	At     string `json:"pointer,omitempty"`
	Text   string `json:"text"`
}

// pointAt returns the line of a query in which an error is, counted from 1, and
// below it a caret at the character, likewise; of a long line, what is around it.
func pointAt(text string, number, column int) string {
	const before, after = 60, 30
	lines := strings.Split(text, "\n")
	if number < 1 || number > len(lines) || column < 1 {
		return ""
	}
	line := []rune(lines[number-1])
	at := min(column-1, len(line))
	from, to := 0, min(len(line), at+after)
	if at > before+1 {
		from = at - before
	}
	for i, r := range line {
		if !isPlain(r) {
			line[i] = '\ufffd'
			if r == '\t' {
				line[i] = ' '
			}
		}
	}
	shown, pad := string(line[from:to]), at-from
	if from > 0 {
		shown, pad = "…"+shown, pad+1
	}
	if to < len(line) {
		shown += "…"
	}
	return fmt.Sprintf("    %s\n    %s^", shown, strings.Repeat(" ", pad))
}
