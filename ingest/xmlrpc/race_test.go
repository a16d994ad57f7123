//go:build race

package xmlrpc_test

// raceEnabled says that the race detector is on, which allocates for itself.
const raceEnabled = true
