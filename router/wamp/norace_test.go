//go:build !race

package wamp_test

// raceEnabled tells that the race detector, which allocates, is on.
const raceEnabled = false
