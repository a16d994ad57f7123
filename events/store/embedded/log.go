package embedded

import (
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// Append queues the records; see [events.Appender].
func (s *Store) Append(records []events.Record, done func(results []events.Appended, err error)) {
	r := &appendRequest{records: records, done: done}
	for i := range records {
		r.bytes += len(records[i].Data) + len(records[i].ID) + len(records[i].Channel) + 64
	}
	s.submit(r)
}

// An appendRequest is one call of Append.
type appendRequest struct {
	records []events.Record
	bytes   int
	done    func(results []events.Appended, err error)

	results  []events.Appended
	conflict *events.ConflictError
}

func (r *appendRequest) Size() (records, bytes int) { return max(1, len(r.records)), r.bytes }

func (r *appendRequest) Patient() bool   { return false }
func (r *appendRequest) Overtakes() bool { return true } // as it needs the journal only

func (r *appendRequest) finish(err error) {
	switch {
	case err != nil:
		r.done(nil, err)
	case r.conflict != nil:
		r.done(nil, r.conflict)
	default:
		r.done(r.results, nil)
	}
}

func (r *appendRequest) apply(tx *txn) (err error) {
	r.results = make([]events.Appended, len(r.records))
	if r.conflict, err = r.findDuplicates(tx); err != nil || r.conflict != nil {
		return err
	}
	for i := range r.records {
		rec := &r.records[i]
		l, err := tx.log(rec.Class)
		if err != nil {
			return err
		}
		switch done := &r.results[i]; {
		case done.Offset > 0: // a duplicate of one in the log
		case done.Duplicate: // of one in records
			at, when, _, err := l.find(rec.ID, rec.Data)
			if err != nil {
				return err
			}
			*done = events.Appended{Epoch: l.epoch, Offset: at, Time: when, Duplicate: true, Base: l.bounds.Base}
		default:
			if *done, err = l.append(tx, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// findDuplicates fills in the results of records that are in the log already,
// and marks those that repeat another one of the request. Nothing is written
// before it is known that no record is in conflict.
func (r *appendRequest) findDuplicates(tx *txn) (*events.ConflictError, error) {
	type idOf struct{ class, id string }
	var ids map[idOf]int
	for i := range r.records {
		rec := &r.records[i]
		if !rec.IDGiven {
			continue
		}
		l, err := tx.log(rec.Class)
		if err != nil {
			return nil, err
		}
		offset, at, same, err := l.find(rec.ID, rec.Data)
		if err != nil {
			return nil, err
		}
		if offset > 0 {
			if !same {
				return &events.ConflictError{Class: rec.Class, ID: rec.ID, Index: i}, nil
			}
			r.results[i] = events.Appended{Epoch: l.epoch, Offset: offset, Time: at, Duplicate: true, Base: l.bounds.Base}
			continue
		}
		if len(r.records) == 1 {
			continue
		}
		if ids == nil {
			ids = make(map[idOf]int)
		}
		key := idOf{rec.Class, rec.ID}
		if earlier, ok := ids[key]; !ok {
			ids[key] = i
		} else if string(r.records[earlier].Data) != string(rec.Data) {
			return &events.ConflictError{Class: rec.Class, ID: rec.ID, Index: i}, nil
		} else {
			r.results[i].Duplicate = true
		}
	}
	return nil, nil
}

// Bounds returns what the log of a class holds, and makes the log if there is
// none; see [events.Store].
func (s *Store) Bounds(ctx context.Context, class string) (b events.Bounds, err error) {
	err = s.viewClass(ctx, class, func(tx *bolt.Tx) error {
		b, err = boundsOf(tx, class)
		return err
	})
	if err != nil || b.Epoch != "" {
		return b, err
	}
	var made events.Bounds // of its own, as the committer may set it after ctx ended
	err = s.update(ctx, func(tx *txn) error {
		l, err := tx.log(class)
		if err == nil {
			made = l.bounds
		}
		return err
	})
	if err != nil {
		return events.Bounds{}, err
	}
	return made, nil
}

// boundsOf returns the bounds of a log, with an empty epoch if there is none.
func boundsOf(tx *bolt.Tx, class string) (events.Bounds, error) {
	b := tx.Bucket(bucketClasses).Bucket([]byte(class))
	if b == nil {
		return events.Bounds{First: 1, Next: 1}, nil
	}
	log := b.Bucket(bucketLog)
	if log == nil {
		return events.Bounds{}, errDamaged
	}
	bounds, _, err := readBounds(b, log)
	return bounds, err
}

// Trim removes old records, at most 4096 at once; see [events.Store].
func (s *Store) Trim(ctx context.Context, class string, keep events.Retain, now time.Time) (n int, err error) {
	first, _, err := storekit.FirstToKeep(ctx, s, class, keep, now) // mostly there is nothing to do
	if err != nil || first == 0 {
		return 0, err
	}
	return s.TrimBefore(ctx, class, first)
}
