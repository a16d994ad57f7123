//go:build race

package query_test

// raceEnabled: the race detector changes how often code allocates.
const raceEnabled = true
