//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// wampSchemes are the addresses that a WAMP router can have: WebSocket, and
// RawSocket over TCP, TLS and a Unix socket.
var wampSchemes = []string{"ws", "wss", "rs", "tcp", "rss", "unix"}

// between is the pause after each measurement, in which the kernel buries the
// connections and what the last server left.
const between = 300 * time.Millisecond

// progress tells a person what is going on.
type progress func(format string, args ...any)

// A benchCase is one load, which each target gets in each round.
type benchCase struct {
	name    string
	applies func(*target) bool // nil: to every target
	run     func(ctx context.Context, s *server, say progress) (sample, error)
}

// A notDoneError is a measurement that was given up because it took longer
// than the command line allows. It is a result, not a failure.
type notDoneError struct {
	limit time.Duration
	what  string // how far it came
}

// Error says what was not done in which time.
func (e *notDoneError) Error() string { return fmt.Sprintf("not done in %v: %s", e.limit, e.what) }

// A benchmark is one subcommand.
type benchmark struct {
	// Fixed at construction.
	name      string
	metrics   []metric
	options   *options
	schemes   []string // of its targets' URLs
	spawnable []string
	describe  func() (summary string, settings map[string]any) // what the load is

	// relate adds to the samples of a round what follows from others of it,
	// such as ratios. It is called after each case, with a row for each case
	// so far and a column for each target; nil where nothing was measured.
	// It may be nil.
	relate func(round [][]sample)

	// Set when the flags are checked.
	cases   []benchCase
	targets []*target
}

// bind makes cmd the subcommand of b. check checks the benchmark's own flags
// and makes the cases.
func (b *benchmark) bind(cmd *cobra.Command, check func() error) {
	cmd.Long += "\n\nExit codes: 0 done, 1 a measurement failed or (with --strict) something was lost,\n2 the command line is wrong, 130 interrupted; what was measured is printed in any case."
	// Args is where cobra lets a command refuse its command line.
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := cobra.NoArgs(cmd, args); err != nil {
			return err
		}
		if err := b.options.validate(cmd.Flags()); err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		var err error
		b.targets, err = b.options.collect(b.schemes, b.spawnable)
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
		return b.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
}

// run measures and reports.
func (b *benchmark) run(ctx context.Context, stdout, stderr io.Writer) error {
	r := newReport(b)
	if b.options.quiet {
		stderr = io.Discard
	}
	err := b.rounds(ctx, r, stderr)
	r.finish(b)
	if werr := r.write(stdout, b); werr != nil {
		return errors.Join(err, werr)
	}
	switch {
	case err != nil:
		return fmt.Errorf("bench %s: stopped: %w", b.name, err)
	case r.failures() > 0:
		return fmt.Errorf("bench %s: %d measurements failed", b.name, r.failures())
	case b.options.strict && len(r.Bad) > 0:
		return fmt.Errorf("bench %s: --strict: %s", b.name, strings.Join(r.Bad, "; "))
	}
	return nil
}

// rounds measures each case of each target in each round, and fails only when
// ctx is done: a measurement that fails is part of the report.
func (b *benchmark) rounds(ctx context.Context, r *report, stderr io.Writer) error {
	for round := range b.options.rounds {
		samples := make([][]sample, 0, len(b.cases))
		for ci, c := range b.cases {
			row := make([]sample, len(b.targets))
			samples = append(samples, row)
			for ti, t := range b.targets {
				if c.applies != nil && !c.applies(t) || r.hopeless(ci, ti) {
					continue
				}
				say := func(format string, args ...any) {
					fmt.Fprintf(stderr, "round %d/%d, %s, %s: %s\n", round+1, b.options.rounds, c.name, t.name, fmt.Sprintf(format, args...))
				}
				s, note, err := b.once(ctx, t, c, say)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					say("failed: %v", err)
				}
				row[ti] = s
				r.add(ci, ti, s, note, err)
				if err := pause(ctx, between); err != nil {
					return err
				}
			}
			if b.relate != nil {
				b.relate(samples)
			}
		}
	}
	return nil
}

// once makes one measurement: it starts the server, if need be, and ends it.
func (b *benchmark) once(ctx context.Context, t *target, c benchCase, say progress) (s sample, note string, err error) {
	srv, err := t.open(ctx, b.options)
	if err != nil {
		return nil, "", err
	}
	defer srv.stop()
	b.options.login.roots = srv.roots
	s, err = c.run(ctx, srv, say)
	if err != nil {
		return nil, srv.note, srv.explain(err)
	}
	return s, srv.note, nil
}
