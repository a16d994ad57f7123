package transport

import (
	"errors"
	"net"
	"syscall"

	"github.com/wireroom/wireroom/router"
)

// WriteOnce writes bufs to the descriptor by one system call: with gathering,
// after copying them together if they fit, or else by writev.
func WriteOnce(fd int, bufs [][]byte, gather bool) (n int, err error) {
	o := outputs.Get().(*output)
	o.bufs = bufs
	if gather {
		n, _, err = o.step(fd)
	} else {
		n, _, err = o.writev(fd, bufs[0])
	}
	o.result(nil)
	outputs.Put(o)
	return n, err
}

// KeepAlive returns after how many seconds of silence the system looks after
// the peer of a TCP connection; 0 is never.
func KeepAlive(link router.Link) (seconds int, err error) {
	rc, err := link.(*conn).wire.(*rawWire).nc.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := rc.Control(func(fd uintptr) {
		var on int
		if on, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err == nil && on != 0 {
			seconds, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
		}
	})
	return seconds, errors.Join(err, controlErr)
}

// Lean says how a connection is read and written: "raw", "tls", or "" if it
// holds a buffer or a goroutine while it is idle.
func Lean(link router.Link) string {
	switch link.(*conn).wire.(type) {
	case *rawWire:
		return "raw"
	case *tlsWire:
		return "tls"
	}
	return ""
}

// NewRequestConn returns a TCP connection as the HTTP server gets it, with first
// bytes to be read again.
func NewRequestConn(nc *net.TCPConn, head []byte) net.Conn {
	return forHTTP(nc, replay{head: head})
}

// Unreplayed opens the way back from there to tests.
var Unreplayed = unreplayed
