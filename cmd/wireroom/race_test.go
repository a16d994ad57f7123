//go:build race

package main

// raceEnabled says that the race detector is on, which may change how often
// memory is allocated.
const raceEnabled = true
