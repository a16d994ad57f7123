package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/bench"
)

// program is the environment variable that names the file of the program
// "wireroom", which tests build when they need it.
const program = "WIREROOM_BENCH_PROGRAM"

// TestMain makes the test binary the program that --spawn starts anew.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		err := syscall.Exec(os.Getenv(program), os.Args, os.Environ())
		fmt.Fprintln(os.Stderr, "exec:", err)
		os.Exit(1)
	}
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
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wireroom-bench-test-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(program, filepath.Join(dir, "wireroom")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
