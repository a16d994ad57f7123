package interop_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A cable is the network between a browser and a gateway, which can be cut and
// mended.
type cable struct {
	addr, to string
	wg       sync.WaitGroup // accepting and copying goroutines

	mu    sync.Mutex // guards the following
	whole bool
	l     net.Listener
	conns map[net.Conn]bool
}

// newCable lays a cable to an address. It is taken up when the test ends.
func newCable(t *testing.T, to string) *cable {
	t.Helper()
	c := &cable{addr: "127.0.0.1:0", to: to, conns: make(map[net.Conn]bool)}
	c.mend(t)
	t.Cleanup(c.cut)
	return c
}

// mend lets connections through, at the same address as before.
func (c *cable) mend(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	c.mu.Lock()
	c.l, c.whole = l, true
	c.mu.Unlock()
	c.wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(near) })
		}
	})
}

// cut breaks all connections, lets none through, and waits for its goroutines.
func (c *cable) cut() {
	c.mu.Lock()
	c.whole = false
	c.l.Close()
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// carry copies both ways until either end closes.
func (c *cable) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.keep(near, far) {
		return
	}
	defer c.forget(near, far)
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		wg.Go(func() {
			io.Copy(pair[0], pair[1])
			near.Close()
			far.Close()
		})
	}
	wg.Wait()
}

// keep remembers connections to cut. It reports whether the cable is whole.
func (c *cable) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole {
		for _, conn := range conns {
			c.conns[conn] = true
		}
	}
	return c.whole
}

func (c *cable) forget(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.conns, conn)
	}
}
