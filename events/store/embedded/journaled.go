package embedded

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A journaled record is one in the payload of a batch.
type journaled struct {
	class  string
	offset uint64
	keep   int    // how many records the log is trimmed to; 0: any number
	value  []byte // the record, as the log has it
}

// appendJournaled appends a record to the payload of a batch: the class with
// its length before it, the offset, how many records to keep, and the record as
// the log has it, with its length before it. All numbers are uvarints.
func appendJournaled(b []byte, r *journaled) []byte {
	b = appendText(b, r.class)
	b = binary.AppendUvarint(b, r.offset)
	b = binary.AppendUvarint(b, uint64(r.keep))
	b = binary.AppendUvarint(b, uint64(len(r.value)))
	return append(b, r.value...)
}

// parseJournaled takes the first record of a payload apart, and returns what
// follows it. The record's value is within the payload.
func parseJournaled(payload []byte) (r journaled, rest []byte, err error) {
	d := decoder{rest: payload}
	r.class, r.offset = d.text(), d.uvarint()
	keep := d.uvarint()
	n := d.count()
	if d.failed || r.offset == 0 || keep > math.MaxInt32 {
		return journaled{}, nil, errDamaged
	}
	r.keep, r.value = int(keep), d.rest[:n:n]
	return r, d.rest[n:], nil
}

// replay puts the records of a payload into their logs, where they must be next.
func (tx *txn) replay(payload []byte) error {
	for len(payload) > 0 {
		r, rest, err := parseJournaled(payload)
		if err != nil {
			return err
		}
		payload = rest
		if err := tx.replayRecord(&r); err != nil {
			return err
		}
	}
	return tx.flush()
}

func (tx *txn) replayRecord(r *journaled) error {
	l, err := tx.log(r.class)
	if err != nil {
		return err
	}
	if next := l.bounds.Next; r.offset != next {
		return fmt.Errorf("%w: the journal has the offset %d of the log %s, where the store's file goes on with %d", errDamaged, r.offset, r.class, next)
	}
	l.keep = r.keep
	return l.put(tx, append(tx.value(len(r.value)), r.value...))
}
