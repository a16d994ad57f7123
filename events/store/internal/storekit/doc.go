// Package storekit has what the stores of events do alike, whatever they keep
// them in: the [Queue] of what waits for a store's committer, the bytes that
// stand for a persistent subscription in keys and indexes, and where a log
// begins once it is trimmed.
//
// It starts no goroutine; a queue has a timer while requests in it are patient.
package storekit
