package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// A Store keeps event logs and tokens in Redis. Its methods may be called
// concurrently.
type Store struct {
	// Fixed at construction.
	client goredis.UniversalClient
	place  *place
	config Config
	log    *slog.Logger
	keys   keys
	writer string // tells this store from others that were or will be opened
	before string // the one from which it took over; if that is the writer, Redis has lost this

	queue     *queue
	committer sync.WaitGroup
	closing   sync.Once
	closed    atomic.Bool
	closeErr  error // guarded by closing

	// Owned by the committer once it runs.
	seq      uint64 // of the last call that was carried out
	next     uint64 // the last sequence number that was used
	claiming bool   // the store must be claimed before it is written again
	failing  bool   // the last round failed

	// mu guards the following.
	mu    sync.Mutex
	known map[string]position // how far each log went, as far as anybody was told

	rounds, records, failures, retries atomic.Uint64
}

// A position is a place in a log.
type position struct {
	epoch string
	last  uint64
}

// Open connects to Redis, becomes the one that writes the store, and starts the
// committer. [Store.Close] ends it. The error says where Redis should be, and
// what is wrong.
func Open(ctx context.Context, config Config, log *slog.Logger) (*Store, error) {
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
		place:  p,
		config: config,
		log:    log,
		keys:   newKeys(config.Prefix),
		writer: rand.Text(),
		known:  make(map[string]position),
	}
	if err := s.begin(ctx); err != nil {
		_ = s.client.Close() // it has no connection that matters
		return nil, err
	}
	s.queue = newQueue(config)
	s.committer.Go(s.commit)
	return s, nil
}

// begin looks whether Redis can be used, and becomes the writer.
func (s *Store) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	return s.try(ctx, "open the store", func(ctx context.Context) error { return s.claim(ctx, true) })
}

// claim makes this store the writer, from a new sequence number on. Calls of
// before that are still on their way are not carried out any more.
func (s *Store) claim(ctx context.Context, over bool) error {
	takeOver := "0"
	if over {
		takeOver = "1"
	}
	s.next++
	reply, err := s.run(ctx, scriptClaim, []string{s.keys.writer}, s.writer, s.next, newEpoch(), takeOver, s.before)
	if err != nil {
		return err
	}
	if err := s.refused(reply); err != nil {
		return err
	}
	if w, _ := words(reply); over && len(w) > 1 && w[1] != s.writer {
		s.before = w[1]
	}
	s.seq, s.claiming = s.next, false
	return nil
}

// Ready reports why the store cannot be written now, or nil: Redis is away, is
// full or can only be read, or another gateway has opened the store.
func (s *Store) Ready(ctx context.Context) error {
	return s.try(ctx, "write the store", func(ctx context.Context) error {
		reply, err := s.run(ctx, scriptReady, []string{s.keys.writer}, s.writer, s.before)
		if err != nil {
			return err
		}
		return s.refused(reply)
	})
}

// Close writes what is queued, if Redis lets it, ends the committer and closes
// the connections. Every method called after it returns [events.ErrClosed]. It
// may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		s.committer.Wait()
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
}

// Stats returns the counts.
func (s *Store) Stats() Stats {
	return Stats{
		Rounds:   s.rounds.Load(),
		Records:  s.records.Load(),
		Failures: s.failures.Load(),
		Retries:  s.retries.Load(),
		Waits:    s.queue.waits.Load(),
		Queued:   s.queue.length(),
	}
}

// position returns how far a log went as far as anybody was told.
func (s *Store) position(class string) position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[class]
}

// learn remembers how far a log went when something was asked at the moment
// that its position was asked.
func (s *Store) learn(class string, asked, now position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[class]
	if k.epoch == now.epoch {
		now.last = max(now.last, k.last)
	} else if k.epoch != asked.epoch {
		return // an answer of before the epoch that is known
	}
	s.known[class] = now
}

// newEpoch returns 60 random bits as text.
func newEpoch() string { return rand.Text()[:12] }

// attempt is how long one attempt may take.
func (c Config) attempt() time.Duration { return c.Timeout / 2 }

var _ events.Store = (*Store)(nil)
