package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events"
)

// maxFindings is how many findings are printed for people. All are counted, and
// all are printed as JSON.
const maxFindings = 1000

func newStoreVerify() *cobra.Command {
	var f storeFlags
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read everything in a store, and say what is damaged",
		Long: `Read everything in a store and say what is not as it must be: offsets without gaps,
times that never decrease, records, tokens and subscriptions that can be decoded,
indexes that agree with what they are of, positions within their logs, and of a file
the pages that it is made of. That events fit the classes that the configuration has
now is looked at too, and only warned of. Nothing is written.

The exit code is 1 if something is damaged.`,
		Example: `  wireroom store verify
  wireroom store verify --store backup.db -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, itsOwn, s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = s.Close() }()
			classes := map[string]*events.Class{}
			if itsOwn {
				if c, err := logClasses(cmd.Context(), s, cfg); err == nil {
					classes = c // otherwise the tokens are damaged, which is told of
				}
			}
			return verifyStore(cmd, output, cfg.Store.Name(), s, func(log string) *events.Class { return classes[log] })
		},
	}
	f.addTo(cmd)
	output.addTo(cmd)
	return cmd
}

func verifyStore(cmd *cobra.Command, output outputFlag, name string, s storetool.Source, class func(log string) *events.Class) error {
	w := cmd.OutOrStdout()
	p := newStoreProgress(cmd.ErrOrStderr(), "read")
	p.quiet = true
	var printed error
	n := 0
	tell := func(f storetool.Finding) {
		n++
		switch {
		case printed != nil:
		case output == outputJSON:
			printed = printJSON(w, f)
		case n <= maxFindings:
			kind := "damaged"
			if f.Warning {
				kind = "warning"
			}
			p.end()
			_, printed = fmt.Fprintf(w, "%s: %s: %s\n", kind, printable(f.Where), printable(f.What))
		}
	}
	v, err := storetool.Verify(cmd.Context(), s, class, tell, p)
	p.end()
	if err == nil {
		err = printed
	}
	if err != nil {
		return storeError(cmd.Context(), err)
	}
	if output == outputJSON {
		err = printJSON(w, v)
	} else {
		if n > maxFindings {
			fmt.Fprintf(w, "and %d more; -o json prints all\n", n-maxFindings)
		}
		state := "is sound"
		if v.Faults > 0 {
			state = "is damaged"
		}
		_, err = fmt.Fprintf(w, "%s %s: read %s in %s, %s, %s; %s, %s\n", printable(name), state,
			count(int(v.Events), "event", "events"), count(int(v.Logs), "log", "logs"), count(int(v.Tokens), "token", "tokens"),
			count(int(v.Subscriptions), "persistent subscription", "persistent subscriptions"),
			count(int(v.Faults), "fault", "faults"), count(int(v.Warnings), "warning", "warnings"))
	}
	if err == nil && v.Faults > 0 {
		err = &exitError{
			code: exitFailure, err: fmt.Errorf("the store is damaged: %s", count(int(v.Faults), "fault", "faults")),
			hint: "keep a copy of it as it is before anything else",
		}
	}
	return err
}
