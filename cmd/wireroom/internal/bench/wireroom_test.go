//go:build linux

package bench

import (
	"os"
	"os/exec"
	"sync"
	"testing"
)

// built builds the program that "--spawn wireroom" starts, where TestMain
// looks for it.
var built = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", os.Getenv("WIREROOM_BENCH_PROGRAM"), "github.com/wireroom/wireroom/cmd/wireroom").CombinedOutput()
	if err != nil {
		return &exec.Error{Name: string(out), Err: err}
	}
	return nil
})

// needWireroom makes "--spawn wireroom" work in a test.
func needWireroom(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the program can't be built: there is no go command")
	}
	if err := built(); err != nil {
		t.Fatal(err)
	}
}
