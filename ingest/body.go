package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
)

// LimitRead gives the peer until timeout from now to send what it still has to
// send of the request. A handler calls it before it does anything else, because
// the server also reads, and waits for, the body of a request that the handler
// refused without reading it. The server lifts the limit when the body has been
// read to its end: a handler may work for longer, and a connection rest.
//
// It does nothing where w is not a real connection.
func LimitRead(w http.ResponseWriter, timeout time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
}

// maxDrained is how much too large a body may be, in bytes, to be read in vain.
// Many clients read no answer before they have sent everything, and would see
// only a broken connection.
const maxDrained = 1 << 20

// ReadBody appends the body of the request to dst and returns the extended
// slice, also when it fails.
//
// A body larger than limit bytes is [TooLarge], without a byte of it kept if
// its length was declared. One that has not arrived when the limit set by
// [LimitRead] is over is [Timeout]. One that ends early is [BadRequest]. In
// all these cases the connection is closed after the answer. Memory grows with
// the bytes that came, never by the length that was declared.
func ReadBody(w http.ResponseWriter, r *http.Request, dst []byte, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		if r.ContentLength <= limit+maxDrained && r.Header.Get("Expect") == "" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return dst, tooLarge(limit)
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	for {
		dst = slices.Grow(dst, 512)
		n, err := body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == nil {
			continue
		}
		if err == io.EOF {
			return dst, nil
		}
		w.Header().Set("Connection", "close")
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return dst, tooLarge(limit)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return dst, &Error{Kind: Timeout, Index: -1, Err: err}
		}
		return dst, &Error{Kind: BadRequest, Text: "the request's body ended early", Index: -1, Err: err}
	}
}

func tooLarge(limit int64) *Error {
	return Errorf(TooLarge, "the request's body may have at most %d bytes", limit)
}
