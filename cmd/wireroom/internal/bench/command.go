//go:build linux

package bench

import (
	"strings"

	"github.com/spf13/cobra"
)

// Command returns the command "bench" with its subcommands. A run ends when
// the context of the command is done, or on SIGINT or SIGTERM, and ends all
// processes that it started. A command line that is wrong is refused before
// the command begins, with an error from [cobra.Command.ValidateArgs].
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure routers and ways in for events",
		Long: strings.TrimSpace(`
Put a load on one or several servers, in turn, and report rates, latency, losses
and what it cost the servers: CPU time and memory of their processes.

Servers are those that run already (--target, --url with --pid) or are started
for each round (--spawn): this program itself, nexus's router, a bare loop of
write(2), Python's xmlrpc.server. docs/benchmarks.md says what is measured how.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFanout(), newRPC(), newIdle(), newPattern(), newQuery(), newStorm(), newStall(), newIngest(), newBack(), newNodes(), newPairClient(), newNexusServer(), newWriteLoopServer())
	return cmd
}
