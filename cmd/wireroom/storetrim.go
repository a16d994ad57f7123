package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events"
)

func newStoreTrim() *cobra.Command {
	var (
		f       storeFlags
		output  outputFlag
		classes []string
		dryRun  bool
	)
	cmd := &cobra.Command{
		Use:   "trim",
		Short: "Remove what the configuration does not keep any more",
		Long: `Remove from a store the events that are older or more than the configuration says
now ("retain"), and tokens and persistent subscriptions that have expired. Logs of
classes that the configuration does not have stay as they are. A gateway does all
this by itself; it is for a store whose gateway is stopped.`,
		Example: `  wireroom store trim --dry-run
  wireroom store trim --class order.created`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := trimStore(cmd, &f, classes, dryRun)
			if done != nil {
				if printed := printTrimmed(cmd.OutOrStdout(), output, done, dryRun); err == nil {
					err = printed
				}
			}
			return storeError(cmd.Context(), err)
		},
	}
	f.addTo(cmd)
	output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&classes, "class", nil, "only the log of this `class`, or class@realm, and nothing else; more than once, or a,b")
	flags.BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	return cmd
}

// trimStore trims, and says what was removed, also if it failed on the way.
func trimStore(cmd *cobra.Command, f *storeFlags, classes []string, dryRun bool) (*storetool.Trimmed, error) {
	cfg, itsOwn, s, err := f.open(cmd)
	if err != nil {
		return nil, err
	}
	close := func() {
		if s != nil {
			_ = s.Close() // it was only read
		}
		s = nil
	}
	defer close()
	if !itsOwn {
		return nil, usageErrorf("--config: expected the configuration that says what the store keeps, found none")
	}
	of, err := logClasses(cmd.Context(), s, cfg)
	if err != nil {
		return nil, err
	}
	c := storetool.TrimConfig{
		Logs: logFilter(classes), Now: time.Now(),
		Keep: func(log string) (events.Retain, bool) {
			class := of[log]
			if class == nil || !class.Retain().Retained() {
				return events.Retain{}, false
			}
			return class.Retain(), true
		},
	}
	if dryRun {
		plan, err := storetool.PlanTrim(cmd.Context(), s, c)
		return &plan, err
	}
	close()
	p := newStoreProgress(cmd.ErrOrStderr(), "removed")
	p.quiet = true
	defer p.end()
	done, err := storetool.Trim(cmd.Context(), cfg.Store, c, p)
	return &done, err
}

func printTrimmed(w io.Writer, output outputFlag, t *storetool.Trimmed, dryRun bool) error {
	if output == outputJSON {
		return printJSON(w, t)
	}
	removed := "REMOVED"
	if dryRun {
		removed = "WOULD REMOVE"
	}
	if len(t.Logs) > 0 {
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintf(table, "LOG OF\t%s\tLEFT\n", removed)
		for _, l := range t.Logs {
			note := ""
			if l.Unknown {
				note = "\tthe configuration retains no such class: nothing is removed"
			}
			fmt.Fprintf(table, "%s\t%d\t%d%s\n", printable(l.Log), l.Removed, l.Left, note)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	verb := "removed"
	if dryRun {
		verb = "would remove"
	}
	_, err := fmt.Fprintf(w, "%s %s and %s\n", verb, count(t.Tokens, "expired token", "expired tokens"),
		count(t.Subscriptions, "expired persistent subscription", "expired persistent subscriptions"))
	return err
}
