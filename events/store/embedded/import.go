package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// An Import is a store file in the making: it is written beside the place where
// it will be, with ".importing" behind its name, and takes that place when it is
// whole. So a gateway never sees a half of it. Its methods may be called
// concurrently, but for Begin, Commit and Abort.
type Import struct {
	path  string
	store *Store // on the file in the making; nil before Begin and after the end
	old   *View  // keeps gateways off what is replaced; nil: there is nothing
}

// suffix is what the name of a file in the making has behind it.
const suffix = ".importing"

// OpenImport looks at what is at the path, and keeps gateways off it: it waits
// so long for one that has it open, and returns an error that wraps [ErrLocked]
// if it still has. [Import.Commit] or [Import.Abort] ends the import.
func OpenImport(path string, wait time.Duration) (*Import, error) {
	old, err := OpenView(path, wait)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return nil, err
	}
	return &Import{path: path, old: old}, nil
}

// Old returns what is at the place now, or nil. It belongs to the import.
func (m *Import) Old() *View { return m.old }

// Begin makes the new file. One that an import left that was killed is removed.
func (m *Import) Begin(context.Context) error {
	path := m.path + suffix
	if _, err := os.Stat(path); err == nil {
		db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Millisecond})
		if err == nil {
			err = db.Close()
		}
		if errors.Is(err, berrors.ErrTimeout) {
			return fmt.Errorf("store file %s: another import into %s is under way%s", path, m.path, holder(path))
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove what an import left: %w", err)
		}
	}
	config := DefaultConfig()
	config.LockTimeout = time.Millisecond
	config.JournalBytes = 0 // nothing is durable before the end
	s, err := Open(path, config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s.db.NoSync = true // Commit syncs all of it at once
	m.store = s
	return nil
}

// Log makes a log that has no record yet: the first one will get the offset
// b.First. If the log is there, it begins anew.
func (m *Import) Log(ctx context.Context, class string, b events.Bounds) error {
	return m.store.update(ctx, func(tx *txn) error {
		classes := tx.Bucket(bucketClasses)
		if classes.Bucket([]byte(class)) != nil {
			if err := classes.DeleteBucket([]byte(class)); err != nil {
				return err
			}
		}
		delete(tx.logs, class)
		made, err := classes.CreateBucket([]byte(class))
		if err != nil {
			return err
		}
		if err := made.Put(keyEpoch, []byte(b.Epoch)); err != nil {
			return err
		}
		if b.Base > 0 {
			if err := made.Put(keyBase, binary.BigEndian.AppendUint64(nil, b.Base)); err != nil {
				return err
			}
		}
		log, err := made.CreateBucket(bucketLog)
		if err != nil {
			return err
		}
		return log.SetSequence(b.First - 1)
	})
}

// Records puts records of one class at the end of its log, with the offsets that
// they have, which must follow those of the log.
func (m *Import) Records(ctx context.Context, class string, records []events.Record) error {
	return m.store.update(ctx, func(tx *txn) error {
		l, err := tx.log(class)
		if err != nil {
			return err
		}
		for i := range records {
			if at := records[i].Offset; at != l.bounds.Next {
				return fmt.Errorf("the log %s: expected the offset %d, found %d", class, l.bounds.Next, at)
			}
			if _, err := l.append(tx, &records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// PutToken inserts a token.
func (m *Import) PutToken(ctx context.Context, t *auth.Token) error {
	return m.store.PutToken(ctx, t)
}

// PutPersistent inserts a persistent subscription, whether or not it or others
// have expired.
func (m *Import) PutPersistent(ctx context.Context, p *events.Persistent) error {
	if err := p.Check(); err != nil {
		return err
	}
	key := storekit.AppendMember(nil, p.Owner, p.Name)
	sub := &subscription{Persistent: *p, lapse: p.Expires.UnixMilli()}
	return m.store.update(ctx, func(tx *txn) error {
		subs, index := tx.Bucket(bucketSubs), tx.Bucket(bucketLapse)
		old, err := lookUp(subs, key)
		if err != nil {
			return err
		}
		if old != nil {
			if err := old.remove(tx.Tx); err != nil {
				return err
			}
		}
		if err := index.Put(lapseKey(sub.lapse, key), nil); err != nil {
			return err
		}
		return subs.Put(key, appendSubscription(nil, sub))
	})
}

// Commit makes all that was put durable, and puts the file in its place.
func (m *Import) Commit(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s, path := m.store, m.path+suffix
	s.queue.Close()
	s.committer.Wait()
	if err := s.db.Sync(); err != nil {
		return s.explain("write", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if m.old == nil {
		if _, err := os.Lstat(m.path); err == nil {
			return fmt.Errorf("store file %s: a gateway has made it while the import ran; stop it, and import again", m.path)
		}
	} else if runtime.GOOS == "windows" { // where an open file cannot be replaced
		if err := m.closeOld(); err != nil {
			return err
		}
	}
	if err := os.Rename(path, m.path); err != nil {
		return fmt.Errorf("put the store in its place: %w", err)
	}
	m.store = nil
	if err := syncDir(filepath.Dir(m.path)); err != nil {
		return fmt.Errorf("put the store in its place: %w", err)
	}
	return m.closeOld()
}

// Abort removes what was made, and leaves what was there as it was. It does
// nothing after a Commit that succeeded.
func (m *Import) Abort(context.Context) error {
	var err error
	if m.store != nil {
		err = m.store.Close()
		err = errors.Join(err, os.Remove(m.path+suffix))
		m.store = nil
	}
	return errors.Join(err, m.closeOld())
}

func (m *Import) closeOld() error {
	if m.old == nil {
		return nil
	}
	old := m.old
	m.old = nil
	return old.Close()
}
