package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// A View is a store file that is only read, by a command and not by a gateway.
// While it is open no gateway can open the file, and while a gateway has it open
// there can be no view. It is for one goroutine at a time.
type View struct {
	s *Store
}

// OpenView opens the file at path, and waits so long for a process that has it
// open. The error wraps [ErrLocked] if one still has, and fs.ErrNotExist if
// there is no file.
func OpenView(path string, wait time.Duration) (*View, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("store file %s: %w", path, bare(err))
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("store file %s: is not a regular file but %s", path, info.Mode().Type())
	}
	var db *bolt.DB
	err := guarded(func() (err error) {
		db, err = bolt.Open(path, 0, &bolt.Options{
			ReadOnly: true, Timeout: wait, FreelistType: bolt.FreelistMapType, NoStatistics: true,
			OpenFile: func(name string, _ int, _ os.FileMode) (*os.File, error) { return os.Open(name) },
		})
		return err
	})
	if err != nil {
		return nil, openError(path, wait, err)
	}
	var rest [][]byte
	err = guarded(func() error {
		return db.View(func(tx *bolt.Tx) error {
			if err := whole(tx); err != nil {
				return err
			}
			isNew, err := checkFormat(tx)
			if err == nil && isNew {
				err = errors.New("is empty: no gateway has used it yet")
			}
			if err == nil {
				rest, _, err = pending(tx, path)
			}
			if errors.Is(err, errNoJournal) {
				return nil
			}
			return err
		})
	})
	if err != nil {
		if !errors.Is(err, errFault) { // otherwise bbolt may hold its locks, and Close would wait for them
			_ = db.Close()
		}
		return nil, fmt.Errorf("store file %s: %w", path, err)
	}
	if len(rest) > 0 {
		if err := db.Close(); err != nil {
			return nil, fmt.Errorf("store file %s: %w", path, err)
		}
		if err := settleFile(path, wait); err != nil {
			return nil, err
		}
		return OpenView(path, wait)
	}
	s := &Store{db: db, path: path, config: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	s.queue = storekit.NewQueue[request](s.config.QueueRecords, s.config.QueueBytes, s.config.Patience)
	s.queue.Close() // nothing is ever written
	return &View{s}, nil
}

// settleFile puts what a gateway left in the journal, which was killed, into the
// store's file.
func settleFile(path string, wait time.Duration) error {
	config := DefaultConfig()
	config.LockTimeout, config.JournalBytes = max(wait, time.Millisecond), 0
	s, err := Open(path, config, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("put what is in its journal into the store file: %w", err)
	}
	return s.Close()
}

// Close lets go of the file.
func (v *View) Close() error { return v.s.Close() }

// EachLog calls f for every log in the order of their names, until f returns an
// error, which it returns. stale is always false: a file loses nothing.
func (v *View) EachLog(ctx context.Context, f func(class string, b events.Bounds, stale bool) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var names []string
	err := v.s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketClasses).ForEachBucket(func(k []byte) error {
			names = append(names, string(k))
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, class := range names {
		var b events.Bounds
		err := v.s.view(func(tx *bolt.Tx) (err error) {
			b, err = boundsOf(tx, class)
			return err
		})
		if err != nil {
			return fmt.Errorf("the log %s: %w", class, err)
		}
		if err := f(class, b, false); err != nil {
			return err
		}
	}
	return nil
}

// Bounds returns what the log of a class holds; the epoch is empty if there is
// none.
func (v *View) Bounds(ctx context.Context, class string) (b events.Bounds, err error) {
	if err := context.Cause(ctx); err != nil {
		return b, err
	}
	err = v.s.view(func(tx *bolt.Tx) error {
		b, err = boundsOf(tx, class)
		return err
	})
	return b, err
}

// Records returns some records of a log with offsets greater than after and up
// to through, from the first one on: about 4 MiB of them. They belong to the
// caller. There are none only if the log has none there.
func (v *View) Records(ctx context.Context, class string, after, through uint64) ([]events.Record, error) {
	page, err := v.s.Read(ctx, events.Range{Class: class, After: after, Through: through, Limit: 4096, Bytes: 4 << 20})
	return page.Records, err
}

// Token is that of the [Store].
func (v *View) Token(ctx context.Context, hash [32]byte) (*auth.Token, error) {
	return v.s.Token(ctx, hash)
}

// EachToken is that of the [Store].
func (v *View) EachToken(ctx context.Context, f func(t *auth.Token) bool) error {
	return v.s.EachToken(ctx, f)
}

// EachPersistent is that of the [Store]. A file that only older gateways have
// used has none.
func (v *View) EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error {
	var there bool
	err := v.s.view(func(tx *bolt.Tx) error {
		there = tx.Bucket(bucketSubs) != nil
		return nil
	})
	if err != nil || !there {
		return err
	}
	return v.s.EachPersistent(ctx, afterOwner, afterName, f)
}

// A FileInfo says what there is to know of a file.
type FileInfo struct {
	Format   int
	Size     int64 // bytes
	Free     int64 // bytes in it that can be used before it grows
	Modified time.Time
}

// File returns what there is to know of the file.
func (v *View) File() (info FileInfo, err error) {
	st, err := os.Stat(v.s.path)
	if err != nil {
		return info, fmt.Errorf("store file %s: %w", v.s.path, bare(err))
	}
	info = FileInfo{Format: format, Size: st.Size(), Modified: st.ModTime()}
	err = v.s.view(func(tx *bolt.Tx) error {
		info.Free = st.Size() - tx.Size() + int64(v.s.db.Stats().FreePageN)*int64(v.s.db.Info().PageSize)
		return nil
	})
	return info, err
}

// LogBytes returns how many bytes of the file a log and its indexes use.
func (v *View) LogBytes(ctx context.Context, class string) (n int64, err error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	err = v.s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketClasses).Bucket([]byte(class))
		if b == nil {
			return nil
		}
		return b.ForEachBucket(func(k []byte) error {
			st := b.Bucket(k).Stats()
			n += int64(st.BranchAlloc + st.LeafAlloc)
			return nil
		})
	})
	return n, err
}

// EachToken calls f for every token, expired or not, in the order of their
// expiry and then of their hashes, until f returns false. A token that is put
// meanwhile may be missed, or come with both expiries; the later call counts.
func (s *Store) EachToken(ctx context.Context, f func(t *auth.Token) bool) error {
	const most = 512
	var after []byte
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var page []*auth.Token
		err := s.view(func(tx *bolt.Tx) error {
			cursor, tokens := tx.Bucket(bucketExpiry).Cursor(), tx.Bucket(bucketTokens)
			k, _ := cursor.Seek(after)
			for ; k != nil && len(page) < most; k, _ = cursor.Next() {
				if string(k) == string(after) {
					continue
				}
				if len(k) != timeLen+32 {
					return errDamaged
				}
				hash := [32]byte(k[timeLen:])
				t, err := parseToken(hash, tokens.Get(hash[:]))
				if err != nil {
					return err
				}
				page = append(page, t)
				after = append(after[:0], k...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, t := range page {
			if !f(t) {
				return nil
			}
		}
		if len(page) == 0 {
			return nil
		}
	}
}
