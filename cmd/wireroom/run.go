package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/bench"
)

// run is the whole program without the process: it returns the exit code when
// ctx is done and everything that it started has stopped.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// Whatever fails before a subcommand begins is the command line's fault.
	began := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if !began {
		code = exitUsage
	}
	fmt.Fprintln(stderr, "wireroom:", err)
	if e, ok := errors.AsType[*exitError](err); ok && e.hint != "" {
		fmt.Fprintln(stderr, "hint:", e.hint)
	}
	if code == exitUsage {
		fmt.Fprintf(stderr, "usage: %s\nRun '%s --help' for more.\n", cmd.UseLine(), cmd.CommandPath())
	}
	return code
}

// newRoot returns the command with all its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "wireroom",
		Short: "WAMP router and asynchronous event gateway",
		Long: strings.TrimSpace(`
Wireroom passes events from the programs of a web application to browsers,
services and devices, over WAMP v2.

Run "wireroom serve" for a demonstration that needs no configuration, and open
http://127.0.0.1:8080/.`),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServe(),
		newCheck(),
		newPublish(),
		newSubscribe(),
		newCall(),
		newQuery(),
		newStore(),
		newToken(),
		newUser(),
		bench.Command(),
		newVersion(),
	)
	return root
}
