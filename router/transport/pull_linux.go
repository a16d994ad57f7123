package transport

import (
	"io"
	"os"
	"syscall"

	"github.com/wireroom/wireroom/router/sockio"
)

// A puller reads from a socket by system calls that do not wait, and leaves
// waiting to the runtime's poller. While it waits it holds no buffer but for
// what has arrived before. It belongs to the reader.
type puller struct {
	// Fixed at construction.
	rc      syscall.RawConn
	attempt func(fd uintptr) bool // try, made once

	// Arguments and results of try.
	in   *inbox
	need int
	n    int
	err  error
}

func (p *puller) init(rc syscall.RawConn) {
	p.rc = rc
	p.attempt = p.try
}

// pollOnly as the need of pull makes it return 0, nil if nothing is there.
const pollOnly = 0

// pull reads at least one byte into in, and returns how many, or an error. need
// is as for inbox.room, or pollOnly.
func (p *puller) pull(in *inbox, need int) (int, error) {
	p.in, p.need = in, need
	if err := p.rc.Read(p.attempt); err != nil {
		in.trim()
		return 0, err
	}
	return p.n, p.err
}

// try reads once. If nothing is there it gives its buffer back and reports
// false, upon which the runtime waits until there is something.
func (p *puller) try(fd uintptr) bool {
	space := p.in.room(p.need)
	for {
		n, err := sockio.Read(int(fd), space)
		switch {
		case n > 0:
			p.in.added(n)
			p.n, p.err = n, nil
			return true
		case err == syscall.EINTR:
			continue
		}
		p.in.trim()
		switch err {
		case nil:
			p.n, p.err = 0, io.EOF
		case syscall.EAGAIN:
			p.n, p.err = 0, nil
			return p.need == pollOnly
		default:
			p.n, p.err = 0, os.NewSyscallError("read", err)
		}
		return true
	}
}
