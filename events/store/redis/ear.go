package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// entriesAtOnce is how many entries of the feed are read at once.
const entriesAtOnce = 64

// An ear reads the feed, and so knows whether Redis can be heard. It renews the
// lease of the node, too.
type ear struct {
	store  *Store
	client goredis.UniversalClient // of its own, so that it waits for nobody's connection
	ctx    context.Context
	stop   context.CancelFunc

	heard, gaps, deafs atomic.Uint64
	skipped            atomic.Uint64
	others             atomic.Int64
	anew               atomic.Bool // have the others take this node for a new one
	declaring          atomic.Bool // own has changed

	// Owned by the goroutine that listens.
	process  string // of Redis
	at       uint64 // number of the last entry that was read
	end      uint64 // of the last one that there was at the last beat
	beaten   time.Time
	greet    bool // another node waits to be told that it is known
	broken   bool // Redis has not answered since
	unsure   bool // it is to be found out which nodes there are
	answered time.Time
	had      uint64        // epoch in which this node last had the configuration of the store; 0: it comes with one
	said     Configuration // what this node has said that it has
	newest   Configured    // without gateways: what the store last said

	// telling is held while the follower is told something. It guards the
	// following.
	telling  sync.Mutex
	follower Follower
	nodes    map[string]string // others that are there, and their names as far as they are known
	told     *Configured       // nil: nothing is known yet

	// mu guards the following.
	mu    sync.Mutex
	since time.Time // when Redis answered
	err   error     // why it did not, the last time; nil: it did
	own   Configuration
}

func newEar(s *Store, joined census) *ear {
	e := &ear{
		store: s, client: connect(s.place, s.config), process: joined.process,
		at: joined.last, end: joined.last, answered: time.Now(), nodes: make(map[string]string),
		since: time.Now(),
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	for id := range joined.others {
		e.nodes[id] = joined.nameOf(id)
	}
	e.others.Store(int64(len(e.nodes)))
	return e
}

// close ends listening.
func (e *ear) close() {
	e.stop()
	_ = e.client.Close() // so that nobody waits for an answer
}

// trouble returns why Redis is not heard, or nil.
func (e *ear) trouble() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	if silent := time.Since(e.since); silent > e.store.tempo.block+e.store.tempo.answer {
		return e.store.fault("hear of other gateways", finding{what: "has not been heard for some time"}, errSilent)
	}
	return nil
}

// note notes that Redis answered, or why it did not.
func (e *ear) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.since = time.Now()
	}
	e.err = err
}

// listen reads the feed until the ear is closed.
func (e *ear) listen() {
	pause := firstPause
	for e.ctx.Err() == nil {
		err := e.turn()
		if e.ctx.Err() != nil {
			return
		}
		now := time.Now()
		if !e.broken && now.Sub(e.answered) > e.store.tempo.still {
			// Others may have come, and believe that this node knows.
			e.store.alone.Store(false)
		}
		if err == nil {
			if e.broken {
				e.store.log.Info("Redis is heard again", "redis", e.store.place.String())
			}
			e.broken, e.answered, pause = false, now, firstPause
			e.note(nil)
			continue
		}
		err = e.store.explain("hear of other gateways", err)
		if !e.broken {
			e.deafs.Add(1)
			e.store.log.Error("cannot hear Redis", "err", err)
		}
		e.broken = true
		e.note(err)
		select {
		case <-time.After(pause):
		case <-e.ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// turn renews the lease if it is time, and reads what there is in the feed, for
// which it waits for a moment.
func (e *ear) turn() error {
	if e.broken || e.greet || e.declaring.Load() || e.anew.Load() || time.Since(e.beaten) >= e.store.tempo.beat {
		if err := e.beat(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.store.tempo.answer)
	defer cancel()
	reply, err := e.client.Do(ctx, "XREAD", "COUNT", entriesAtOnce, "BLOCK", e.store.tempo.block.Milliseconds(),
		"STREAMS", e.store.keys.feed, behind(e.at)).Result()
	if err == nil || errors.Is(err, goredis.Nil) {
		e.note(nil) // before anybody is told something, and answers
	}
	if errors.Is(err, goredis.Nil) {
		if e.end > e.at { // there was something, and it is gone
			e.at = e.end
			e.gap()
		}
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := parseFeed(reply)
	if err != nil {
		return err
	}
	for i := range entries {
		e.take(&entries[i])
	}
	return nil
}

// beat renews the lease, and finds out whether something was missed.
func (e *ear) beat() error {
	ctx, cancel := context.WithTimeout(e.ctx, e.store.tempo.answer)
	defer cancel()
	anew := e.anew.Swap(false)
	now, err := e.store.beat(ctx, e.client, e.at, anew, e.process)
	if err != nil {
		if anew {
			e.anew.Store(true)
		}
		return err
	}
	e.beaten, e.greet, e.end = time.Now(), false, now.last
	if now.process != e.process || now.process == "" && e.broken || now.last < e.at {
		// Redis may have lost something that was in the feed, or that was
		// read from it.
		e.process, e.at = now.process, min(e.at, now.last)
		e.gap()
	}
	if err := e.configure(ctx, &now); err != nil {
		return err
	}
	if e.unsure {
		e.reconcile(now)
	}
	return nil
}

// beat renews the lease of this node.
func (s *Store) beat(ctx context.Context, client goredis.UniversalClient, seen uint64, anew bool, process string) (census, error) {
	reply, err := scriptBeat.Run(ctx, client, s.keys.ofNodes(), s.node, seen, flag(anew), process, s.name).Result()
	if err != nil {
		return census{}, err
	}
	return s.parseCensus(reply)
}

// take carries out one entry of the feed.
func (e *ear) take(n *entry) {
	if n.number != e.at+1 && n.bad == nil {
		e.gap()
	}
	e.at = n.number
	if n.bad != nil {
		e.skipped.Add(1)
		e.store.log.Warn("something in the feed of the gateways is passed over, as it cannot be understood", "entry", n.number, "err", n.bad)
		e.gap() // the logs have what it may have been
		return
	}
	own := n.node == e.store.node
	if !own {
		e.heard.Add(1)
	}
	e.telling.Lock()
	defer e.telling.Unlock()
	switch n.kind {
	case kindJoin:
		if own {
			return
		}
		e.store.alone.Store(false)
		e.greet = true
		e.join(n.node, n.name)
	case kindLeave:
		if own {
			e.tellGap() // the others have forgotten it
			return
		}
		e.part(n.node)
	case kindMessages:
		if own || e.follower == nil {
			return
		}
		for i := range n.messages {
			e.follower.Message(n.node, n.messages[i].kind, n.messages[i].payload)
		}
	case kindEvents:
		if !own && e.follower != nil {
			e.follower.Appended(n.node, n.records, n.at)
		}
	}
}

// join and part tell of another node. telling is held.
func (e *ear) join(node, name string) {
	if _, there := e.nodes[node]; there {
		return
	}
	e.nodes[node] = name
	e.others.Store(int64(len(e.nodes)))
	e.store.log.Info("another gateway uses the store", "node", node, "name", name)
	if e.follower != nil {
		e.follower.Join(node)
	}
}

func (e *ear) part(node string) {
	name, there := e.nodes[node]
	if !there {
		return
	}
	delete(e.nodes, node)
	e.others.Store(int64(len(e.nodes)))
	e.store.log.Info("another gateway uses the store no more", "node", node, "name", name)
	if len(e.nodes) == 0 {
		e.store.beAlone(e.ctx)
	}
	if e.follower != nil {
		e.follower.Leave(node)
	}
}

// gap says that something may have been missed.
func (e *ear) gap() {
	e.telling.Lock()
	defer e.telling.Unlock()
	e.unsure, e.beaten = true, time.Time{} // the next beat tells who is there
	e.tellGap()
}

// tellGap tells of a gap. telling is held.
func (e *ear) tellGap() {
	e.gaps.Add(1)
	if e.follower != nil {
		e.follower.Gap()
	}
}

// reconcile tells of the nodes that came and went while nothing was heard.
func (e *ear) reconcile(now census) {
	e.telling.Lock()
	defer e.telling.Unlock()
	e.unsure = false
	for id := range e.nodes {
		if _, there := now.others[id]; !there {
			e.part(id)
		}
	}
	for id := range now.others {
		e.store.alone.Store(false)
		e.greet = true
		e.join(id, now.nameOf(id))
	}
}

// follow sets who is told.
func (e *ear) follow(f Follower) {
	e.telling.Lock()
	defer e.telling.Unlock()
	e.follower = f
	if f == nil {
		return
	}
	f.Gap()
	for id := range e.nodes {
		f.Join(id)
	}
	if e.told != nil {
		f.Configured(*e.told)
	}
}
