//go:build race

package auth_test

// raceEnabled: the race detector changes how often code allocates.
const raceEnabled = true
