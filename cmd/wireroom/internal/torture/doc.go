// Package torture holds a test of the whole gateway in the manner of Jepsen:
// real processes of wireroom and redis-server, publishers and subscribers of all
// kinds, and a nemesis that kills, stops, cuts off and fills up. It has no code
// of its own.
//
// All that happens is written to a history: what was published and with which
// outcome, what each client received over which connection, what was
// acknowledged, what was broken and when. A checker reads it afterwards and
// compares it with what is promised. docs/design/032-history-checker.md has the
// rules and the reasons, docs/reliability.md the promises and results.
//
// Variables that are read: TORTURE, how long it goes on, such as 20m (default:
// some seconds); TORTURE_SEED, which repeats what the nemesis and the clients do
// (the scheduler does the rest); TORTURE_MODE, a regular expression for the modes
// to run; TORTURE_KEEP, a folder for the histories of all rounds, also of those
// in which nothing was found; TORTURE_CHECK, such a history, which TestCheckAgain
// checks again; CI_REAL_CLIENTS=1 makes a redis-server that is missing a failure.
package torture
