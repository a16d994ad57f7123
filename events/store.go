package events

import (
	"context"
	"time"
)

// A Store keeps a log of events for each retained class. The hub declares it,
// because the hub calls it; the packages under events/store implement it, and
// storetest.RunLog checks that they do.
//
// The log of a class is known by the class's name. It has an epoch, a random
// text made with it. The first record has the offset 1, each further one an
// offset greater by one, also when older ones are gone; an offset is never
// given twice in an epoch. The times of records never decrease. A store that
// finds that it lost records which it had acknowledged begins a new epoch.
//
// All methods may be called concurrently. They return [ErrClosed] once the
// store is closed, [ErrUnavailable] when it cannot answer now, and [ErrFull]
// when there is no room, each wrapped with what happened.
type Store interface {
	Appender
	Reader

	// Bounds returns what the log of a class holds. If the store has no log
	// of the class it makes one, so that every class has an epoch before its
	// first event.
	Bounds(ctx context.Context, class string) (Bounds, error)

	// Trim removes the records of a class that fall outside keep at the time
	// now, and returns how many. It may leave some for the next call so as
	// not to hold up others.
	Trim(ctx context.Context, class string, keep Retain, now time.Time) (n int, err error)
}

// An Appender is the part of a [Store] that writes.
type Appender interface {
	// Append puts the records at the end of the logs of their classes: all
	// of them, or with an error none. Then it calls done, once, with a result
	// for each record. The records are durable by then, within what the store
	// promises.
	//
	// Append returns as soon as the records are queued: it waits only for
	// room in a bounded queue, never for the disk or the network. It has no
	// context, as what is queued is carried out; the implementation bounds
	// how long that takes. Records are appended in the order of the calls of
	// one goroutine, and done is called in that order too, for whatever
	// classes, and also for no records at all; between goroutines, in the
	// order of the offsets. Its calls are one at a time. They come from a
	// goroutine of the store's; only if the store is closed, from within
	// Append.
	// done must return soon and must not call Append.
	//
	// The store may keep records and their Data until done is called, and
	// does not change them. results is valid during the call only.
	//
	// If a record with an IDGiven has the class and the ID of an earlier one
	// that is still in the log, or of one before it in records, and the same
	// Data, it is a duplicate: it is not appended, and its result is that of
	// the earlier one. If the Data differs, nothing is appended and the error
	// is a [*ConflictError].
	Append(records []Record, done func(results []Appended, err error))
}

// A Reader is the part of a [Store] that reads.
type Reader interface {
	// Read returns the records of a range in order of their offsets. What it
	// returns belongs to the caller.
	Read(ctx context.Context, r Range) (Page, error)

	// SeekTime returns the offset after which to read for every record
	// of the class, up to the offset through, whose time is not before t, and
	// no earlier one.
	SeekTime(ctx context.Context, class string, through uint64, t time.Time) (after uint64, err error)

	// SeekLast returns the offset after which to read for the last n records
	// of the class, up to the offset through, and if channel is not empty
	// only of the channel. If there are fewer, it is before the first one.
	SeekLast(ctx context.Context, class, channel string, through uint64, n int) (after uint64, err error)
}

// A Record is an event in a log, or on its way into one.
type Record struct {
	Class   string // in what Read returns, as it was asked for
	Channel string // encoded; may be empty
	ID      string
	IDGiven bool      // the publisher chose the ID and may send the event again
	Time    time.Time // whole milliseconds
	Data    []byte
	Offset  uint64 // ignored by Append
	Keep    Retain // for Append: what the log is trimmed to; zero in what Read returns
}

// Appended says where a record is in the log.
type Appended struct {
	Epoch     string
	Offset    uint64
	Time      time.Time // of the record in the log; not before those before it
	Duplicate bool      // the record was there already
	Base      uint64    // as in Bounds
}

// Bounds says what a log holds: the offsets from First to Next-1. It is empty
// if First is Next.
type Bounds struct {
	Epoch string
	First uint64 // offset of the oldest record, at least 1
	Next  uint64 // offset that the next record gets

	// Base is the offset of the last record that the log had when the epoch
	// began, or 0. It is greater only if a store that lost records of a log
	// kept the others: they have the offsets that they had, up to Base.
	Base uint64

	// Line says what the log has in common with itself in earlier epochs; it
	// may be empty.
	Line Lineage
}

// A Range says which records to read.
type Range struct {
	Class   string
	Channel string // only records of this channel; empty: all
	After   uint64 // only offsets greater than this
	Through uint64 // only offsets up to this
	Limit   int    // at most so many records, at least 1
	Bytes   int    // no further records once there are so many bytes of data; at least 1
}

// A Page is what was read of a [Range].
type Page struct {
	Records []Record
	Bounds  Bounds // of the log, at the moment of the reading
	After   uint64 // where to go on: every record of the range up to here is in Records or gone
}
