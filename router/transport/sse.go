package transport

import (
	"net/http"
	"strconv"
	"time"
)

// An eventWriter writes an event stream (WHATWG HTML, "Server-sent events") as
// the answer to a request.
type eventWriter struct {
	// Fixed at construction.
	x       *exchange
	timeout time.Duration // for the client to read what is written at a time

	buf []byte // events that were not written yet
}

// keepEvents is how large a buffer is that is kept for the next events.
const keepEvents = 2 << 10

// begin writes the head of the answer. The browser comes back after retry when
// the stream breaks.
func (e *eventWriter) begin(retry time.Duration) {
	h := e.x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	e.x.w.WriteHeader(http.StatusOK)
	e.retry(retry)
	e.close()
}

// retry says when to come back, as a part of the event that follows.
func (e *eventWriter) retry(after time.Duration) {
	e.buf = append(e.buf, "retry: "...)
	e.buf = strconv.AppendInt(e.buf, after.Milliseconds(), 10)
	e.close()
}

// field adds a line to the event that is being written. Line breaks in value,
// which in JSON is white space if anything, become spaces.
func (e *eventWriter) field(name string, value []byte) {
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, ": "...)
	at := len(e.buf)
	e.buf = append(e.buf, value...)
	for i, c := range e.buf[at:] {
		if c == '\n' || c == '\r' {
			e.buf[at+i] = ' '
		}
	}
	e.close()
}

// close ends a line; twice, an event.
func (e *eventWriter) close() { e.buf = append(e.buf, '\n') }

// comment adds what clients pass over.
func (e *eventWriter) comment() { e.buf = append(e.buf, ":\n\n"...) }

// flush writes what was added.
func (e *eventWriter) flush() error {
	err := e.x.write(e.buf, time.Now().Add(e.timeout))
	if e.buf = e.buf[:0]; cap(e.buf) > keepEvents {
		e.buf = nil
	}
	return err
}
