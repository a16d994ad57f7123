package main

import (
	"context"
	"fmt"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

func newCall() *cobra.Command {
	var (
		to     wampFlags
		output outputFlag
	)
	cmd := &cobra.Command{
		Use:   "call PROCEDURE [ARGUMENTS]",
		Short: "Call a procedure and print its result",
		Long: `Call a procedure and print its result.

ARGUMENTS is a JSON value: a list holds positional arguments, an object keyword
arguments, and anything else is the only argument.`,
		Example: `  wireroom call wireroom.class.list
  wireroom call com.example.add '[2, 3]'
  wireroom call com.example.greet '{"name": "Ada"}' -o json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, argv []string) error {
			var args []any
			var kwargs map[string]any
			if len(argv) > 1 {
				v, err := parseJSON(argv[1])
				if err != nil {
					return usageErrorf("ARGUMENTS: %w", err)
				}
				args, kwargs = arguments(v)
			}
			c, err := to.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()

			ctx, cancel := context.WithTimeout(cmd.Context(), to.timeout)
			defer cancel()
			result, err := c.Call(ctx, argv[0], nil, args, kwargs, nil)
			if err != nil {
				if cmd.Context().Err() != nil {
					return errInterrupted
				}
				if ctx.Err() != nil {
					return &exitError{code: exitFailure, err: fmt.Errorf("call %s: no answer within %s", argv[0], to.timeout), hint: "raise --timeout"}
				}
				return c.gate.explain(fmt.Errorf("call %s: %w", argv[0], err))
			}
			return printResult(cmd, output, result)
		},
	}
	to.addTo(cmd)
	output.addTo(cmd)
	return cmd
}

// printResult prints positional results one a line, texts without quotes if
// they are plain, and keyword results as one JSON object.
func printResult(cmd *cobra.Command, output outputFlag, r *wamp.Result) error {
	w := cmd.OutOrStdout()
	args, kwargs := wamp.List(r.Arguments), r.ArgumentsKw
	if output == outputJSON {
		return printJSON(w, struct {
			Args   []any          `json:"args,omitempty"`
			KwArgs map[string]any `json:"kwargs,omitempty"`
		}{args, kwargs})
	}
	for _, a := range args {
		if s, ok := wamp.AsString(a); ok {
			fmt.Fprintln(w, printable(s))
		} else {
			fmt.Fprintln(w, jsonText(a))
		}
	}
	if len(kwargs) > 0 {
		fmt.Fprintln(w, jsonText(kwargs))
	}
	return nil
}
