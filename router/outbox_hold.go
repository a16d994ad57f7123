package router

// An outboxHold says whether what waits may be written.
type outboxHold uint8

const (
	free   outboxHold = iota // it may
	held                     // it may not; who has the duty to write will find that
	parked                   // it may not, and nobody has the duty, though duty says so
)

// soon stands in a queue for WELCOME as long as that is not known.
var soon = []byte{}

// withhold queues WELCOME, which is not known yet, and has nothing written until
// release is called. What is queued meanwhile comes after it.
func (o *outbox) withhold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.over {
		return
	}
	o.addLocked(entry{frame: soon})
	o.hold = parked
	if o.duty == flushing {
		o.hold = held
	}
	o.duty = flushing
}

// release puts WELCOME where it belongs and lets what waits be written, by the
// caller, if it returns true. The frame may be longer than what the queue takes.
func (o *outbox) release(welcome []byte) (flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.entries {
		if e := &o.entries[i]; e.frame != nil && len(e.frame) == 0 && e.member == nil {
			e.frame = welcome
			o.bytes += len(welcome)
			break
		}
	}
	flush = o.hold == parked
	o.hold = free
	return flush
}
