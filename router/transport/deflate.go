package transport

import (
	"bytes"
	"errors"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// deflateLevel is the fastest with matches: the others save 1 to 3 % more
	// of a message, and take up to twice the time.
	deflateLevel = 1

	// maxDeflate is the size in bytes beyond which a message is not
	// compressed: whoever publishes it does the work, about 5ms for a
	// mebibyte, and does nothing else meanwhile.
	maxDeflate = 1 << 20

	// deflateGain is the part of a message, as a divisor, that compressing it
	// must save.
	deflateGain = 8
)

// deflateFraming returns a framing like [WebSocket] for peers that negotiated
// permessage-deflate without context takeover. Messages of at least so many
// bytes, and at most 1 MiB, are compressed if that saves an eighth of them.
func deflateFraming(least int, count *deflated) *router.Framing {
	return &router.Framing{
		Index:    1,
		Headroom: headroom,
		Seal: func(buf []byte, s wamp.Serializer) []byte {
			if n := len(buf) - headroom; n < least || n > maxDeflate {
				return seal(buf, s)
			}
			return sealDeflated(buf, s, count)
		},
		Open: openDeflated,
	}
}

// sealDeflated frames the message at buf[headroom:], compressed if that is
// worth it. A compressed frame has memory of its own, which fits it: a queue
// that counts its bytes knows what it holds.
func sealDeflated(buf []byte, s wamp.Serializer, count *deflated) []byte {
	msg := buf[headroom:]
	d := deflaters.Get().(*deflater)
	packed := d.deflate(msg)
	if packed == nil {
		deflaters.Put(d)
		count.plain.Add(1)
		return seal(buf, s)
	}
	frame := make([]byte, headroom+len(packed))
	copy(frame[headroom:], packed)
	d.out.release()
	deflaters.Put(d)
	count.messages.Add(1)
	count.before.Add(uint64(len(msg)))
	count.after.Add(uint64(len(frame) - headroom))
	frame = seal(frame, s)
	frame[0] |= bitRsv1
	return frame
}

// openDeflated returns the message of a frame that a deflateFraming sealed.
// What it did not seal may have no message.
func openDeflated(frame []byte) []byte {
	payload := open(frame)
	if frame[0]&bitRsv1 == 0 {
		return payload
	}
	out, n, err := inflate(payload, maxDeflate)
	if err != nil {
		return nil
	}
	msg := bytes.Clone(out.b[:n])
	out.free()
	return msg
}

// deflaters hold 800 KB each. One is taken for the time of one message, so
// there are as many as goroutines that compress at the same time.
var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	w, err := flate.NewWriter(&d.out, deflateLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	d.flate = w
	return d
}}

// A deflater compresses messages, one after the other.
type deflater struct {
	flate *flate.Writer
	out   sink
}

// deflate returns msg compressed, in memory that is valid until d.out is
// released, or nil if that is not worth it.
func (d *deflater) deflate(msg []byte) []byte {
	d.out.limit = len(msg) - len(msg)/deflateGain
	d.flate.Reset(&d.out)
	_, err := d.flate.Write(msg)
	if err == nil {
		err = d.flate.Flush()
	}
	if n := d.out.n - len(tail); err == nil && n > 0 {
		return d.out.buf.b[:n]
	}
	d.out.release()
	return nil
}

// errNoGain ends compression that does not save enough.
var errNoGain = errors.New("compression does not save enough")

// A sink takes what a compressor writes, up to a limit and the tail.
type sink struct {
	buf   *buffer // nil: empty
	n     int
	limit int
}

func (s *sink) Write(p []byte) (int, error) {
	total := s.n + len(p)
	if total > s.limit+len(tail) {
		return 0, errNoGain
	}
	switch {
	case s.buf == nil:
		s.buf = getBuffer(max(total, s.limit/3))
	case total > len(s.buf.b):
		old := s.buf
		s.buf = getBuffer(max(total, min(s.limit+len(tail), 2*len(old.b))))
		copy(s.buf.b, old.b[:s.n])
		old.free()
	}
	s.n += copy(s.buf.b[s.n:], p)
	return len(p), nil
}

// release gives back the memory.
func (s *sink) release() {
	if s.buf != nil {
		s.buf.free()
	}
	*s = sink{}
}
