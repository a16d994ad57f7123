package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// A Store keeps event logs and tokens in Redis. Its methods may be called
// concurrently.
type Store struct {
	// Fixed at construction.
	client goredis.UniversalClient
	room   chan struct{} // has one for each connection that try uses; never closed
	place  *place
	config Config
	log    *slog.Logger
	keys   keys
	node   string // tells this store from others that were or will be opened
	name   string // of the gateway, for people
	tempo  tempo

	waiting func(e *Error) // of the configuration, until the store is open; nil: nobody is told

	queue     *storekit.Queue[*request]
	ear       *ear
	speaker   *speaker
	committer sync.WaitGroup
	owned     sync.WaitGroup // ear and speaker
	closing   sync.Once
	closed    atomic.Bool
	closeErr  error // guarded by closing

	// Owned by the committer once it runs.
	seq      uint64 // of the last call that was carried out
	next     uint64 // the last sequence number that was used
	claiming bool   // the store must be claimed before it is written again
	failing  bool   // the last round failed
	drafter  drafter

	// alone says that this node knows all that anybody was told of the logs:
	// nobody else can have appended anything that it does not know of.
	alone atomic.Bool

	// mu guards the following.
	mu    sync.Mutex
	known map[string]position // how far each log went, as far as anybody was told by this node
	times uint64              // how often everything was forgotten

	rounds, records, failures, retries atomic.Uint64
}

// A position is a place in a log.
type position struct {
	epoch string
	last  uint64
	times uint64 // Store.times when it was asked for
}

// Open connects to Redis, makes this store a node of those that use the prefix,
// and starts its goroutines, which [Store.Close] ends. It waits until the other
// nodes know of it, a few seconds at most. The error says where Redis should
// be, and what is wrong.
func Open(ctx context.Context, config Config, log *slog.Logger) (*Store, error) {
	return open(ctx, config, log, defaultTempo)
}

func open(ctx context.Context, config Config, log *slog.Logger, t tempo) (*Store, error) {
	var first error
	config.Validate(func(path string, err error) {
		if first == nil {
			first = fmt.Errorf("%s: %w", path, err)
		}
	})
	if first != nil {
		return nil, first
	}
	p, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: connect(p, config),
		room:   make(chan struct{}, connections-reserved),
		place:  p,
		config: config,
		log:    log,
		keys:   newKeys(config.Prefix),
		node:   rand.Text()[:16],
		name:   config.name(),
		tempo:  t,
		known:  make(map[string]position),
	}
	s.waiting = config.Waiting
	joined, err := s.begin(ctx)
	s.waiting = nil
	if err != nil {
		_ = s.client.Close() // it has no connection that matters
		return nil, err
	}
	s.queue = storekit.NewQueue[*request](config.QueueRecords, config.QueueBytes, 0)
	s.ear = newEar(s, joined)
	s.speaker = newSpeaker(s)
	s.committer.Go(s.commit)
	s.owned.Go(s.ear.listen)
	s.owned.Go(s.speaker.speak)
	return s, nil
}

// begin looks whether Redis can be used, and joins those who use the store.
func (s *Store) begin(ctx context.Context) (joined census, err error) {
	first, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err = s.checkServer(first); err == nil {
		err = s.try(first, "open the store", func(ctx context.Context) error {
			joined, err = s.claim(ctx)
			return err
		})
	}
	if err != nil && first.Err() != nil && ctx.Err() == nil {
		err = s.given(err)
	}
	if err != nil {
		return joined, err
	}
	s.alone.Store(len(joined.others) == 0)
	if err := s.introduce(ctx, joined); err != nil {
		s.leave()
		return joined, err
	}
	return joined, nil
}

// claim makes this store a node if it is none, and numbers its calls anew. Calls
// of before that are still on their way are not carried out any more.
func (s *Store) claim(ctx context.Context) (census, error) {
	s.next++
	reply, err := s.run(ctx, scriptClaim, s.keys.ofNodes(), s.node, s.next, newEpoch(), flag(s.alone.Load()), s.name)
	if err != nil {
		return census{}, err
	}
	c, err := s.parseCensus(reply)
	if err != nil {
		return census{}, err
	}
	s.seq, s.claiming = s.next, false
	return c, nil
}

// Ready reports why the store cannot be used now, or nil: Redis is not heard, is
// full or can only be read. It answers at once if Redis is not heard.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.Heard(); err != nil {
		return err
	}
	return s.try(ctx, "write the store", func(ctx context.Context) error {
		reply, err := s.run(ctx, scriptReady, []string{s.keys.writer})
		if err != nil {
			return err
		}
		return s.refused(reply)
	})
}

// Close writes what is queued, if Redis lets it, says goodbye to the other
// nodes, ends the goroutines and closes the connections. Every method called
// after it returns [events.ErrClosed]. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.Close()
		s.committer.Wait()
		s.speaker.close()
		s.ear.close()
		s.owned.Wait()
		s.leave()
		s.closed.Store(true)
		if err := s.client.Close(); err != nil {
			s.closeErr = fmt.Errorf("close the connections to Redis at %s: %w", s.place, err)
		}
	})
	return s.closeErr
}

// Stats counts what a store did since it was opened.
type Stats struct {
	Rounds   uint64 // round trips that appended something
	Records  uint64 // records in them
	Failures uint64 // rounds that failed
	Retries  uint64 // attempts after a first one that failed, of anything
	Waits    uint64 // times that a caller found the queue full
	Queued   int    // records that wait for the committer now

	Nodes    int    // gateways that use the store, as far as is known; with this one
	Heard    uint64 // entries of the feed that other nodes wrote
	Skipped  uint64 // entries of the feed that could not be understood
	Gaps     uint64 // times that entries of the feed may have been missed
	Deaf     uint64 // times that Redis was not heard any more
	Sent     uint64 // messages to other nodes
	Unsent   uint64 // messages that could not be sent
	ToBeSent int    // messages that wait now
}

// Stats returns the counts.
func (s *Store) Stats() Stats {
	waiting := s.speaker.length()
	return Stats{
		Nodes: 1 + int(s.ear.others.Load()), Heard: s.ear.heard.Load(), Skipped: s.ear.skipped.Load(), Gaps: s.ear.gaps.Load(), Deaf: s.ear.deafs.Load(),
		Sent: s.speaker.sent.Load(), Unsent: s.speaker.unsent.Load(), ToBeSent: waiting,

		Rounds:   s.rounds.Load(),
		Records:  s.records.Load(),
		Failures: s.failures.Load(),
		Retries:  s.retries.Load(),
		Waits:    s.queue.Waits(),
		Queued:   s.queue.Len(),
	}
}

// position returns how far a log went as far as anybody was told.
func (s *Store) position(class string) position {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[class]
	k.times = s.times
	return k
}

// learn remembers how far a log went when something was asked at the moment
// that its position was asked.
func (s *Store) learn(class string, asked, now position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[class]
	switch {
	case asked.times != s.times:
		return // others may have told more since
	case k.epoch == now.epoch:
		now.last = max(now.last, k.last)
	case k.epoch != asked.epoch:
		return // an answer of before the epoch that is known
	}
	s.known[class] = now
}

// beAlone notes that no other node is there any more. How far they took the
// logs that this node knows is asked once more.
func (s *Store) beAlone(ctx context.Context) {
	s.mu.Lock()
	classes := slices.Collect(maps.Keys(s.known))
	clear(s.known)
	s.times++
	s.mu.Unlock()
	s.alone.Store(true) // after it: whoever sees it sees nothing older
	s.owned.Go(func() {
		for _, class := range classes {
			if _, err := s.bounds(ctx, class); err != nil {
				return // each is asked again when it is used
			}
		}
	})
}

// newEpoch returns 60 random bits as text.
func newEpoch() string { return rand.Text()[:12] }

// attempt is how long one attempt may take.
func (c Config) attempt() time.Duration { return c.Timeout / 2 }

var _ events.Store = (*Store)(nil)
