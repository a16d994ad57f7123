//go:build linux

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A lookout tells when a server has ended a connection that nobody reads. The
// client's side may not learn that for a long time: what the server wrote
// before stands in the way of its farewell. If the server is on this machine,
// the kernel can be asked for the state of the server's socket.
type lookout struct {
	conn syscall.RawConn // the client's socket; nil if there is none
	id   []byte          // of the server's, as the kernel is asked; nil: not on this machine
}

// stateEstablished is the state of a connection that neither side has ended.
const stateEstablished = 1

// newLookout watches a connection, which stays its owner's.
func newLookout(c net.Conn) *lookout {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn() // below TLS
	}
	l := &lookout{}
	if sc, ok := c.(syscall.Conn); ok {
		l.conn, _ = sc.SyscallConn()
	}
	local, ok1 := c.LocalAddr().(*net.TCPAddr)
	remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return l
	}
	l.id = socketID(remote, local)
	if state, err := askState(l.id); err != nil || state != stateEstablished {
		l.id = nil
	}
	return l
}

// ended reports whether the server has ended the connection, as far as can be
// seen.
func (l *lookout) ended() bool {
	if l.id != nil {
		if state, err := askState(l.id); err == nil {
			return state != stateEstablished
		}
	}
	return l.hungUp()
}

// hungUp reports whether the client's own socket knows of an end.
func (l *lookout) hungUp() bool {
	if l.conn == nil {
		return false
	}
	gone := false
	err := l.conn.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		gone = err == nil && n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return err != nil || gone
}

// The request for one socket, sock_diag(7): a netlink header, and a struct
// inet_diag_req_v2.
const (
	diagHeader     = 16
	diagRequest    = diagHeader + 56
	sockDiagFamily = 20 // SOCK_DIAG_BY_FAMILY
)

// socketID returns the request for the state of the TCP socket at own that is
// connected to peer.
func socketID(own, peer *net.TCPAddr) []byte {
	b := make([]byte, diagRequest)
	native := binary.NativeEndian
	native.PutUint32(b[0:], diagRequest)
	native.PutUint16(b[4:], sockDiagFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	from, to := own.IP.To4(), peer.IP.To4()
	b[diagHeader] = unix.AF_INET
	if from == nil || to == nil {
		b[diagHeader] = unix.AF_INET6
		from, to = own.IP.To16(), peer.IP.To16()
	}
	b[diagHeader+1] = unix.IPPROTO_TCP
	native.PutUint32(b[diagHeader+4:], ^uint32(0)) // in any state
	id := b[diagHeader+8:]
	binary.BigEndian.PutUint16(id[0:], uint16(own.Port))
	binary.BigEndian.PutUint16(id[2:], uint16(peer.Port))
	copy(id[4:20], from)
	copy(id[20:36], to)
	native.PutUint64(id[40:], ^uint64(0)) // no cookie
	return b
}

// askState asks the kernel for the state of a socket: 0 if there is none.
func askState(id []byte) (state byte, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, id, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	return parseState(answer[:n])
}

// parseState reads the answer: a struct inet_diag_msg, or an error.
func parseState(b []byte) (state byte, err error) {
	if len(b) < diagHeader+4 {
		return 0, fmt.Errorf("sock_diag: an answer of %d bytes, expected at least %d", len(b), diagHeader+4)
	}
	switch typ := binary.NativeEndian.Uint16(b[4:]); typ {
	case sockDiagFamily:
		return b[diagHeader+1], nil
	case unix.NLMSG_ERROR:
		errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(b[diagHeader:])))
		if errors.Is(errno, syscall.ENOENT) {
			return 0, nil
		}
		return 0, fmt.Errorf("sock_diag: %w", errno)
	default:
		return 0, fmt.Errorf("sock_diag: an answer of type %d, expected %d", typ, sockDiagFamily)
	}
}
