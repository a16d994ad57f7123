//go:build linux

package torture_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A proxy passes TCP connections on, and breaks them when it is told to.
type proxy struct {
	ln    net.Listener
	owned sync.WaitGroup

	mu      sync.Mutex // guards the following
	network string     // of target
	target  string     // where connections go; empty: nowhere, they are reset
	open    map[*pipe]struct{}
	refuses bool
	barred  string           // the address of who is refused all the same; empty: nobody's
	held    [2]chan struct{} // by direction: nil, or closed when bytes go on
	closed  bool
	detour  detour // of addresses in what comes down; nil: none
}

// A direction of a proxy.
const (
	up   = 0 // from who connects
	down = 1
)

// A pipe is one connection and what it is passed on to.
type pipe struct {
	near, far net.Conn
	end       chan struct{} // closed when both are
	once      sync.Once
}

// newProxy listens on a port of the loopback interface that the system draws.
// Its test ends it.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, open: map[*pipe]struct{}{}}
	p.owned.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

// lead says where connections go from now on.
func (p *proxy) lead(network, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.target = network, target
}

// rewrite has addresses in what comes back changed, over connections that are
// made from now on.
func (p *proxy) rewrite(d detour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detour = d
}

// carries reports whether there are connections.
func (p *proxy) carries() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) > 0
}

func (p *proxy) accept() {
	for {
		near, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.owned.Go(func() { p.pass(near) })
	}
}

// pass passes a connection on until one of its ends is gone.
func (p *proxy) pass(near net.Conn) {
	p.mu.Lock()
	network, target, refuses, d := p.network, p.target, p.refusesLocked(near), p.detour
	p.mu.Unlock()
	var far net.Conn
	if !refuses && target != "" {
		var err error
		if far, err = net.Dial(network, target); err != nil {
			refuses = true // as far as who connects can see
		}
	}
	if refuses || far == nil {
		reset(near)
		return
	}
	q := &pipe{near: near, far: far, end: make(chan struct{})}
	p.mu.Lock()
	if p.refusesLocked(near) {
		p.mu.Unlock()
		q.reset()
		return
	}
	p.open[q] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(q, far, near, up, nil) })
	both.Go(func() { p.copy(q, near, far, down, d) })
	both.Wait()
	q.reset()
	p.mu.Lock()
	delete(p.open, q)
	p.mu.Unlock()
}

// copy passes bytes on in one direction, unless they are held back, with
// addresses changed by a detour, if there is one.
func (p *proxy) copy(q *pipe, to, from net.Conn, direction int, d detour) {
	buf := make([]byte, 16<<10)
	kept := 0 // bytes in buf that wait for those that follow
	for {
		n, err := from.Read(buf[kept:])
		n, kept = kept+n, 0
		if d != nil {
			d.rewrite(buf[:n])
			kept = undecided(buf[:n])
		}
		if n > kept && p.wait(q, direction) {
			if _, err := to.Write(buf[:n-kept]); err != nil {
				q.reset()
				return
			}
		}
		copy(buf, buf[n-kept:n])
		if err != nil {
			// That the peer is gone does not get through a black hole either.
			if p.wait(q, direction) {
				if c, ok := to.(interface{ CloseWrite() error }); ok && err == io.EOF {
					_ = c.CloseWrite()
				} else {
					q.reset()
				}
			}
			return
		}
	}
}

// wait returns when bytes may go on, and false when the connection is over.
func (p *proxy) wait(q *pipe, direction int) bool {
	for {
		p.mu.Lock()
		held := p.held[direction]
		p.mu.Unlock()
		if held == nil {
			return true
		}
		select {
		case <-held:
		case <-q.end:
			return false
		}
	}
}

// hold makes a black hole of the direction, until release.
func (p *proxy) hold(direction int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[direction] == nil {
		p.held[direction] = make(chan struct{})
	}
}

// release lets bytes go on, with what was held back first.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d, held := range p.held {
		if held != nil {
			close(held)
			p.held[d] = nil
		}
	}
}

// cut resets all connections, and those that come until refuse(false).
func (p *proxy) cut() {
	p.mu.Lock()
	p.refuses = true
	pipes := p.open
	p.open = map[*pipe]struct{}{}
	p.mu.Unlock()
	for q := range pipes {
		q.reset()
	}
}

// bar is cut for those alone who connect from the address, until unbar.
func (p *proxy) bar(from string) {
	p.mu.Lock()
	p.barred = from
	var pipes []*pipe
	for q := range p.open {
		if sourceOf(q.near) == from {
			pipes = append(pipes, q)
		}
	}
	p.mu.Unlock()
	for _, q := range pipes {
		q.reset()
	}
}

// unbar lets those connect again who were barred.
func (p *proxy) unbar() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.barred = ""
}

// refusesLocked reports whether the connection is to be reset. p.mu is held.
func (p *proxy) refusesLocked(near net.Conn) bool {
	return p.refuses || p.closed || p.barred != "" && sourceOf(near) == p.barred
}

// sourceOf returns the address from which somebody has connected, without port.
func sourceOf(near net.Conn) string {
	host, _, _ := net.SplitHostPort(near.RemoteAddr().String())
	return host
}

func (p *proxy) refuse(refuses bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuses
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.ln.Close()
	p.cut()
	p.release()
	p.owned.Wait()
}

func (q *pipe) reset() {
	q.once.Do(func() {
		close(q.end)
		reset(q.near)
		reset(q.far)
	})
}

// reset closes a connection in a way that loses what is still under way.
func reset(c net.Conn) {
	if c, ok := c.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = c.Close()
}
