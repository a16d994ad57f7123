package console_test

import (
	"os"
	"os/exec"
	"testing"
)

// The page's WAMP client has tests of its own, in its own language: its
// reconnecting needs a scripted router and a clock that they can turn.
func TestWAMPClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI_REAL_CLIENTS") == "1" {
			t.Fatalf("CI_REAL_CLIENTS=1, and there is no Node: %v", err)
		}
		t.Skip("there is no Node here; .ci/test installs it")
	}
	out, err := exec.CommandContext(t.Context(), node, "--test", "testdata/wamp.test.mjs").CombinedOutput()
	if err != nil {
		t.Fatalf("node --test: %v\n%s", err, out)
	}
}
