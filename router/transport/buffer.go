package transport

import (
	"math/bits"
	"sync"
)

const (
	// readSize is how many bytes one read takes at most, unless a message
	// needs more.
	readSize = 16 << 10

	minClass = 9  // 512 bytes: the smallest buffer
	maxClass = 16 // 64 KiB: the largest that is pooled
)

// A buffer is a piece of memory, mostly from a pool.
type buffer struct{ b []byte }

// buffers are pools by size, in powers of two. They hold pointers so that
// giving back does not allocate.
var buffers [maxClass - minClass + 1]sync.Pool

// getBuffer returns a buffer of at least n bytes: the next power of two if
// that is pooled, otherwise exactly n.
func getBuffer(n int) *buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	if class > maxClass {
		return &buffer{b: make([]byte, n)}
	}
	if b, ok := buffers[class-minClass].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, 1<<class)}
}

// free gives b back. The caller must not use it any more.
func (b *buffer) free() {
	n := len(b.b)
	if class := bits.Len(uint(n - 1)); n == 1<<class && class >= minClass && class <= maxClass {
		buffers[class-minClass].Put(b)
	}
}

// An inbox holds the bytes that have arrived and are not used up. Without any
// it holds no memory.
type inbox struct {
	buf  *buffer // nil: empty
	r, w int     // buf.b[r:w] has arrived
}

// bytes returns what has arrived, valid until the next call of a method.
func (in *inbox) bytes() []byte {
	if in.buf == nil {
		return nil
	}
	return in.buf.b[in.r:in.w]
}

// take uses up n bytes.
func (in *inbox) take(n int) {
	in.r += n
	if in.r == in.w && in.buf != nil {
		in.buf.free()
		*in = inbox{}
	}
}

// put appends b as if it had been read.
func (in *inbox) put(b []byte) {
	for len(b) > 0 {
		n := copy(in.room(len(b)), b)
		in.added(n)
		b = b[n:]
	}
}

// drop throws away what has arrived.
func (in *inbox) drop() { in.take(in.w - in.r) }

// room returns space for reading at least one byte and much as a rule. need
// is how many bytes the inbox must hold in all before they are of use; the
// buffer grows towards it, but to no more than twice what has arrived.
func (in *inbox) room(need int) []byte {
	have := in.w - in.r
	switch {
	case in.buf == nil:
		in.buf = getBuffer(readSize)
	case len(in.buf.b) < readSize:
		in.move(readSize)
	case have == len(in.buf.b):
		in.move(max(have+1, min(need, 2*have)))
	default:
		in.compact()
	}
	return in.buf.b[in.w:]
}

// slack is like room, but returns little space if little has arrived, because
// the caller will hold it while it waits.
func (in *inbox) slack(need int) []byte {
	const little = 1 << minClass
	have := in.w - in.r
	switch {
	case in.buf == nil:
		in.buf = getBuffer(little)
	case have == len(in.buf.b):
		in.move(max(have+1, min(need, 2*have)))
	default:
		in.compact()
	}
	return in.buf.b[in.w:]
}

// added counts n bytes that were read into what room or slack returned.
func (in *inbox) added(n int) { in.w += n }

// trim gives back memory that what has arrived does not need.
func (in *inbox) trim() {
	switch have := in.w - in.r; {
	case in.buf == nil:
	case have == 0:
		in.buf.free()
		*in = inbox{}
	case len(in.buf.b) >= 2*max(have, 1<<minClass):
		in.move(have)
	}
}

// move puts what has arrived into a buffer of at least size bytes.
func (in *inbox) move(size int) {
	old := in.buf
	in.buf = getBuffer(size)
	in.w = copy(in.buf.b, old.b[in.r:in.w])
	in.r = 0
	old.free()
}

// compact moves what has arrived to the front of its buffer.
func (in *inbox) compact() {
	if in.r > 0 {
		in.w = copy(in.buf.b, in.buf.b[in.r:in.w])
		in.r = 0
	}
}
