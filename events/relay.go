package events

import "fmt"

// Relay routes an event of a class that is not retained, which another hub over the
// same classes has accepted: with its id and its time. It is routed once, however
// often it comes, as far as the ids of the last events are known. The hub owns e and
// its Data from the call on.
//
// Errors are those of [Hub.Publish], and that the class is retained here.
func (h *Hub) Relay(e *Event) error {
	at := e.Time
	a, err := h.admit(e)
	if err != nil {
		return err
	}
	if a.member.log != nil {
		return fmt.Errorf("the class %s is retained here, and its events come from the log", e.Class)
	}
	e.Time = at
	_, err = h.routeFree(a)
	return err
}
