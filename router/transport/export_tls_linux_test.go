package transport

import (
	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom/router"
)

// Unread returns how many bytes have arrived at a connection over lean TLS and
// were not read from its socket.
func Unread(link router.Link) (n int) {
	w := link.(*conn).wire.(*tlsWire)
	w.lean.rc.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n
}

// Kept returns how many bytes of ciphertext the socket of a connection over
// lean TLS did not take, and whether TLS wrote some of them by itself.
func Kept(link router.Link) (n int, owed bool) {
	c := link.(*conn).wire.(*tlsWire).lean
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out.bytes()), c.owed.Load()
}

// Cut runs a stream of TLS records through a meter: the first n bytes as they
// are read before the upgrade, the others in pieces. It returns the pieces in
// which TLS gets the others, and how many bytes are left.
func Cut(stream []byte, n int, step func() int) (pieces [][]byte, left int) {
	var (
		m    recordMeter
		have []byte
	)
	for head := stream[:n]; len(head) > 0; {
		k := min(max(1, step()), len(head))
		m.pass(head[:k])
		head = head[k:]
	}
	for rest := stream[n:]; ; {
		for {
			size, need := m.rest(have)
			if size == 0 {
				if need <= len(have) {
					panic("the meter asks for no more than it has")
				}
				break
			}
			pieces = append(pieces, have[:size:size])
			have = have[size:]
			m = recordMeter{}
		}
		if len(rest) == 0 {
			return pieces, len(have)
		}
		k := min(max(1, step()), len(rest))
		have = append(have, rest[:k]...)
		rest = rest[k:]
	}
}

// Groups returns buffers in the groups in which they are encrypted, after
// skipping n bytes.
func Groups(bufs [][]byte, n int) (groups []string) {
	g := grouper{bufs: bufs}
	g.skip(n)
	for {
		b := g.next()
		if len(b) == 0 {
			g.release()
			return groups
		}
		groups = append(groups, string(b))
		if len(groups)%2 == 0 {
			g.release()
		}
	}
}
