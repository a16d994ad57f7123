package main

import (
	"strings"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router/wamp"
)

// A sharedLogs hands what other gateways append to the logs of a store that they
// share to the hubs of the realms, which route it to their own subscribers.
type sharedLogs struct {
	realms *realms
	plain  wamp.URI // the realm whose logs have plain names in the store
}

// gap has all hubs read in the logs what they may have missed.
func (s *sharedLogs) gap() {
	for _, name := range s.realms.names() {
		if one := s.realms.get(name); one != nil {
			one.hub.CatchUp()
		}
	}
}

// appended hands over records, which may be of several realms.
func (s *sharedLogs) appended(records []events.Record, at []events.Appended) {
	for len(records) > 0 {
		realm, n := s.realmOf(&records[0]), 1
		for n < len(records) && s.realmOf(&records[n]) == realm {
			n++
		}
		for i := range records[:n] {
			records[i].Class, _, _ = strings.Cut(records[i].Class, "@")
		}
		if one := s.realms.get(realm); one != nil {
			one.hub.Heard(records[:n:n], at[:n:n])
		}
		records, at = records[n:], at[n:]
	}
}

// realmOf returns whose log a record is in; see [logs].
func (s *sharedLogs) realmOf(r *events.Record) wamp.URI {
	if _, realm, ok := strings.Cut(r.Class, "@"); ok {
		return wamp.URI(realm)
	}
	return s.plain
}
