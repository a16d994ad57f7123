package router_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sections are those of the WAMP specification that transcripts cite.
var sections = []string{
	"ABORT", "Authentication", "Authorization", "CALL", "Call Canceling", "Call ERROR", "Call Timeouts",
	"Call Re-Routing", "Callee Leaving", "Callee Leaving During an RPC Invocation", "Callee-Initiated Timeouts", "Caller Identification", "Caller Leaving", "Calls matching multiple registrations", "Continuations on Completed Calls", "Hot Stand-By", "Caller Leaving During an RPC Invocation",
	"Calling and Invocations", "ERROR", "Event History", "Event Retention", "Subscription Revocation", "Extension Messages", "Feature Announcement", "IDs", "Invocation ERROR", "Message Codes and Direction",
	"Ordering Guarantees", "Pattern-based Registrations", "Pattern-based Subscription", "Payload Passthru Mode", "Prefix Matching", "Progressive Call Invocations", "Progressive Call Results",
	"Protocol Errors", "Publisher Exclusion", "Registration Revocation", "Publisher Identification", "Publishing and Events", "REGISTER",
	"Registration Meta API", "SUBSCRIBE", "Session Closing", "Session Meta API", "Session Testament", "Subscriptions Meta API", "Session Establishment", "Session Lifecycle", "Sharded Registration",
	"Shared Registration", "Subscriber Black- and Whitelisting", "Ticket-based Authentication", "UNREGISTER",
	"UNSUBSCRIBE", "URIs", "Wildcard Matching", "YIELD",
}

var (
	clause = regexp.MustCompile(`^# (?:Wireroom|WAMP "[^"]+"(?: (?:and|with) "[^"]+")*(?:, [^:]+)?): \S`)
	quoted = regexp.MustCompile(`"([^"]+)"`)
)

// Every transcript begins with the clause that it shows: a section of the WAMP
// specification, or a rule of Wireroom's own.
func TestTranscriptsCite(t *testing.T) {
	for _, tr := range transcripts(t) {
		first, _, _ := strings.Cut(string(tr.text), "\n")
		cited := clause.FindString(first)
		if cited == "" {
			t.Errorf("%s.txt begins with %q, not with a clause: # WAMP \"Section\": … or # Wireroom: …", tr.name, first)
		}
		for _, m := range quoted.FindAllStringSubmatch(cited, -1) {
			if !slices.Contains(sections, m[1]) {
				t.Errorf("%s.txt cites %q, which is no known section of the specification", tr.name, m[1])
			}
		}
	}
}
