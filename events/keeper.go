package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A KeeperConfig says how a [Keeper] treats persistent subscriptions.
type KeeperConfig struct {
	// Most is how many subscriptions an owner may have: 1 to 10,000.
	Most int
}

const (
	probeAfter = 250 * time.Millisecond // after an event until a client is asked whether it has that
	probeAgain = 10 * time.Second       // until it is asked again if it does not answer
	probeLeast = 16                     // clients that are asked in one moment, at least
	probeParts = 100                    // in so many parts all are asked, at most
	probePause = time.Millisecond       // between two parts
	writeEvery = time.Second            // how often positions that moved are written
	writeQuiet = time.Minute            // how often those are that move though nothing was sent
	writeRetry = 10 * time.Second       // after a failure, at most
	writeChunk = 256                    // moves that are written at once
	mostLoose  = 1 << 16                // positions that wait to be written and that nobody has attached
)

// A Keeper keeps the persistent subscriptions of the classes of a [Hub]: it
// knows those that sessions have attached, and how far these are acknowledged,
// and has that written down. Of others it knows nothing. Its methods may be
// called concurrently.
//
// It has two goroutines, which [Keeper.Close] ends: one asks clients what they
// have got, one writes.
type Keeper struct {
	// Fixed at construction.
	store PersistentStore
	hub   *Hub
	cfg   KeeperConfig
	log   *slog.Logger

	mu      sync.Mutex // guards the following; held for a moment only
	turns   map[keptKey]*turn
	kept    map[keptKey]*kept
	holders map[*Holder]struct{} // those that have any
	loose   int                  // of kept, those that nobody has attached
	closed  bool

	// due.mu is taken last, also while a subscriber's queue is locked.
	due struct {
		sync.Mutex
		probes []*Holder // who is to be asked
		moves  []*kept   // what is to be written
	}
	probing chan struct{} // room for one: there are probes
	writing chan struct{} // room for one: there are moves

	stats struct{ probes, written, failed, givenUp atomic.Uint64 }

	ctx   context.Context // done when Close was called
	stop  context.CancelFunc
	owned sync.WaitGroup
}

// A keptKey names a persistent subscription.
type keptKey struct{ owner, name string }

// A kept is a persistent subscription that sessions have attached, or of which
// something is still to be written.
type kept struct {
	// Fixed at construction.
	key   keptKey
	class string

	attached int  // guarded by Keeper.mu
	shared   bool // likewise: it was attached more than once

	// mu guards the following. It is taken after Keeper.mu and Holder.mu.
	mu      sync.Mutex
	at      progress
	where   string        // the query that it has now: sessions may have attached it with another one
	was     string        // the epoch of the position that is stored
	life    time.Duration // as [Persistent.For]
	seen    time.Time     // when a session last had it
	expires time.Time     // as stored
	wrote   time.Time     // when it was written last
	quiet   bool          // it has moved since, though nothing was sent
	changes uint64        // how often something changed that is to be written
	queued  bool          // it is among the moves to be written
	removed bool          // there is no such subscription any more
}

// NewKeeper returns a keeper for the classes of the hub and starts its
// goroutines. It closes neither hub nor store.
func NewKeeper(store PersistentStore, hub *Hub, cfg KeeperConfig, log *slog.Logger) *Keeper {
	k := &Keeper{
		store: store, hub: hub, cfg: cfg, log: log,
		turns: make(map[keptKey]*turn), kept: make(map[keptKey]*kept), holders: make(map[*Holder]struct{}),
		probing: make(chan struct{}, 1), writing: make(chan struct{}, 1),
	}
	k.ctx, k.stop = context.WithCancel(context.Background())
	k.owned.Go(k.probe)
	k.owned.Go(k.write)
	return k
}

// Close writes what is still to be written, as far as the store takes it before
// ctx is done, and ends the keeper's goroutines. What is attached stays where it
// is; nothing can be attached any more. The store must not be closed before.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.owned.Wait()
	if left, err := k.flush(ctx); err != nil {
		k.log.Warn("positions of persistent subscriptions are not written; clients will get events again", "count", left, "err", err)
	}
}

// KeeperStats counts what a keeper does.
type KeeperStats struct {
	Attached int    // subscriptions that sessions have
	Waiting  int    // positions of others that wait to be written
	Probes   uint64 // times that a client was asked what it has got
	Written  uint64 // positions that were written
	Failed   uint64 // times that the store did not take some
	GivenUp  uint64 // positions that were not written, as too many waited
}

// Stats returns the counters as they are now.
func (k *Keeper) Stats() KeeperStats {
	k.mu.Lock()
	attached, loose := len(k.kept)-k.loose, k.loose
	k.mu.Unlock()
	return KeeperStats{
		Attached: attached, Waiting: loose, Probes: k.stats.probes.Load(),
		Written: k.stats.written.Load(), Failed: k.stats.failed.Load(), GivenUp: k.stats.givenUp.Load(),
	}
}

// A turn keeps those apart who attach, change or remove the same subscription,
// which takes calls to the store. Nobody waits for those who have another one.
type turn struct {
	taken chan struct{} // room for one: whose turn it is
	want  int           // who has it or waits for it; guarded by Keeper.mu
}

// take waits for the turn to change the subscription, which the caller gives
// back by the function that it returns. The error is the context's.
func (k *Keeper) take(ctx context.Context, key keptKey) (giveBack func(), err error) {
	k.mu.Lock()
	t := k.turns[key]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		k.turns[key] = t
	}
	t.want++
	k.mu.Unlock()
	done := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if t.want--; t.want > 0 {
			return
		}
		if delete(k.turns, key); len(k.turns) == 0 {
			k.turns = make(map[keptKey]*turn) // as for kept
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; done() }, nil
	case <-ctx.Done():
		done()
		return nil, context.Cause(ctx)
	}
}

// known returns the subscription if it is in memory, or nil, and whether a
// session has it.
func (k *Keeper) known(key keptKey) (s *kept, attached bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s = k.kept[key]
	return s, s != nil && s.attached > 0
}

// find returns what is stored of a subscription, with what is newer in memory.
// The error wraps [ErrNotPersistent] if there is none, or if it has expired.
func (k *Keeper) find(ctx context.Context, key keptKey) (*Persistent, error) {
	// What is in memory now may be written, and forgotten, after the store has
	// read and before it has answered.
	before, _ := k.known(key)
	p, err := k.store.Persistent(ctx, key.owner, key.name)
	if err != nil {
		return nil, err
	}
	if !k.freshen(p, before, time.Now()) {
		return nil, fmt.Errorf("%w: it has expired", ErrNotPersistent)
	}
	return p, nil
}

// freshen adds what is newer in memory, or else in what was there before p was
// read, which may be nil. It reports false if the subscription has expired.
func (k *Keeper) freshen(p *Persistent, before *kept, now time.Time) bool {
	s, attached := k.known(keptKey{p.Owner, p.Name})
	if s == nil {
		s = before
	}
	if s != nil {
		s.mu.Lock()
		at := progress{p.Position, p.Acked}
		if !at.join(s.at) && k.hub.Mark(s.class).Epoch != p.Position.Epoch {
			at = s.at.clone()
		}
		p.Position, p.Acked = at.Position, at.acked
		if p.Seen.Before(s.seen) {
			p.Seen = s.seen
		}
		s.mu.Unlock()
	}
	if attached {
		p.Seen = now
		p.Expires = now.Add(p.For)
	}
	return p.Expires.After(now)
}

// List returns the owner's subscriptions in order of their names, without those
// that have expired.
func (k *Keeper) List(ctx context.Context, owner string) ([]Persistent, error) {
	all, err := k.store.Persistents(ctx, owner)
	if err != nil {
		return nil, err
	}
	now, live := time.Now(), all[:0]
	for i := range all {
		if k.freshen(&all[i], nil, now) {
			live = append(live, all[i])
		}
	}
	return live, nil
}

// Get returns one of the owner's subscriptions. The error wraps
// [ErrNotPersistent] if there is none.
func (k *Keeper) Get(ctx context.Context, owner, name string) (*Persistent, error) {
	return k.find(ctx, keptKey{owner, name})
}

// Remove removes one of the owner's subscriptions. Sessions that have it
// attached go on getting events, which belong to no position any more. The error
// wraps [ErrNotPersistent] if there is none.
func (k *Keeper) Remove(ctx context.Context, owner, name string) error {
	key := keptKey{owner, name}
	giveBack, err := k.take(ctx, key)
	if err != nil {
		return err
	}
	defer giveBack()
	if _, err := k.find(ctx, key); err != nil {
		return err
	}
	return k.remove(ctx, key)
}

// remove removes a subscription, which it is the caller's turn to do.
func (k *Keeper) remove(ctx context.Context, key keptKey) error {
	if err := k.store.DeletePersistent(ctx, key.owner, key.name); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.kept[key]; s != nil {
		k.forgetLocked(s)
	}
	return nil
}

// forgetLocked takes a subscription out of memory. Keeper.mu is held.
func (k *Keeper) forgetLocked(s *kept) {
	if k.kept[s.key] != s {
		return
	}
	if delete(k.kept, s.key); len(k.kept) == 0 {
		k.kept = make(map[keptKey]*kept) // the old one stays as large as it ever was
	}
	if s.attached == 0 {
		k.loose--
	}
	s.mu.Lock()
	s.removed = true
	s.mu.Unlock()
}

// ErrNotPersistable says that a class has no persistent subscriptions.
var ErrNotPersistable = errors.New("events: the class has no persistent subscriptions")
