package embedded

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
)

// SetMaxSize makes the file full at the size. Nothing may be under way.
func (s *Store) SetMaxSize(bytes int) { s.db.MaxSize = bytes }

// Damage runs fn on the file, behind the store's back.
func (s *Store) Damage(fn func(tx *bolt.Tx) error) error {
	if err := s.Settle(); err != nil {
		return err
	}
	return s.db.Update(fn)
}

// Settle puts everything into the file.
func (s *Store) Settle() error {
	return s.update(context.Background(), func(*txn) error { return nil })
}

// Hold keeps the committer from writing until release is called.
func (s *Store) Hold() (release func()) {
	started, held := make(chan struct{}), make(chan struct{})
	s.submit(&change{
		fn: func(*txn) error {
			close(started)
			<-held
			return nil
		},
		done:    make(chan error, 1),
		records: 1,
	})
	<-started
	return func() { close(held) }
}

// A TestJournal is a journal in a file that a test gives it.
type TestJournal struct{ j *journal }

// NewTestJournal returns an empty journal.
func NewTestJournal(file interface {
	WriteAt(p []byte, at int64) (int, error)
	Sync() error
	Close() error
}, size int64,
) *TestJournal {
	j := &journal{file: file, id: journalID{1, 2, 3}, size: size, end: journalBlock}
	if _, err := file.WriteAt(j.first(), 0); err != nil {
		panic(err)
	}
	if err := file.Sync(); err != nil {
		panic(err)
	}
	return &TestJournal{j}
}

func (t *TestJournal) Fits(payload int) bool       { return t.j.fits(payload) }
func (t *TestJournal) Append(payload []byte) error { return t.j.append(payload) }
func (t *TestJournal) Reach() uint64               { return t.j.reach() }
func (t *TestJournal) Rewind()                     { t.j.rewind() }

// Pending returns the payloads after the batch with the number through that are
// in the bytes of a journal.
func Pending(b []byte, through uint64) ([][]byte, error) {
	c, err := parseJournal(b)
	if err != nil {
		return nil, err
	}
	payloads, ok := c.since(through)
	if !ok {
		return nil, errors.New("a gap")
	}
	return payloads, nil
}

// BreakJournal has the journal refuse to be written, until mend is called.
// Nothing may be under way.
func (s *Store) BreakJournal(err error) (mend func()) {
	file := s.tail.journal.file
	s.tail.journal.file = brokenFile{file, err}
	return func() { s.tail.journal.file = file }
}

type brokenFile struct {
	journalFile
	err error
}

func (f brokenFile) WriteAt([]byte, int64) (int, error) { return 0, f.err }

// FailCommit makes it as if a commit of what is in the journal, and of a record
// more, had failed in its very end, so that it can be seen. Nothing may be under
// way.
func (s *Store) FailCommit(r *events.Record) error {
	j := s.tail.journal
	if s.tail.tx != nil {
		_ = s.rollback(nil)
	}
	return s.db.Update(func(btx *bolt.Tx) error {
		tx := &txn{Tx: btx}
		if err := tx.replay(s.tail.payloads); err != nil {
			return err
		}
		l, err := tx.log(r.Class)
		if err != nil {
			return err
		}
		if _, err := l.append(tx, r); err != nil {
			return err
		}
		if err := tx.flush(); err != nil {
			return err
		}
		return journalState{id: j.id, through: j.reach()}.put(btx)
	})
}
