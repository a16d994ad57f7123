package bench

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// A refusedError is a server's answer to who wants to join: not now, or not
// at all. A server that is overrun says when to come back: with the status
// 503 and Retry-After before the upgrade, or with ABORT and _retry_after.
type refusedError struct {
	status int           // of HTTP; 0: it was an ABORT
	after  time.Duration // when to come back
	told   bool          // after is what the server said
	err    error
}

// Error says what the server answered.
func (e *refusedError) Error() string { return e.err.Error() }

// Unwrap returns what the server answered.
func (e *refusedError) Unwrap() error { return e.err }

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = time.Hour

// setAfter notes that the server said to come back in so many seconds.
func (e *refusedError) setAfter(seconds float64) {
	if seconds >= 0 && seconds <= maxRetryAfter.Seconds() {
		e.after, e.told = time.Duration(seconds*float64(time.Second)), true
	}
}

// refusedByHTTP returns what an HTTP response says instead of upgrading.
func refusedByHTTP(status int, response io.Reader) *refusedError {
	e := &refusedError{status: status, err: fmt.Errorf("HTTP status %d, expected 101", status)}
	resp, err := http.ReadResponse(bufio.NewReader(response), nil)
	if err != nil {
		return e
	}
	defer resp.Body.Close()
	if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil {
		e.setAfter(float64(seconds))
	}
	return e
}

// refusedByAbort returns what an ABORT says.
func refusedByAbort(s serializer, msg []byte) *refusedError {
	e := &refusedError{err: unexpected(s, msg)}
	const key = "_retry_after"
	_, after, ok := bytes.Cut(msg, []byte(key))
	if !ok {
		return e
	}
	if seconds, ok := s.readNumber(after); ok {
		e.setAfter(seconds)
	}
	return e
}

// readNumber reads the number that is the value of a key of which b is what
// follows: an integer that is not negative, or a float.
func (s serializer) readNumber(b []byte) (v float64, ok bool) {
	if s == serJSON {
		b = bytes.TrimLeft(b, "\": \t\r\n")
		n := 0
		for n < len(b) && n < 32 && bytes.IndexByte([]byte("+-.eE0123456789"), b[n]) >= 0 {
			n++
		}
		v, err := strconv.ParseFloat(string(b[:n]), 64)
		return v, err == nil
	}
	if n, _, ok := s.readUint(b); ok {
		return float64(n), true
	}
	single, double := byte(0xca), byte(0xcb)
	if s == serCBOR {
		single, double = 0xfa, 0xfb
	}
	switch {
	case len(b) >= 5 && b[0] == single:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b[1:]))), true
	case len(b) >= 9 && b[0] == double:
		return math.Float64frombits(binary.BigEndian.Uint64(b[1:])), true
	case len(b) >= 3 && s == serCBOR && b[0] == 0xf9:
		return halfFloat(binary.BigEndian.Uint16(b[1:])), true
	}
	return 0, false
}

// halfFloat returns the value of a float of 16 bits, RFC 8949, appendix D.
func halfFloat(h uint16) float64 {
	exponent, mantissa := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(mantissa, -24)
	case 31:
		return math.NaN() // no time to come back at
	default:
		v = math.Ldexp(mantissa+1024, exponent-25)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}
