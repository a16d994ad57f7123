package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// open lets everybody in, as the role "tester", and lets it do anything but
// touch what begins with "forbidden.".
type open struct{}

func (open) Authenticate(_ context.Context, j router.Joining) (*router.Grant, *router.Challenge, error) {
	id := j.Hello.AuthID
	switch {
	case id == "":
		id = "anyone"
	case id == "eve":
		return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "not you")
	case id == "broken":
		return nil, nil, errors.New("database password is s3cret")
	}
	grant := &router.Grant{AuthID: id, AuthRole: "tester", AuthMethod: "anonymous", Provider: "test"}
	if realm, ok := j.Hello.AuthExtra["realm"].(string); ok {
		grant.Realm = wamp.URI(realm)
	}
	grant.Claims, _ = j.Hello.AuthExtra["claims"].(string)
	grant.Client, _ = j.Hello.AuthExtra["client"].(string)
	if id == "limited" {
		l := router.DefaultLimits()
		l.QueueBytes, l.MaxSubscriptions = 4096, 1
		grant.Limits = &l
	}
	if len(j.Hello.AuthMethods) > 0 && j.Hello.AuthMethods[0] == "ticket" {
		grant.AuthMethod = "ticket"
		return nil, &router.Challenge{Method: "ticket", Answer: func(_ context.Context, signature string, _ map[string]any) (*router.Grant, error) {
			if signature != "open sesame" {
				return nil, wamp.Errorf(wamp.URIAuthenticationFail, "the ticket is not valid")
			}
			return grant, nil
		}}, nil
	}
	return grant, nil, nil
}

// Authorize decides by the first part of the URI. Of what begins with "asked.",
// the second part says after a second what becomes of it.
func (open) Authorize(_ *router.Session, _ router.Action, uri wamp.URI, _ wamp.Match, _ wamp.Message) router.Decision {
	if rest, ok := strings.CutPrefix(string(uri), "asked."); ok {
		return router.Decision{Ask: func(ctx context.Context) (router.Decision, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return router.Decision{}, ctx.Err()
			}
			if strings.HasPrefix(rest, "failing.") {
				return router.Decision{}, wamp.Errorf(wamp.URIAuthorizationFailed, "nobody knows")
			}
			return decide(rest), nil
		}}
	}
	return decide(string(uri))
}

func decide(uri string) router.Decision {
	switch first, _, _ := strings.Cut(uri, "."); first {
	case "forbidden":
		return router.Decision{}
	case "named":
		return router.Decision{Allow: true, Disclose: router.DiscloseAlways}
	case "nameless":
		return router.Decision{Allow: true, Disclose: router.DiscloseNever}
	default:
		return router.Decision{Allow: true}
	}
}

type testRouter struct {
	t   testing.TB
	rt  *router.Router
	all []*client
}

const testRealm wamp.URI = "realm1"

// newRouter returns a router with one realm, which shuts down with the test.
func newRouter(t testing.TB, change ...func(*router.Config)) *testRouter {
	return newRouterGoverned(t, nil, change...)
}

func newRouterGoverned(t testing.TB, gov router.Governor, change ...func(*router.Config)) *testRouter {
	cfg := router.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	tr := &testRouter{t: t, rt: router.New(cfg, open{}, slog.New(slog.DiscardHandler))}
	realm := tr.rt.AddRealm(testRealm, open{}, gov)
	realm.Provide("wireroom.test.echo", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		args, err := r.Payload.DecodeArgs()
		return args, nil, err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, c := range tr.all {
			c.hangUp()
		}
		if err := tr.rt.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return tr
}

// A client is a peer whose link is memory. The test is its reader.
type client struct {
	link *memLink
	s    *router.Session
	ser  wamp.Serializer

	hangsUp atomic.Bool   // somebody has begun to
	hungUp  chan struct{} // closed when that is done; no lock, for the same reason as reader

	// Used by until.
	subscribed bool
	last       map[int]int
	problems   []string

	// A value in it is the lock of who acts as the link's reader. It is no
	// mutex, since a reader may wait, and fake time does not pass while
	// somebody waits for a mutex.
	reader chan struct{}
	dead   error
}

var plain = &router.Framing{Index: 3, Seal: func(buf []byte, _ wamp.Serializer) []byte { return buf }, Open: func(frame []byte) []byte { return frame }}

func (tr *testRouter) connect() *client { return tr.connectWith(wamp.JSON) }

func (tr *testRouter) connectWith(ser wamp.Serializer) *client {
	return tr.connectAs(router.Peer{Serializer: ser, Framing: plain, Transport: "memory", RemoteAddr: "test"})
}

func (tr *testRouter) connectAs(peer router.Peer) *client {
	c := &client{ser: peer.Serializer, reader: make(chan struct{}, 1), hungUp: make(chan struct{}), link: &memLink{closed: make(chan struct{}), unstall: make(chan struct{})}}
	c.link.onClose = c.hangUp
	c.reader <- struct{}{} // the router may hang up at once
	c.s = tr.rt.Attach(c.link, peer)
	<-c.reader
	tr.all = append(tr.all, c)
	return c
}

// hangUp is what a reader does when its connection has ended.
func (c *client) hangUp() {
	if c.hangsUp.Swap(true) {
		<-c.hungUp
		return
	}
	defer close(c.hungUp)
	c.link.Close()
	c.reader <- struct{}{}
	defer func() { <-c.reader }()
	c.s.Detach(io.EOF)
}

func (c *client) send(msg string) {
	c.reader <- struct{}{}
	defer func() { <-c.reader }()
	if c.dead == nil {
		c.dead = c.s.Receive([]byte(msg))
	}
	c.s.Flush()
}

func (c *client) express(msg string) string { return msg }

func (c *client) act(what string) error {
	switch what {
	case "stall":
		c.link.setStalled(true)
	case "read":
		c.link.setStalled(false)
	default:
		return fmt.Errorf("no such act")
	}
	return nil
}

// next returns the next message that the peer has got, and whether there is one.
func (c *client) next() ([]byte, bool) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if len(c.link.got) == 0 {
		return nil, false
	}
	msg := c.link.got[0]
	c.link.got = c.link.got[1:]
	return msg, true
}

func (c *client) closed() bool {
	select {
	case <-c.link.closed:
		return true
	default:
		return false
	}
}

// A memLink is a Link whose peer keeps what it reads, frame by frame.
type memLink struct {
	closeOnce sync.Once
	closed    chan struct{}
	onClose   func()

	mu      sync.Mutex
	got     [][]byte
	stalled bool
	unstall chan struct{}
	drop    bool // do not keep, for benchmarks
	count   int
	writes  int
	broken  bool
}

// await returns soon, or as soon as there is something to read.
func (l *memLink) await() {
	for range 100 {
		l.mu.Lock()
		n := len(l.got)
		l.mu.Unlock()
		if n > 0 {
			return
		}
		runtime.Gosched()
	}
}

func (l *memLink) received() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func (l *memLink) setStalled(v bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = v
	if !v {
		close(l.unstall)
		l.unstall = make(chan struct{})
	}
}

// setBroken breaks the connection. Somebody must write to notice.
func (l *memLink) setBroken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
}

func (l *memLink) TryWrite(bufs [][]byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken:
		return 0, io.ErrClosedPipe
	case l.stalled:
		return 0, nil
	}
	for _, b := range bufs {
		n += len(b)
	}
	l.takeLocked(bufs)
	return n, nil
}

func (l *memLink) takeLocked(bufs [][]byte) {
	l.count += len(bufs)
	l.writes++
	if !l.drop {
		l.got = append(l.got, bufs...)
	}
}

func (l *memLink) Write(bufs [][]byte, deadline time.Time) error {
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	for {
		l.mu.Lock()
		if !l.stalled {
			l.takeLocked(bufs)
			l.mu.Unlock()
			return nil
		}
		wake := l.unstall
		l.mu.Unlock()
		select {
		case <-wake:
		case <-timeout.C:
			return os.ErrDeadlineExceeded
		case <-l.closed:
			return io.ErrClosedPipe
		}
	}
}

func (l *memLink) CloseFrame(*wamp.Error) []byte { return nil }

func (l *memLink) Finish(time.Duration) { l.Close() }

func (l *memLink) Close() error {
	l.closeOnce.Do(func() {
		close(l.closed)
		if l.onClose != nil {
			go l.onClose()
		}
	})
	return nil
}
