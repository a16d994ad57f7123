//go:build race

package interop_test

// raceEnabled says that the race detector is on.
const raceEnabled = true
