package transport

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An exchange is one HTTP request and its answer, as far as others may cut it
// short. Its handler must call end.
//
// With HTTP/1 a deadline for writing that has passed does harm to who writes.
// With HTTP/2 it ends the request when it passes, so there is one only while
// something is written.
type exchange struct {
	// Fixed at construction.
	w      http.ResponseWriter
	rc     *http.ResponseController
	stream bool // it is one of HTTP/2

	mu  sync.Mutex // guards the following
	off bool       // it was cut short, or has ended
}

func newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{w: w, rc: http.NewResponseController(w), stream: r.ProtoMajor > 1}
	if x.stream {
		_ = x.rc.SetWriteDeadline(time.Time{}) // the server's own is for ordinary requests
	}
	return x
}

// mayRead gives reading the request until a time; the zero time is no limit. The
// handler calls it.
func (x *exchange) mayRead(until time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.off {
		return net.ErrClosed
	}
	_ = x.rc.SetReadDeadline(until) // fails only if the connection is gone, and then so does reading
	return nil
}

// mayWrite is the same for writing the answer.
func (x *exchange) mayWrite(until time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.off {
		return net.ErrClosed
	}
	_ = x.rc.SetWriteDeadline(until) // likewise
	return nil
}

// write writes b and sees to it that it leaves, by the deadline.
func (x *exchange) write(b []byte, deadline time.Time) error {
	if err := x.mayWrite(deadline); err != nil {
		return err
	}
	if _, err := x.w.Write(b); err != nil {
		return err
	}
	if err := x.rc.Flush(); err != nil || !x.stream {
		return err
	}
	return x.mayWrite(time.Time{})
}

// answer writes the whole answer.
func (x *exchange) answer(contentType string, body []byte, deadline time.Time) error {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return x.write(body, deadline)
}

// cut makes what the handler reads or writes fail, now and later. It is safe for
// any goroutine, and can be called again.
func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.off {
		return
	}
	x.off = true
	_ = x.rc.SetReadDeadline(longAgo)
	_ = x.rc.SetWriteDeadline(longAgo)
}

// end says that the handler returns: the answer is not touched any more.
func (x *exchange) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.off = true
}
