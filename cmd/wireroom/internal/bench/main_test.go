package bench_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/bench"
)

// TestMain makes the test binary the program that --spawn starts anew.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		cmd := bench.Command()
		cmd.SetArgs(os.Args[2:])
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.ExecuteContext(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
