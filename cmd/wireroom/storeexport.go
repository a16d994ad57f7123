package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events/store/archive"
)

func newStoreExport() *cobra.Command {
	var (
		f       storeFlags
		to      string
		classes []string
		since   string
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all that is in a store into an archive",
		Long: `Write all that is in a store into an archive: lines of JSON, which import makes a
store of, here or elsewhere, in a file or in Redis. If FILE ends in .gz or .zst, it
is compressed.

Clients notice nothing of a move if the gateway is stopped before the export, and
started with the new store after the import.

An archive holds the data of all events, and the hashes of the tokens of clients,
though never a token itself: keep it as safe as the store.`,
		Example: `  wireroom store export --to backup.zst
  wireroom store export | wireroom store import --store redis://127.0.0.1:6379
  wireroom store export --class order.created --since 2026-01-31 --to orders.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := storetool.ExportConfig{Logs: logFilter(classes), Secret: isSecretToken}
			if since != "" {
				var err error
				if c.Since, err = sinceTime(since, time.Now()); err != nil {
					return err
				}
			}
			_, _, s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = s.Close() }()
			return exportStore(cmd, s, to, c)
		},
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "-", "`FILE` to write, which must not exist; -: the standard output")
	flags.StringSliceVar(&classes, "class", nil, "only the events of this `class`, or class@realm, and nothing else; more than once, or a,b")
	flags.StringVar(&since, "since", "", "no events of before this `time`: RFC 3339, a day, or so long ago, as 24h or 7d")
	return cmd
}

// sinceTime reads a time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usageErrorf("--since: expected a time such as 2026-01-31T09:00:00Z or 2026-01-31, or how long ago, such as 24h or 7d, found %q", text)
}

// exportStore writes an archive to a file, which is there only if it is whole, or
// to the standard output.
func exportStore(cmd *cobra.Command, s storetool.Source, to string, c storetool.ExportConfig) (err error) {
	var out io.Writer = cmd.OutOrStdout()
	if to != "-" {
		if _, err := os.Lstat(to); err == nil {
			return fmt.Errorf("--to: %s is there already", to)
		}
		part := to + ".part"
		file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
		out = file
		defer func() {
			err = errors.Join(err, closeArchive(file, part, to, err == nil))
		}()
		return writeArchive(cmd, s, out, to, c)
	}
	return writeArchive(cmd, s, out, "", c)
}

// closeArchive gives a file its name if it is whole, and otherwise removes it.
func closeArchive(file *os.File, part, to string, whole bool) error {
	if !whole {
		_ = file.Close() // what is in it does not matter
		return os.Remove(part)
	}
	err := file.Sync()
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

func writeArchive(cmd *cobra.Command, s storetool.Source, out io.Writer, name string, c storetool.ExportConfig) error {
	packed, err := archive.Compress(out, name)
	if err != nil {
		return err
	}
	p := newStoreProgress(cmd.ErrOrStderr(), "exported")
	w := archive.NewWriter(packed, archive.Header{Made: time.Now().Truncate(time.Millisecond), By: "wireroom " + readVersion().Version})
	done, err := storetool.Export(cmd.Context(), s, w, c, p)
	p.end()
	if closed := packed.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return storeError(cmd.Context(), err)
	}
	e := cmd.ErrOrStderr()
	fmt.Fprintf(e, "the archive has %s\n", countsText(done.Counts))
	if len(done.Renewed) > 0 {
		fmt.Fprintf(e, "Redis may have lost the end of these logs, so that they have new epochs, as the next gateway would begin: %s\n", printable(strings.Join(done.Renewed, ", ")))
	}
	if done.Tokens > 0 {
		fmt.Fprintln(e, "it holds hashes of clients' tokens: keep it as safe as the store")
	}
	return nil
}

// countsText says what is in an archive.
func countsText(c archive.Counts) string {
	return fmt.Sprintf("%s in %s, %s, %s", count(int(c.Events), "event", "events"), count(int(c.Logs), "log", "logs"),
		count(int(c.Tokens), "token", "tokens"), count(int(c.Subscriptions), "persistent subscription", "persistent subscriptions"))
}
