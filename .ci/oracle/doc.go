// Package oracle compares what package events/query says of events with what
// cel-go says, and with CEL's own cases. It is a module of its own so that
// cel-go and what it needs are not among what the gateway needs.
package oracle
