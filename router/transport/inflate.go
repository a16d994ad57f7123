package transport

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Why a compressed message cannot be delivered.
var (
	errInflatesTooBig = errors.New("inflates to more than the limit")
	errCorrupt        = errors.New("is no DEFLATE data")
)

// inflaters hold 40 KB each. One is taken for the time of one message, so
// there are as many as goroutines that inflate at the same time.
var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.flate = flate.NewReader(&f.src)
	return f
}}

// An inflater inflates messages, one after the other.
type inflater struct {
	src   source
	flate io.Reader // a flate.Resetter
	probe [1]byte
}

// inflate returns the message whose compressed payload is src, in a buffer
// that the caller frees, if it has at most limit bytes. The buffer grows with
// what comes out of src, not with what src announces.
func inflate(src []byte, limit int) (out *buffer, n int, err error) {
	f := inflaters.Get().(*inflater)
	out = getBuffer(min(limit, 4*len(src)))
	out, n, err = f.run(src, out, limit)
	f.src = source{} // keep nobody's memory
	inflaters.Put(f)
	if err != nil {
		out.free()
		return nil, 0, err
	}
	return out, n, nil
}

// run inflates src into out, or into a larger buffer that it frees out for.
func (f *inflater) run(src []byte, out *buffer, limit int) (_ *buffer, n int, err error) {
	f.src = source{b: src}
	f.reset()
	for {
		if n == len(out.b) && n < limit {
			old := out
			out = getBuffer(min(limit, 2*len(old.b)))
			copy(out.b, old.b)
			old.free()
		}
		space := out.b[n:min(limit, len(out.b))]
		if len(space) == 0 {
			space = f.probe[:]
		}
		read, err := f.flate.Read(space)
		if n += read; n > limit {
			return out, n, errInflatesTooBig
		}
		switch {
		case err == nil:
		case err == io.EOF && f.src.ended(), f.src.clean:
			return out, n, nil
		case err == io.EOF:
			f.reset() // RFC 7692, 7.2.3.4: blocks may follow one that says it is the final one
		default:
			return out, n, errCorrupt
		}
	}
}

// reset makes ready for DEFLATE data, which begins with nothing to refer to.
func (f *inflater) reset() { _ = f.flate.(flate.Resetter).Reset(&f.src, nil) } // cannot fail

// tail is the end of an empty block, which a sender takes off a compressed
// message and a receiver puts back (RFC 7692, 7.2.1 and 7.2.2).
var tail = []byte("\x00\x00\xff\xff")

// A source is a payload with its tail put back. It notices whether the data
// ended where it should: data that was cut off in the middle of a block looks
// the same to the decoder.
//
// A block at the end of which nothing is left over ends with bytes that the
// decoder takes by Read, because they are the lengths or the content of a
// stored block. The header of the next block, which is not there, it asks for
// by ReadByte.
type source struct {
	b      []byte // the payload, then the tail
	pos    int    // in b
	tailed bool   // b is the tail
	stored bool   // the last byte was taken by Read
	clean  bool   // the end of the data is the end of a block
}

// ended reports whether all was taken. It goes on to the tail if need be.
func (s *source) ended() bool {
	if s.pos == len(s.b) && !s.tailed {
		s.b, s.pos, s.tailed = tail, 0, true
	}
	return s.pos == len(s.b)
}

func (s *source) ReadByte() (byte, error) {
	if s.pos == len(s.b) && s.ended() {
		s.clean = s.stored
		return 0, io.EOF
	}
	s.stored = false
	c := s.b[s.pos]
	s.pos++
	return c, nil
}

func (s *source) Read(p []byte) (n int, err error) {
	if s.ended() {
		return 0, io.EOF
	}
	n = copy(p, s.b[s.pos:])
	s.pos += n
	s.stored = true
	return n, nil
}
