package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// A Config says how a store writes. Start from [DefaultConfig].
type Config struct {
	// BatchRecords and BatchBytes bound what is written in one commit, which
	// always has at least one request. At least 1.
	BatchRecords int
	BatchBytes   int

	// QueueRecords and QueueBytes bound what waits for the committer. At
	// least 1.
	QueueRecords int
	QueueBytes   int

	// Patience is how long moves of persistent subscriptions wait for a
	// commit that is made for something else, 0 to 10s.
	Patience time.Duration

	// JournalBytes is how long the journal is: 65,536 (64 KiB) to 67,108,864
	// (64 MiB), a multiple of 4096. With 0 there is none, and each batch is a
	// commit of the file.
	JournalBytes int

	// JournalAge is how long at most an event is only in the journal, 10ms to
	// 1h.
	JournalAge time.Duration

	// LockTimeout is how long Open waits for another process that has the
	// file open, at least 1ms.
	LockTimeout time.Duration
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		BatchRecords: 4096,
		BatchBytes:   8 << 20,
		QueueRecords: 32_768,
		QueueBytes:   128 << 20,
		Patience:     100 * time.Millisecond,
		JournalBytes: 1 << 20,
		JournalAge:   time.Second,
		LockTimeout:  time.Second,
	}
}

// Validate reports each field that is out of its range, named in lower case
// with underscores, as "batch_records".
func (c Config) Validate(report func(path string, err error)) {
	positive := func(path string, v int) {
		if v < 1 {
			report(path, fmt.Errorf("must be at least 1, not %d", v))
		}
	}
	positive("batch_records", c.BatchRecords)
	positive("batch_bytes", c.BatchBytes)
	positive("queue_records", c.QueueRecords)
	positive("queue_bytes", c.QueueBytes)
	if c.Patience < 0 || c.Patience > 10*time.Second {
		report("patience", fmt.Errorf("must be 0s to 10s, not %v", c.Patience))
	}
	if n := c.JournalBytes; n != 0 && (n < minJournalBytes || n > maxJournalBytes || n%journalBlock != 0) {
		report("journal_bytes", fmt.Errorf("must be 0, or %d to %d and a multiple of %d, not %d", minJournalBytes, maxJournalBytes, journalBlock, n))
	}
	if c.JournalAge < 10*time.Millisecond || c.JournalAge > time.Hour {
		report("journal_age", fmt.Errorf("must be 10ms to 1h, not %v", c.JournalAge))
	}
	if c.LockTimeout < time.Millisecond {
		report("lock_timeout", fmt.Errorf("must be at least 1ms, not %v", c.LockTimeout))
	}
}

// A Store keeps event logs, persistent subscriptions and tokens in one file. Its methods may be called
// concurrently. Contexts end the waiting for a write, not the write.
type Store struct {
	// Fixed at construction.
	db     *bolt.DB
	path   string
	config Config
	log    *slog.Logger

	queue     *storekit.Queue[request]
	committer sync.WaitGroup
	closing   sync.Once
	closeErr  error // guarded by closing

	// broken is set when writing made bbolt panic, as the file is damaged.
	// Nothing is written any more, since bbolt's state is not known.
	broken atomic.Bool

	commits, batches, records, failures atomic.Uint64

	unsettled unsettled

	// The committer's.
	tail    tail
	failing bool // the last attempt to write failed
	detour  bool // the last attempt to write the journal failed
}

// Open opens the file at path, or makes it, and starts the committer.
// [Store.Close] ends it. The error names the file and says what is wrong: the
// directory is not there, another process has the file open, it is damaged, of
// another program, or of a newer version of this one.
func Open(path string, config Config, log *slog.Logger) (*Store, error) {
	var first error
	config.Validate(func(path string, err error) {
		if first == nil {
			first = fmt.Errorf("%s: %w", path, err)
		}
	})
	if first != nil {
		return nil, first
	}
	db, err := openFile(path, config.LockTimeout)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, path: path, config: config, log: log}
	if err := s.openJournal(); err != nil {
		_ = db.Close()
		return nil, err
	}
	s.queue = storekit.NewQueue[request](config.QueueRecords, config.QueueBytes, config.Patience)
	s.committer.Go(s.commit)
	return s, nil
}

// Close writes what is queued, ends the committer and closes the file. Every
// method called after it returns [events.ErrClosed]. It may be called more
// than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.Close()
		s.committer.Wait()
		if s.broken.Load() {
			return // bbolt may hold its locks for ever; the process's end closes the file
		}
		// Another process may open the file, and make a journal, as soon as it
		// is closed.
		s.closeErr = s.closeJournal()
		if err := s.db.Close(); err != nil {
			s.closeErr = errors.Join(s.closeErr, fmt.Errorf("close the store file %s: %w", s.path, err))
		}
	})
	return s.closeErr
}

// Stats counts what a store did since it was opened.
type Stats struct {
	Commits  uint64 // transactions that were written to the file, each with two syncs
	Batches  uint64 // batches that were written to the journal, each with one sync
	Records  uint64 // records appended by them, duplicates not counted
	Failures uint64 // attempts to write that failed
	Waits    uint64 // times that a caller found the queue full
	Queued   int    // records that wait for the committer now
	Size     int64  // of the file in use, in bytes
}

// Stats returns the counts.
func (s *Store) Stats() Stats {
	st := Stats{
		Commits:  s.commits.Load(),
		Batches:  s.batches.Load(),
		Records:  s.records.Load(),
		Failures: s.failures.Load(),
		Waits:    s.queue.Waits(),
		Queued:   s.queue.Len(),
	}
	// On failure the store is closed, and its size of no interest.
	_ = s.view(func(tx *bolt.Tx) error {
		st.Size = tx.Size()
		return nil
	})
	return st
}

// view runs fn in a read transaction.
func (s *Store) view(fn func(tx *bolt.Tx) error) error {
	return s.explain("read", s.db.View(func(tx *bolt.Tx) error {
		return guarded(func() error { return fn(tx) })
	}))
}

var _ events.Store = (*Store)(nil)
