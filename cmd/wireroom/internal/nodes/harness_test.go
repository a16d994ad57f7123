package nodes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

const realm wamp.URI = "realm1"

// everybody may do everything; nobody joins through it.
type everybody struct{}

func (everybody) Authenticate(context.Context, router.Joining) (*router.Grant, *router.Challenge, error) {
	return nil, nil, errors.New("a part of the program was asked who it is")
}

func (everybody) Authorize(*router.Session, router.Action, wamp.URI, wamp.Match, wamp.Message) router.Decision {
	return router.Decision{Allow: true}
}

// rooms are the rules: it is kept who is on topics below room, for everybody.
type rooms struct{}

func (rooms) Kept(topic wamp.URI) bool                  { return strings.HasPrefix(string(topic), "room.") }
func (rooms) May(*router.Session, wamp.URI) bool        { return true }
func (rooms) Subscribes(*router.Session, wamp.URI) bool { return true }
func (rooms) Hides(*router.Session, wamp.URI) bool      { return false }
func (rooms) Locates(s *router.Session) bool            { return s.AuthID() != "nosy" }

// A wire joins gateways, in place of Redis: it keeps all that is said in one order,
// and hands it to each gateway that is there when it gets to it.
type wire struct {
	mu    sync.Mutex
	ends  []*end
	names int
}

// An end is the bus of one gateway.
type end struct {
	wire *wire
	name string
	mesh *nodes.Mesh // set before anything is said
	cred credentials

	mu    sync.Mutex // taken after wire.mu
	deaf  bool       // it hears nothing, and can say nothing
	mute  bool       // it can say nothing
	knows map[string]bool
	heard []func(*nodes.Mesh)
	wake  chan struct{}
}

func (e *end) Node() string { return e.name }

func (e *end) Heard() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf || e.mute {
		return errors.New("the wire is cut")
	}
	return nil
}

// hush has an end say nothing, or speak again.
func (e *end) hush(mute bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mute = mute
}

func (e *end) Send(kind string, payload []byte) error {
	if err := e.Heard(); err != nil {
		return err
	}
	e.wire.tell(e, func(m *nodes.Mesh) {
		if !m.Message(e.name, kind, bytes.Clone(payload)) {
			panic("kind " + kind)
		}
	})
	return nil
}

// credentials remember what they are told.
type credentials struct {
	mu    sync.Mutex
	ended []auth.Revocation
	looks int
}

func (c *credentials) End(r auth.Revocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, r)
}

func (c *credentials) LookAgain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
}

// take returns what came since the last time.
func (c *credentials) take() (ended []auth.Revocation, looks int) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	ended, looks = c.ended, c.looks
	c.ended, c.looks = nil, 0
	return ended, looks
}

// tell has all ends but one hear something.
func (w *wire) tell(but *end, what func(*nodes.Mesh)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		if e != but {
			e.hear(what)
		}
	}
}

func (e *end) hear(what func(*nodes.Mesh)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		return // it is lost, and there will be a gap
	}
	e.heard = append(e.heard, what)
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// listen is the goroutine that hands over what an end hears.
func (e *end) listen(done <-chan struct{}) {
	for {
		select {
		case <-e.wake:
		case <-done:
			return
		}
		e.mu.Lock()
		heard := e.heard
		e.heard = nil
		e.mu.Unlock()
		for _, what := range heard {
			what(e.mesh)
		}
	}
}

// join makes an end one of the wire's.
func (w *wire) join(e *end) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.hear((*nodes.Mesh).Gap)
	for _, other := range w.ends {
		e.meet(other.name)
		other.meet(e.name)
	}
	w.ends = append(w.ends, e)
}

// lose takes an end away, as if its gateway had died.
func (w *wire) lose(e *end) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.ends, e) {
		return
	}
	w.ends = slices.DeleteFunc(w.ends, func(other *end) bool { return other == e })
	for _, other := range w.ends {
		other.miss(e.name)
	}
}

// meet and miss have an end hear of another one, unless it hears nothing.
func (e *end) meet(name string) {
	if e.Heard() == nil && !e.knows[name] {
		e.knows[name] = true
		e.hear(func(m *nodes.Mesh) { m.Join(name) })
	}
}

func (e *end) miss(name string) {
	if e.Heard() == nil && e.knows[name] {
		delete(e.knows, name)
		e.hear(func(m *nodes.Mesh) { m.Leave(name) })
	}
}

// cut has an end hear nothing; mend lets it hear again, after a gap.
func (e *end) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = true
}

func (e *end) mend() {
	e.mu.Lock()
	e.deaf = false
	e.mu.Unlock()
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.hear((*nodes.Mesh).Gap)
	there := map[string]bool{}
	for _, other := range w.ends {
		there[other.name] = true
		if other != e {
			e.meet(other.name)
		}
	}
	for name := range e.knows {
		if !there[name] {
			e.miss(name)
		}
	}
}

// A gateway is a router with a realm, as one of several.
type gateway struct {
	t      testing.TB
	router *router.Router
	realm  *router.Realm
	keeper *presence.Keeper
	mesh   *nodes.Mesh
	end    *end
	part   *nodes.Realm
	stop   func()

	mu    sync.Mutex
	until chan struct{} // events are not routed before it is closed; nil: at once
}

// start starts a gateway on the wire, which ends with the test.
func (w *wire) start(t testing.TB, change func(*presence.Config)) *gateway {
	t.Helper()
	w.names++
	log := slog.New(slog.DiscardHandler)
	e := &end{wire: w, name: fmt.Sprint("node", w.names), wake: make(chan struct{}, 1), knows: map[string]bool{}}
	e.mesh = nodes.New(e, &e.cred, log)
	g := &gateway{t: t, end: e, mesh: e.mesh, router: router.New(router.DefaultConfig(), everybody{}, log)}
	g.realm = g.router.AddRealm(realm, everybody{}, nil)
	part := e.mesh.Realm(g.realm, g.relay)
	g.part = part
	cfg := presence.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	g.keeper = presence.New(g.realm, cfg, rooms{}, part, log)
	part.Keep(g.keeper)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { e.listen(done) })
	w.join(e)
	g.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := g.router.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		g.keeper.Close()
		part.Close()
		w.lose(e)
		close(done)
		wg.Wait()
		g.mesh.Close()
	})
	t.Cleanup(g.stop)
	return g
}

// relay waits until it may go on.
func (g *gateway) relay(nodes.Event) error {
	g.mu.Lock()
	until := g.until
	g.mu.Unlock()
	if until != nil {
		<-until
	}
	return nil
}

// block has the gateway take in nothing that comes after an event, until the
// channel is closed.
func (g *gateway) block() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = make(chan struct{})
	return g.until
}

// die ends a gateway of which the others hear nothing any more until they are told
// that it is gone.
func (g *gateway) die() {
	g.end.cut()
	g.end.wire.lose(g.end)
	g.stop()
}

func (g *gateway) join(authid string) *local.Client {
	g.t.Helper()
	c, err := local.Join(g.router, realm, router.Grant{AuthID: authid, AuthRole: "guest", AuthMethod: "internal"})
	if err != nil {
		g.t.Fatalf("Join as %q: %v", authid, err)
	}
	g.t.Cleanup(c.Close)
	return c
}

// there returns who is on a topic as a gateway knows it, with the number of their
// sessions.
func (g *gateway) there(topic wamp.URI) string {
	members, _, _ := g.keeper.List(topic, 0, 100_000, false)
	var list []string
	for _, m := range members {
		list = append(list, fmt.Sprintf("%s:%d", m.AuthID, m.Sessions))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// A ear hears the events of a topic.
type ear struct {
	mu  sync.Mutex
	got []string
	ids []wamp.ID
}

func listen(t testing.TB, c *local.Client, topic wamp.URI, o wamp.SubscribeOptions) *ear {
	t.Helper()
	e := new(ear)
	_, err := c.Subscribe(context.Background(), topic, o, func(_ context.Context, m *wamp.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		text := string(m.Payload.Args) + string(m.Payload.KwArgs)
		if m.Details.PublisherAuthID != "" {
			text += " from " + m.Details.PublisherAuthID
		}
		if m.Details.Retained {
			text += " retained"
		}
		if n := m.Details.Extra["_missed"]; n != nil {
			text += fmt.Sprint(" missed ", n)
		}
		e.got, e.ids = append(e.got, text), append(e.ids, m.Publication)
	})
	if err != nil {
		t.Fatalf("subscribe to %s: %v", topic, err)
	}
	return e
}

func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

func publish(t testing.TB, c *local.Client, topic wamp.URI, o wamp.PublishOptions, args string) wamp.ID {
	t.Helper()
	id, err := c.Publish(context.Background(), topic, o, wamp.Payload{Serializer: wamp.JSON, Args: []byte(args)})
	if err != nil {
		t.Fatalf("publish to %s: %v", topic, err)
	}
	synctest.Wait()
	return id
}

func call(t testing.TB, c *local.Client, procedure wamp.URI, args string) (string, error) {
	t.Helper()
	got, err := c.Call(context.Background(), procedure, wamp.CallOptions{}, wamp.Payload{Serializer: wamp.JSON, Args: []byte(args)})
	return string(got.Args) + string(got.KwArgs), err
}

// complete asks a gateway whether it knows who is on topics everywhere.
func (g *gateway) complete(c *local.Client) bool {
	g.t.Helper()
	got, err := c.Call(context.Background(), "wireroom.presence.count", wamp.CallOptions{}, wamp.Payload{Serializer: wamp.JSON, Args: []byte(`["room.a"]`)})
	var answer struct{ Complete bool }
	if err == nil {
		err = json.Unmarshal(got.KwArgs, &answer)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return answer.Complete
}
