package main

import (
	"os"
	"testing"
)

// asCommand makes the test binary be the command itself, for tests that need a
// process to kill.
const asCommand = "WIREROOM_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	// What the command line takes from its surroundings is not the test's.
	for _, name := range []string{"WIREROOM_URL", "WIREROOM_REALM", "WIREROOM_KEY", "WIREROOM_TICKET", "XDG_STATE_HOME"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}
