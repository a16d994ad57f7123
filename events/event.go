package events

import "time"

// An Event is one thing that happened.
//
// Whoever publishes an event fills in Class and Data, and may fill in ID and
// Origin; the hub fills in the rest. From then on an event is shared by all
// who handle it and never changes, its Data included.
type Event struct {
	ID    string    // 1 to [MaxIDLen] printable ASCII characters; if empty, the hub makes one
	Class string    // name of the event's class
	Time  time.Time // when the hub accepted it, in UTC to the millisecond
	Data  []byte    // a JSON object

	Epoch    string // of the log that Offset belongs to; empty if not retained
	Offset   uint64 // position in the class's log, from 1; 0 if not retained
	Replayed bool   // the event comes from the log, not from its publisher

	// Key stands for what the event is the latest state of, for the [Router]:
	// the class and the value of the field [Delivery.Key]. It is 0 if the
	// class does not keep only the latest, and if Replayed.
	Key uint64

	// Origin is for the adapter that published the event, and is handed to
	// the [Router] with it. The hub does not look at it. It is nil if
	// Replayed.
	Origin any
}

// A Receipt says that an event was accepted: if its class is retained, it is
// in the log for good, and in any case it was routed.
type Receipt struct {
	ID     string
	Epoch  string // empty if not retained
	Offset uint64 // 0 if not retained

	// Duplicate says that an event of the class with this id and this data
	// was accepted before. This one was not routed; Epoch and Offset are
	// those of the first.
	Duplicate bool
}
