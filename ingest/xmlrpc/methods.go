package xmlrpc

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wireroom/wireroom/ingest"
)

// A method is one procedure that can be called.
type method struct {
	name       string
	params     []string   // names, in order
	min        int        // how many of them must be given
	max        int        // len(params), set by methodsFor
	signatures [][]string // types: of the result, and of each parameter
	help       string
	call       func(*call, args) error
}

const methodMulticall = "system.multicall"

// usage says which parameters the method takes.
func (m *method) usage() string {
	if m.max == 0 {
		return m.name + " without parameters"
	}
	count := strconv.Itoa(m.min) + " to " + strconv.Itoa(m.max)
	if m.min == m.max {
		count = strconv.Itoa(m.max)
	}
	return m.name + " with " + count + " (" + strings.Join(m.params, ", ") + ")"
}

// methodsFor returns the methods that a handler with the sink has, and their
// names in order.
func methodsFor(sink ingest.Sink) (map[string]*method, []string) {
	methods := map[string]*method{}
	add := func(all ...*method) {
		for _, m := range all {
			m.max = len(m.params)
			methods[m.name] = m
		}
	}
	add(eventMethods()...)
	add(systemMethods()...)
	add(telegraphyMethod())
	if minter, ok := sink.(ingest.TokenMinter); ok {
		add(tokenMethod(minter))
	}
	if keeper, ok := sink.(ingest.SessionKeeper); ok {
		add(sessionMethods(keeper)...)
	}
	return methods, slices.Sorted(maps.Keys(methods))
}
