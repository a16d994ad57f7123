package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

func newSubscribe() *cobra.Command {
	var (
		to          wampFlags
		output      outputFlag
		match       string
		last, count int
		since       string
		where       string
		as          dialectFlag
	)
	cmd := &cobra.Command{
		Use:   "subscribe TOPIC",
		Short: "Print the events of a topic as they come",
		Long: `Print the events of a topic as they come, one a line, until interrupted.

With --where only the events come that satisfy a query (EQL). With --last or
--since the past events of a retained class come first.`,
		Example: `  wireroom subscribe demo.message
  wireroom subscribe demo. --match prefix
  wireroom subscribe order.created --last 10 --count 10 -o json
  wireroom subscribe order.created --where 'total > 100 && status == "new"'
  wireroom subscribe order.created --since 2026-01-31T09:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			options := wamp.Dict{}
			switch match {
			case "exact":
			case "prefix", "wildcard":
				options["match"] = match
			default:
				return usageErrorf("--match: expected exact, prefix or wildcard, found %q", match)
			}
			flags := cmd.Flags()
			switch {
			case flags.Changed("where"):
				options[optionWhere] = where
				if flags.Changed("dialect") {
					options[optionDialect] = as.String()
				}
			case flags.Changed("dialect"):
				return usageErrorf("--dialect: only with --where")
			}
			if flags.Changed("last") && flags.Changed("since") {
				return usageErrorf("--last and --since: expected one of them, found both")
			}
			if flags.Changed("last") {
				if last < 0 {
					return usageErrorf("--last: expected a number from 0, found %d", last)
				}
				options["_last"] = last
			}
			if since != "" {
				options["_since"] = sinceOption(since)
			}
			return subscribe(cmd, &to, argv[0], options, printer(cmd.OutOrStdout(), output), count)
		},
	}
	to.addTo(cmd)
	output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&match, "match", "exact", "exact, prefix or wildcard")
	flags.IntVar(&last, "last", 0, "begin with the last `n` events of the class")
	flags.StringVar(&since, "since", "", "begin after a `position`: an offset, epoch:offset, or a time (RFC 3339)")
	flags.StringVar(&where, "where", "", "only events that satisfy this `query` (EQL)")
	as.addTo(cmd)
	flags.IntVarP(&count, "count", "n", 0, "end after so many events; 0: never")
	_ = cmd.RegisterFlagCompletionFunc("match", cobra.FixedCompletions(
		[]cobra.Completion{"exact", "prefix", "wildcard"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// sinceOption returns a number where the user gave one, otherwise the text.
func sinceOption(s string) any {
	if v, err := parseJSON(s); err == nil {
		if n, ok := v.(int64); ok {
			return n
		}
	}
	return s
}

// subscribe prints events until count of them came (0: no end), ctx is done
// or the connection is lost.
func subscribe(cmd *cobra.Command, to *wampFlags, topic string, options wamp.Dict, print func(topic string, e *wamp.Event) error, count int) error {
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	c, err := to.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()

	// The handler runs in the client's one receiving goroutine, so that a
	// slow reader of our output slows the gateway's queue and not memory.
	seen := 0
	handle := func(e *wamp.Event) {
		if ctx.Err() != nil {
			return
		}
		tellMissed(cmd.ErrOrStderr(), e)
		if err := print(topic, e); err != nil {
			stop(err)
			return
		}
		if seen++; seen == count {
			stop(errDone)
		}
	}
	err = c.Subscribe(topic, handle, options)
	if err != nil {
		where, _ := options[optionWhere].(string)
		c.gate.showPlace(where)
		return c.gate.explain(fmt.Errorf("subscribe to %s: %w", topic, err))
	}
	c.gate.open()
	fmt.Fprintf(cmd.ErrOrStderr(), "subscribed to %s; Ctrl-C ends\n", topic)

	select {
	case <-c.Done():
		if ctx.Err() == nil {
			return c.gate.explain(fmt.Errorf("the connection to %s was lost", to.url))
		}
	case <-ctx.Done():
	}
	switch {
	case cmd.Context().Err() == nil:
		if cause := context.Cause(ctx); cause != errDone {
			return cause
		}
	case count > 0:
		return errInterrupted
	}
	return nil // enough seen, or interrupted, which is how people end this
}

// tellMissed says that events before e were dropped, as the gateway's queue for
// this client was full.
func tellMissed(w io.Writer, e *wamp.Event) {
	if n, _ := wamp.AsInt64(e.Details["_missed"]); n > 0 {
		fmt.Fprintf(w, "missed %s before the next one: this client reads too slowly\n", count(int(n), "event", "events"))
	}
}

var errDone = errors.New("done")

// printer returns a function that prints events.
func printer(w io.Writer, output outputFlag) func(topic string, e *wamp.Event) error {
	return func(topic string, e *wamp.Event) error {
		if t, ok := wamp.AsString(e.Details["topic"]); ok {
			topic = t
		}
		if output == outputJSON {
			return printJSON(w, struct {
				Topic   string         `json:"topic"`
				Args    []any          `json:"args,omitempty"`
				KwArgs  map[string]any `json:"kwargs,omitempty"`
				Details map[string]any `json:"details,omitempty"`
			}{topic, e.Arguments, e.ArgumentsKw, e.Details})
		}
		_, err := fmt.Fprintln(w, eventLine(topic, e))
		return err
	}
}

// eventLine writes an event for a person: time, topic, data, position.
func eventLine(topic string, e *wamp.Event) string {
	at := time.Now()
	if s, ok := wamp.AsString(e.Details["_time"]); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			at = t
		}
	}
	parts := []string{at.Local().Format("15:04:05.000"), printable(topic)}
	if len(e.Arguments) > 0 {
		parts = append(parts, jsonText(e.Arguments))
	}
	if len(e.ArgumentsKw) > 0 || len(e.Arguments) == 0 {
		parts = append(parts, jsonText(e.ArgumentsKw))
	}
	var notes []string
	for _, k := range []string{"_offset", "_replayed", "_missed"} {
		if v, ok := e.Details[k]; ok {
			notes = append(notes, strings.TrimPrefix(k, "_")+"="+jsonText(v))
		}
	}
	if len(notes) > 0 {
		parts = append(parts, "("+strings.Join(notes, " ")+")")
	}
	return strings.Join(parts, " ")
}
