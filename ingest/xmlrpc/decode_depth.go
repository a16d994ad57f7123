package xmlrpc

import "strconv"

// How many arrays and structs are around the data of an event that do not count
// as its own.
const (
	callDepth  = 3 // in system.multicall: the array of calls, a call, its parameters
	batchDepth = 2 // in a parameter that is an array: that, and an event
)

// enter makes sure that an array or struct may be nested so deep. more is how
// many around the data belong to it, if it is a parameter: the data itself may
// then be as deep as anywhere, whichever way it comes.
func (d *decoder) enter(depth, more int) error {
	if depth == d.inside {
		d.limit = d.maxDepth + d.inside + more
	}
	if depth >= d.limit {
		return d.fail(d.at, CodeNotXMLRPC, "values nested more than "+strconv.Itoa(d.maxDepth)+" deep")
	}
	return nil
}
