//go:build linux

package torture_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client subscribes to one class, over one connection after the other, and
// writes down what comes.
type client struct {
	// Fixed at construction.
	subscriber
	where    string // a query for Tags
	acks     string // of a persistent subscription: how it acknowledges; empty: it has another one
	resumes  bool   // it resumes its session
	restless bool   // it leaves and vanishes of its own accord
	cluster  *cluster
	rec      *recorder
	rng      *rand.Rand
	becomes  string        // the user that it logs in as when it has subscribed; then owned by run
	settled  chan struct{} // closed when it has logged in; nil: it never does
	name     string        // of a persistent subscription; empty: the gateway draws it
	last     *expectation
	address  func() string // where to connect; nil: to any gateway
	count    *atomic.Int64 // of what came; nil: nobody counts

	// Owned by run.
	conn         int
	node         string // which gateway it is connected to
	epoch        string // its position
	offset       uint64
	session      uint64 // to resume, with token
	token        string
	who          identity    // whose a persistent subscription is
	received     uint64      // messages since WELCOME, over all connections of the session
	subscription uint64      // of the session
	dark         []*wampConn // connections that it has left without a word

	once  sync.Once
	ready chan struct{} // closed when SUBSCRIBED came for the first time
}

// run connects again and again, until ctx is done.
func (c *client) run(ctx context.Context) {
	defer func() {
		for _, d := range c.dark {
			d.vanish()
		}
	}()
	for ctx.Err() == nil {
		if err := c.live(ctx); err != nil && ctx.Err() == nil {
			c.rec.add(entry{Kind: kindBroken, Who: c.Name, Conn: c.conn, Class: c.Class, Note: err.Error()})
		}
		pause(ctx, time.Duration(10+c.rng.IntN(300))*time.Millisecond)
	}
}

// How a life of a connection ends, if nobody else ends it.
const (
	stays    = iota
	leaves   // GOODBYE
	vanishes // its socket is closed
	darkens  // it reads no more, and nobody tells the gateway
)

// live is one connection, from its beginning to its end.
func (c *client) live(ctx context.Context) error {
	g := c.cluster.any(c.rng)
	c.node = g.name
	addr := g.front.addr()
	if c.address != nil {
		if addr = c.address(); addr == "" {
			return nil
		}
	}
	dialing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.prove(dialing, addr); err != nil {
		return err
	}
	hello := map[string]any{}
	if c.resumes {
		hello["resumable"] = true
		if c.token != "" {
			hello["resume-session"], hello["resume-token"], hello["_received"] = c.session, c.token, c.received
		}
	}
	w, err := dialWAMP(dialing, addr, c.who, hello)
	if err != nil {
		return err
	}
	c.conn++
	gone := context.AfterFunc(ctx, w.vanish)
	defer gone()

	end, over := stays, time.Now().Add(time.Hour)
	if c.restless && c.rng.IntN(3) > 0 {
		end, over = leaves+c.rng.IntN(3), time.Now().Add(time.Duration(100+c.rng.IntN(2500))*time.Millisecond)
	}
	if c.becomes != "" {
		end, over = leaves, time.Now().Add(time.Second)
	}
	err = c.listen(w, over)
	if !errors.Is(err, errOver) {
		w.vanish()
		return err
	}
	switch end {
	case leaves:
		c.token = "" // the session has ended
		_ = w.send(wampGoodbye, map[string]any{}, "wamp.close.close_realm")
		_ = w.ws.Close()
	case darkens:
		c.dark = append(c.dark, w)
		if len(c.dark) > 3 {
			c.dark[0].vanish()
			c.dark = c.dark[1:]
		}
	default:
		w.vanish()
	}
	return []error{nil, errors.New("it left"), errors.New("it vanished"), errors.New("it went dark")}[end]
}

// errOver says that the client has had enough.
var errOver = errors.New("over")

// listen subscribes, unless the session was resumed, and takes what comes.
func (c *client) listen(w *wampConn, over time.Time) error {
	c.session, c.token = w.welcome.session, w.welcome.token
	if w.welcome.resumed {
		c.subscribed(true)
	} else {
		c.received, c.subscription = 0, 0
		topic, options := c.request()
		c.rec.add(entry{Kind: kindAsked, Who: c.Name, Conn: c.conn, Class: c.Class, Node: c.node})
		if err := w.send(wampSubscribe, w.request(), options, topic); err != nil {
			return err
		}
	}
	began, events := time.Now(), 0
	acks := &acker{c: c, w: w, ready: map[string][]uint64{}, under: map[uint64][]entry{}}
	for {
		m, err := w.read(over)
		if err != nil && time.Now().After(over) {
			return errOver
		}
		if err != nil {
			return err
		}
		c.received++
		switch m.code {
		case wampSubscribed:
			if err := m.element(2, &c.subscription); err != nil {
				return err
			}
			c.subscribed(false)
		case wampEvent:
			a, err := m.event()
			if err != nil {
				return err
			}
			if a.subscription != c.subscription {
				c.rec.wrong(5, c.Name, "an event of subscription %d, which is not %d: %s", a.subscription, c.subscription, m)
			}
			c.take(a)
			if a.data.Key == "" { // a notice alone
				if events == 0 && time.Since(began) < time.Second {
					break // the replay begins with it
				}
				// What could not be delivered may still be in the log.
				c.token = ""
				return errors.New("it was told of a loss, and comes back for what is left")
			}
			events++
			if err := acks.took(a); err != nil {
				return err
			}
		case wampResult, wampError:
			if len(acks.under) == 0 {
				return fmt.Errorf("refused: %s", m)
			}
			if err := acks.answered(&m); err != nil {
				return err
			}
		case wampGoodbye:
			c.token = ""
			return fmt.Errorf("GOODBYE: %s", m)
		default:
			return fmt.Errorf("unexpected: %s", m)
		}
	}
}

// request is what it subscribes to.
func (c *client) request() (topic string, options map[string]any) {
	topic, options = c.Class, map[string]any{}
	if c.Room != "" {
		topic += "." + c.Room
	}
	if c.where != "" {
		options["_where"] = c.where
	}
	if c.name != "" {
		options["_name"] = c.name
	}
	switch {
	case c.Plain:
	case c.acks == ackAuto:
		options["_persistent"] = true
	case c.acks != "":
		options["_persistent"], options["_ack"] = true, "explicit"
	case c.epoch == "":
		options["_since"] = 0
	default:
		options["_since"] = fmt.Sprintf("%s:%d", c.epoch, c.offset)
	}
	return topic, options
}

func (c *client) subscribed(resumed bool) {
	e := entry{Kind: kindSubscribed, Who: c.Name, Conn: c.conn, Class: c.Class, Node: c.node, Resumed: resumed}
	if c.Keeps && !resumed {
		e.Note = fmt.Sprintf("since %s:%d", c.epoch, c.offset)
	}
	c.rec.add(e)
	c.once.Do(func() { close(c.ready) })
}

// take writes an event down.
func (c *client) take(a *arrival) {
	d := &a.details
	if d.Missed != nil {
		c.rec.wrong(1, c.Name, "%d events were dropped before %s:%d", *d.Missed, d.Epoch, d.Offset)
	}
	if d.Recovered != nil && !*d.Recovered {
		c.rec.add(entry{Kind: kindGap, Who: c.Name, Conn: c.conn, Class: c.Class, Epoch: d.Epoch, Offset: d.From, Through: d.Through})
	}
	if a.data.Key == "" {
		return // the notice alone
	}
	if c.count != nil {
		c.count.Add(1)
	}
	class := d.Class
	if c.Plain {
		class = c.Class
	}
	c.rec.add(entry{
		Kind: kindEvent, Who: c.Name, Conn: c.conn, ID: a.data.Key, As: d.ID, Class: class, Room: a.data.Room, Tag: a.data.Tag,
		Epoch: d.Epoch, Offset: d.Offset, Pub: a.publication, Replayed: d.Replayed,
	})
	c.epoch, c.offset = d.Epoch, d.Offset
	if c.last != nil && c.last.came(a.data.Key) {
		c.rec.add(entry{Kind: kindDone, Who: c.Name, Conn: c.conn})
	}
}

// lastFor returns the last events that are for the subscriber.
func lastFor(s *subscriber) *expectation {
	last := map[string]bool{}
	for _, p := range lastEvents(s.Class, "z") {
		if s.wants(&publication{class: s.Class, room: p.Room, tag: p.Tag}) {
			last[p.Key] = true
		}
	}
	return &expectation{left: last}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// whereTags is a query for some tags.
func whereTags(tags []int) string {
	var b strings.Builder
	for i, tag := range tags {
		if i > 0 {
			b.WriteString(" || ")
		}
		fmt.Fprintf(&b, "tag == %d", tag)
	}
	return b.String()
}
