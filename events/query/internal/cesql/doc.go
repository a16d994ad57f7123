// Package cesql is the CloudEvents SQL Expression Language, version 1: its
// syntax ([Parse], [Expr]) and what it means ([Expr.Eval]).
//
// An expression has a value for every event, and perhaps an error, which ends
// the evaluation: the value is then what the specification gives to whatever
// failed. An event passes a filter if there is no error and the value, as a
// Boolean, is true.
//
// Strings are of characters, as the specification has them: LENGTH, LEFT, RIGHT,
// SUBSTRING and the _ of LIKE count characters and not bytes. Integers are of
// 32 bits and wrap around. Beside the types of the language there is [Number],
// for numbers of an event that are no Integer.
//
// The package holds values only. An [Expr] is immutable and safe for concurrent
// use. How deep it can be nested is bounded by who parses; everything else is
// bounded by the length of the text.
package cesql
