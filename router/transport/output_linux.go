package transport

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/wireroom/wireroom/router/sockio"
)

const (
	// maxVector is how many buffers one writev takes (IOV_MAX of Linux).
	maxVector = 1024

	// gatherSize is up to how many bytes several buffers are copied
	// together and written by write. That is cheaper than writev, which
	// pays for each buffer: by 5% for 8 frames of 150 bytes, by 25% for 100
	// (BenchmarkGather).
	gatherSize = 16 << 10
)

// An output is one attempt to write buffers to a socket. It comes from a pool
// with its functions made, so that writing does not allocate.
type output struct {
	// Fixed at construction.
	once func(fd uintptr) bool // writes what the socket takes now
	all  func(fd uintptr) bool // is called again until everything is written

	bufs   [][]byte // to write; the slice headers are not changed
	offset int      // bytes of bufs[0] that are written
	n      int      // bytes that are written in all
	err    error

	vector [maxVector]syscall.Iovec
	gather [gatherSize]byte
}

var outputs = sync.Pool{New: func() any {
	o := new(output)
	o.once = func(fd uintptr) bool {
		o.write(int(fd))
		return true
	}
	o.all = func(fd uintptr) bool {
		o.write(int(fd))
		return len(o.bufs) == 0 || o.err != nil
	}
	return o
}}

// result returns what was achieved and makes o ready for reuse.
func (o *output) result(err error) (int, error) {
	n := o.n
	if err == nil {
		err = o.err
	}
	o.bufs, o.offset, o.n, o.err = nil, 0, 0, nil
	return n, err
}

// write writes until nothing is left, the socket takes no more, or an error.
func (o *output) write(fd int) {
	for len(o.bufs) > 0 {
		n, asked, err := o.step(fd)
		switch err {
		case nil:
			o.advance(n)
			if n < asked {
				return // full; another call would say EAGAIN
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return
		default:
			o.err = os.NewSyscallError("write", err)
			return
		}
	}
}

// step makes one system call and returns how many bytes it wrote, and how many
// it was asked to.
func (o *output) step(fd int) (n, asked int, err error) {
	first := o.bufs[0][o.offset:]
	if len(o.bufs) == 1 {
		n, err = sockio.Write(fd, first)
		return n, len(first), err
	}
	if len(first) > gatherSize {
		return o.writev(fd, first)
	}
	asked = copy(o.gather[:], first)
	for _, b := range o.bufs[1:] {
		if len(b) > gatherSize-asked {
			return o.writev(fd, first)
		}
		asked += copy(o.gather[asked:], b)
	}
	n, err = sockio.Write(fd, o.gather[:asked])
	return n, asked, err
}

func (o *output) writev(fd int, first []byte) (n, asked int, err error) {
	v := o.vector[:0]
	for i, b := range o.bufs {
		if i == 0 {
			b = first
		}
		if len(b) == 0 {
			continue
		}
		if len(v) == maxVector {
			break
		}
		v = append(v, syscall.Iovec{Base: &b[0]})
		v[len(v)-1].SetLen(len(b))
		asked += len(b)
	}
	if asked == 0 {
		return 0, 0, nil
	}
	r, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
	clear(v) // keep nobody's message alive
	if errno != 0 {
		return 0, asked, errno
	}
	return int(r), asked, nil
}

// advance counts n bytes as written.
func (o *output) advance(n int) {
	o.n += n
	n += o.offset
	for len(o.bufs) > 0 && n >= len(o.bufs[0]) {
		n -= len(o.bufs[0])
		o.bufs = o.bufs[1:]
	}
	o.offset = n
}
