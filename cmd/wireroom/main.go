// Command wireroom is the gateway and its command line.
//
// The command is the only package that knows all rooms of the house: it reads
// the configuration, makes the parts and joins those that may not know each
// other with small adapters (the files adapter_*.go). It holds no behaviour of
// its own.
//
// [run] is the whole program without the process, so that tests can call it.
// docs/cli.md says what each subcommand does, and what the exit codes mean.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the usual meaning of signals is restored, so
	// that a second one ends the process at once.
	context.AfterFunc(ctx, stop)

	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
