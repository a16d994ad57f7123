package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events/store/archive"
)

func newStoreImport() *cobra.Command {
	var (
		f    storeFlags
		from string
		c    = storetool.ImportConfig{Own: isOwnToken}
	)
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Make a store of an archive",
		Long: `Make a store of an archive that export has written. The store must be empty, or
--replace be given. No gateway may use it meanwhile, and none can: a file takes its
place only when it is whole, and a store in Redis cannot be opened before.

Everything is as it was: epochs, offsets, times, the expiry of tokens, the positions
of persistent subscriptions. That is right for a move. If a gateway has gone on with
the old store since the export, as when an archive is a backup, clients may know events
that the archive lacks: import it with --new-epochs, so that they are told.`,
		Example: `  wireroom store import --from backup.zst --store wireroom.db
  wireroom store import --from backup.zst --new-epochs --replace
  wireroom store export --store wireroom.db | wireroom store import --store redis://127.0.0.1:6379`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return importStore(cmd, &f, from, c) },
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "-", "archive `FILE`, compressed or not; -: the standard input")
	flags.BoolVar(&c.Replace, "replace", false, "remove all that is in the store")
	flags.BoolVar(&c.NewEpochs, "new-epochs", false, "begin a new epoch in each log: for a backup")
	return cmd
}

func importStore(cmd *cobra.Command, f *storeFlags, from string, c storetool.ImportConfig) error {
	cfg, _, err := f.load(cmd)
	if err != nil {
		return err
	}
	in := cmd.InOrStdin()
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	} else if tty, ok := in.(*os.File); ok && isTerminal(tty) {
		return usageErrorf("--from: expected an archive on the standard input, found a terminal")
	}
	if from == "-" {
		// A read of a pipe does not end when the command is interrupted.
		in = &endingReader{in, cmd.Context().Done()}
	}
	unpacked, err := archive.Decompress(in)
	if err != nil {
		return storeError(cmd.Context(), err)
	}
	defer func() { _ = unpacked.Close() }()
	r, err := archive.NewReader(unpacked)
	if err != nil {
		return storeError(cmd.Context(), err)
	}
	p := newStoreProgress(cmd.ErrOrStderr(), "imported")
	counts, err := storetool.Import(cmd.Context(), r, cfg.Store, c, p)
	p.end()
	if err != nil {
		return storeError(cmd.Context(), err)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s has %s\n", cfg.Store.Name(), countsText(counts))
	if c.NewEpochs {
		_, err = fmt.Fprintln(w, "every log has a new epoch: clients that come back with a position are told that it means nothing any more")
		return err
	}
	_, err = fmt.Fprintf(w, "epochs and offsets are those of the archive, made %s: if a gateway has used the old store since then, import again with --new-epochs --replace\n",
		r.Header().Made.Format("2006-01-02T15:04:05Z"))
	return err
}

// An endingReader reads until it is told to end.
type endingReader struct {
	r    io.Reader
	done <-chan struct{}
}

var errEnded = errors.New("interrupted")

// Read implements [io.Reader]. It may be left waiting in a goroutine when it is
// told to end, which then ends with the process.
func (r *endingReader) Read(b []byte) (int, error) {
	type outcome struct {
		n   int
		err error
	}
	own := make([]byte, len(b)) // b is the caller's once Read returns
	read := make(chan outcome, 1)
	go func() {
		n, err := r.r.Read(own)
		read <- outcome{n, err}
	}()
	select {
	case o := <-read:
		return copy(b, own[:o.n]), o.err
	case <-r.done:
		return 0, errEnded
	}
}
