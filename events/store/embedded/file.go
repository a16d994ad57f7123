package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/wireroom/wireroom/events"
)

// format is the version of the layout of the file. Format 1 had no journal: a
// program that knows only it would not see what is in one.
const format = 2

// Names of the buckets at the top of the file.
var (
	bucketMeta    = []byte("wireroom")
	bucketClasses = []byte("classes")
	bucketTokens  = []byte("tokens")
	bucketExpiry  = []byte("expiry")
	bucketSubs    = []byte("subscriptions")
	bucketLapse   = []byte("lapse")
	bucketUsers   = []byte("users")
	keyFormat     = []byte("format")
)

// openFile opens the file, checks that it is ours, and makes what it lacks.
func openFile(path string, lockTimeout time.Duration) (*bolt.DB, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("store file %s: "+format, append([]any{path}, args...)...)
	}
	dir := filepath.Dir(path)
	info, statErr := os.Stat(path)
	if statErr == nil && !info.Mode().IsRegular() {
		return nil, fail("is not a regular file but %s", info.Mode().Type())
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fail("the directory %s does not exist", dir)
	}
	// The list of free pages is written with each commit, so that opening
	// does not have to scan the file, which takes seconds for each gigabyte.
	var db *bolt.DB
	err := guarded(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout:      lockTimeout,
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true,
		})
		return err
	})
	if err != nil {
		return nil, openError(path, lockTimeout, err)
	}
	err = guarded(func() error {
		if err := db.View(whole); err != nil {
			return err
		}
		return db.Update(prepare)
	})
	if err == nil && statErr != nil {
		err = syncDir(dir)
	}
	if errors.Is(err, errFault) {
		return nil, fail("%w", err) // bbolt may hold its locks, and Close would wait for them
	}
	if err != nil {
		db.Close()
		return nil, fail("%w", err)
	}
	return db, nil
}

// ErrLocked says that another process has the file open, and writes it or does
// not want it written.
var ErrLocked = errors.New("another process has it open")

// openError explains why bbolt did not open the file.
func openError(path string, lockTimeout time.Duration, err error) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("store file %s: "+format, append([]any{path}, args...)...)
	}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fail("%w%s (waited %v)", ErrLocked, holder(path), lockTimeout)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		return fail("is not a store of wireroom, or is damaged: %w", err)
	case errors.Is(err, berrors.ErrChecksum):
		return fail("is damaged: %w", err)
	case errors.Is(err, errDamaged):
		return fail("%w", err)
	}
	return fail("cannot open: %w", bare(err))
}

// guarded runs fn and turns a panic into an error. bbolt panics when the file
// is damaged, and reading it can fail as reading memory does, since it is
// mapped. Neither must end the gateway, which has more to do than to keep this
// file. What fn was called by must let go of its locks on a panic.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errFault, p)
		}
	}()
	return fn()
}

// syncDir makes a new name in a directory durable. Windows has no such thing,
// and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// whole checks that the file is as long as its root says. Behind the end of a
// file that was cut off, memory cannot be read, which would end the process.
func whole(tx *bolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w: it has %d bytes and should have %d", errDamaged, info.Size(), tx.Size())
	}
	return nil
}

// checkFormat checks the version of an open file, and reports whether it is new.
func checkFormat(tx *bolt.Tx) (isNew bool, err error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		if k, _ := tx.Cursor().First(); k != nil {
			return false, errors.New("is a bbolt file of another program")
		}
		return true, nil
	}
	v := meta.Get(keyFormat)
	if len(v) != 4 {
		return false, fmt.Errorf("%w: it has no format version", errDamaged)
	}
	if n := binary.BigEndian.Uint32(v); n > format {
		return false, fmt.Errorf("is of the format %d, and this version of wireroom knows formats up to %d: use a newer wireroom", n, format)
	} else if n == 0 {
		return false, fmt.Errorf("%w: it has the format version 0", errDamaged)
	}
	return false, nil
}

// prepare checks the version of an open file, and makes the buckets of a new
// one.
func prepare(tx *bolt.Tx) error {
	if _, err := checkFormat(tx); err != nil {
		return err
	}
	meta, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return err
	}
	if err := meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, format)); err != nil {
		return err
	}
	for _, name := range [][]byte{bucketClasses, bucketTokens, bucketExpiry, bucketSubs, bucketLapse} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return indexUsers(tx)
}

// explain turns an error of bbolt or the file system into one that callers can
// tell apart. op says what was tried.
func (s *Store) explain(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return fmt.Errorf("%w: store file %s", events.ErrClosed, s.path)
	case isFull(err):
		return fmt.Errorf("%w: cannot %s the store file %s: %w", events.ErrFull, op, s.path, bare(err))
	default:
		return fmt.Errorf("%w: cannot %s the store file %s: %w", events.ErrUnavailable, op, s.path, bare(err))
	}
}

// isFull reports whether err says that there is no room. Some errors of bbolt
// do not wrap what the system said but have it as text.
func isFull(err error) bool {
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.HasSuffix(err.Error(), no.Error()) {
			return true
		}
	}
	return errors.Is(err, berrors.ErrMaxSizeReached)
}

// bare returns the cause of an error that names the file, which we name
// ourselves.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
