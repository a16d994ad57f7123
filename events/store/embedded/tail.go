package embedded

import "time"

// A tail is what the committer has that is not in the store's file yet: a
// transaction with batches that are durable because they are in the journal.
type tail struct {
	journal *journal // nil: every batch goes to the store's file at once
	tx      *txn     // nil: none is open
	arena   []byte   // of the one before, to be used again, as is batch
	batch   []byte

	// payloads are the batches of the journal that are not in the store's
	// file, to put them into another transaction if this one fails.
	payloads []byte
	records  int
	since    time.Time   // when the first one was written
	timer    *time.Timer // wakes the committer when they are old

	// uncertain is set when a commit failed and what it wrote can be seen
	// nevertheless. Nobody knows whether that would survive a loss of power,
	// so that the journal must stay as it is until a commit succeeds.
	uncertain bool
	through   uint64 // number of the last batch that is in the store's file for certain
}

// maxTail is how many records a tail has at most: a commit of the store's file
// takes the longer the more there are, and holds up the next batch.
const maxTail = 1024

// fits reports whether the batch of a transaction can go to the journal.
func (t *tail) fits(tx *txn) bool {
	return t.journal != nil && !t.uncertain && t.records+tx.appended <= maxTail && t.journal.fits(len(tx.batch))
}

// begin opens a transaction with what is in the journal and not in the store's
// file, if none is open.
func (s *Store) begin() error {
	t := &s.tail
	if t.tx != nil {
		return nil
	}
	btx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	t.tx = &txn{Tx: btx, arena: t.arena[:0], batch: t.batch}
	if t.journal == nil {
		return nil
	}
	state, err := journalStateOf(btx)
	if err != nil {
		return s.rollback(err)
	}
	if state.through > t.through {
		t.uncertain = true
		t.journal.last = max(t.journal.last, state.through)
		return nil // the payloads are there
	}
	if err := t.tx.replay(t.payloads); err != nil {
		return s.rollback(err)
	}
	return nil
}

// rollback ends the transaction, and returns the error that it is for. What is
// in the journal stays there.
func (s *Store) rollback(err error) error {
	t := &s.tail
	_ = t.tx.Rollback() // fails only if it has ended
	t.end()
	return err
}

// end notes that the transaction has ended.
func (t *tail) end() {
	t.arena, t.batch, t.tx = t.tx.arena, t.tx.batch, nil
}

// note writes the batch of the transaction to the journal. If that fails, it
// puts everything into the store's file instead.
func (s *Store) note() error {
	t := &s.tail
	if err := t.journal.append(t.tx.batch); err != nil {
		if !s.detour {
			s.log.Warn("cannot write the journal of the store file, and write the store file each time", "err", s.explain("write", err))
		}
		s.detour = true
		return s.settle()
	}
	if s.detour {
		s.log.Info("the journal of the store file can be written again", "path", s.path)
	}
	s.detour = false
	s.batches.Add(1)
	if t.records == 0 {
		t.since = time.Now()
		t.timer = time.AfterFunc(s.config.JournalAge, s.queue.Wake)
	}
	t.payloads = append(t.payloads, t.tx.batch...)
	t.records += t.tx.appended
	s.unsettled.mark(t.tx.logs)
	return nil
}

// settle commits the transaction to the store's file.
func (s *Store) settle() error {
	t := &s.tail
	state := journalState{}
	if t.journal != nil {
		state = journalState{id: t.journal.id, through: t.journal.reach()}
		if err := state.put(t.tx.Tx); err != nil {
			return s.rollback(err)
		}
	}
	err := t.tx.Commit()
	t.end()
	if err != nil {
		return err
	}
	s.commits.Add(1)
	t.payloads, t.records = t.payloads[:0], 0
	t.through, t.uncertain = state.through, false
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if t.journal != nil {
		t.journal.rewind()
	}
	s.unsettled.clear()
	return nil
}

// attend serves those who want to read what is in the journal, and puts it into
// the store's file when it is old, or the committer is at its end.
func (s *Store) attend(open bool) {
	readings := s.unsettled.take()
	old := s.tail.records > 0 && (!open || time.Since(s.tail.since) >= s.config.JournalAge)
	if len(readings) == 0 && !old {
		return
	}
	err := s.guard(func() error {
		if err := s.begin(); err != nil {
			return err
		}
		return s.settle()
	})
	err = s.report(s.explain("write", err))
	if err != nil && open && s.tail.timer != nil {
		s.tail.timer.Reset(s.config.JournalAge)
	}
	for _, r := range readings {
		s.serve(r, err)
	}
}

// serve lets a reading go on. If what it wants to read could not be put into the
// store's file, it reads the transaction.
func (s *Store) serve(r *reading, err error) {
	if err == nil {
		r.done <- errSettled
		return
	}
	if !r.begun.CompareAndSwap(false, true) {
		return // it waits no more
	}
	r.done <- s.guard(func() error {
		if err := s.begin(); err != nil {
			return err
		}
		return guarded(func() error { return r.fn(s.tail.tx.Tx) })
	})
}

// conclude is called when nothing is written any more. What could not be put into
// the store's file stays in the journal, until the file is opened again.
func (s *Store) conclude() {
	t := &s.tail
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.tx != nil && !s.broken.Load() {
		_ = s.rollback(nil)
	}
	for _, r := range s.unsettled.close() {
		s.serve(r, nil)
	}
}
