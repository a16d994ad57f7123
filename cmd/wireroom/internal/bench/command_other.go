//go:build !linux

package bench

import (
	"errors"

	"github.com/spf13/cobra"
)

// Command returns the command "bench", which needs Linux.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "bench",
		Short: "Measure routers and ways in for events (on Linux)",
		RunE: func(*cobra.Command, []string) error {
			return errors.New("bench needs Linux: it measures servers through /proc")
		},
	}
}
