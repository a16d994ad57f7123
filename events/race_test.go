//go:build race

package events_test

// The race detector allocates, so that counting allocations means nothing.
const raceEnabled = true
