package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Bounds on the length of a journal.
const (
	minJournalBytes = 64 << 10
	maxJournalBytes = 64 << 20
)

// keyJournal is where the store's file says what it has of its journal.
var keyJournal = []byte("journal")

// A journalState is what the store's file says of its journal. The zero value
// is that of a file that never had one.
type journalState struct {
	id      journalID
	through uint64 // number up to which batches are in the store's file
	closed  bool   // the journal was removed, or will be: everything of it is there
}

// put writes the state.
func (j journalState) put(tx *bolt.Tx) error {
	b := binary.BigEndian.AppendUint64(append([]byte(nil), j.id[:]...), j.through)
	if j.closed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return tx.Bucket(bucketMeta).Put(keyJournal, b)
}

// journalStateOf reads the state.
func journalStateOf(tx *bolt.Tx) (j journalState, err error) {
	b := tx.Bucket(bucketMeta).Get(keyJournal)
	switch {
	case b == nil:
		return journalState{closed: true}, nil
	case len(b) != len(j.id)+9 || b[len(b)-1] > 1:
		return j, fmt.Errorf("%w: what it says of its journal cannot be decoded", errDamaged)
	}
	return journalState{
		id:      journalID(b),
		through: binary.BigEndian.Uint64(b[len(j.id):]),
		closed:  b[len(b)-1] == 1,
	}, nil
}

// pending returns the payloads that are in the journal of a store's file and not
// in the file, and up to which number they go.
func pending(tx *bolt.Tx, path string) (payloads [][]byte, through uint64, err error) {
	state, err := journalStateOf(tx)
	if err != nil {
		return nil, 0, err
	}
	fail := func(err error) error { return fmt.Errorf("its journal %s: %w", journalPath(path), err) }
	c, err := readJournal(journalPath(path))
	switch {
	case err != nil:
		return nil, 0, fail(err)
	case c == nil && !state.closed:
		return nil, 0, fail(errNoJournal)
	case c == nil || len(c.payloads) == 0:
		return nil, 0, nil
	case c.id == state.id:
		if payloads, ok := c.since(state.through); ok {
			return payloads, state.through + uint64(len(payloads)), nil
		}
	}
	return nil, 0, fail(fmt.Errorf("belongs to another store file and has %d batches of events that are not in it: put the file there that it belongs to, or move the journal away to go on without them", len(c.payloads)))
}

// errNoJournal says that there is no journal where one is expected.
var errNoJournal = errors.New("is not there")

// openJournal puts what is in the journal into the store's file, and makes a new
// journal.
func (s *Store) openJournal() error {
	fail := func(err error) error { return fmt.Errorf("store file %s: %w", s.path, err) }
	var recovered int
	err := guarded(func() error {
		return s.db.Update(func(btx *bolt.Tx) error {
			payloads, through, err := pending(btx, s.path)
			if errors.Is(err, errNoJournal) {
				s.log.Warn("the journal of the store file is not there, though the gateway did not end in order; events of its last second may be missing",
					"path", s.path, "journal", journalPath(s.path))
				return nil
			}
			if err != nil || len(payloads) == 0 {
				return err
			}
			state, err := journalStateOf(btx)
			if err != nil {
				return err
			}
			tx := &txn{Tx: btx}
			for _, payload := range payloads {
				if err := tx.replay(payload); err != nil {
					return err
				}
			}
			recovered = len(payloads)
			state.through = through
			return state.put(btx)
		})
	})
	if err != nil {
		return fail(err)
	}
	if recovered > 0 {
		s.log.Info("put what was in the journal into the store file", "path", s.path, "batches", recovered)
	}
	if s.config.JournalBytes == 0 {
		return s.forgetJournal()
	}
	if s.tail.journal, err = s.newJournal(); err != nil { // a full disk, say: what is there can be read
		s.log.Warn("cannot make the journal of the store file, and write the store file each time", "err", s.explain("write", err))
	}
	return nil
}

// newJournal makes an empty journal, and notes it in the store's file.
func (s *Store) newJournal() (*journal, error) {
	j, err := makeJournal(journalPath(s.path), int64(s.config.JournalBytes))
	if err != nil {
		return nil, err
	}
	if err := s.db.Update(journalState{id: j.id}.put); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

// closeJournal removes the journal if everything is in the store's file, so that
// this is the only one that is left.
func (s *Store) closeJournal() error {
	j := s.tail.journal
	if j == nil {
		return nil
	}
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close the journal of the store file %s: %w", s.path, err)
	}
	if s.tail.records > 0 {
		return fmt.Errorf("store file %s: %d events could not be put into it; they are safe in its journal %s", s.path, s.tail.records, journalPath(s.path))
	}
	return s.forgetJournal()
}

// forgetJournal removes a journal that has nothing which is not in the store's
// file.
func (s *Store) forgetJournal() error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		state, err := journalStateOf(tx)
		if err != nil || state.closed {
			return err
		}
		state.closed, state.through = true, max(state.through, s.tail.through)
		return state.put(tx)
	})
	if err != nil {
		return s.explain("write", err)
	}
	path := journalPath(s.path)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("store file %s: cannot remove its journal: %w", s.path, err)
	}
	return syncDir(filepath.Dir(path))
}
