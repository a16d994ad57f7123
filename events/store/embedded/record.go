package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/events"
)

// flagIDGiven marks a record whose id is in the index.
const flagIDGiven = 1

// errDamaged follows the name of the file in an error.
var errDamaged = errors.New("is damaged")

// errFault is errDamaged where bbolt panicked.
var errFault = fmt.Errorf("%w", errDamaged)

// offsetKey returns the key of an offset.
func offsetKey(offset uint64) (k [8]byte) {
	binary.BigEndian.PutUint64(k[:], offset)
	return k
}

// appendRecord appends the encoding of a record:
//
//	flags (1 byte), milliseconds since 1970 (varint),
//	length (uvarint) and bytes of the id, the same of the channel, the data
func appendRecord(b []byte, r *events.Record, at time.Time) []byte {
	var flags byte
	if r.IDGiven {
		flags |= flagIDGiven
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, at.UnixMilli())
	b = binary.AppendUvarint(b, uint64(len(r.ID)))
	b = append(b, r.ID...)
	b = binary.AppendUvarint(b, uint64(len(r.Channel)))
	b = append(b, r.Channel...)
	return append(b, r.Data...)
}

// A stored record is one in the file: its slices are valid as long as the
// transaction.
type stored struct {
	given             bool
	time              time.Time
	id, channel, data []byte
}

func parseRecord(b []byte) (r stored, err error) {
	if len(b) < 1 {
		return r, errDamaged
	}
	r.given = b[0]&flagIDGiven != 0
	b = b[1:]
	ms, n := binary.Varint(b)
	if n <= 0 {
		return r, errDamaged
	}
	r.time = time.UnixMilli(ms).UTC()
	b = b[n:]
	for _, field := range []*[]byte{&r.id, &r.channel} {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return r, errDamaged
		}
		*field = b[n : n+int(length)]
		b = b[n+int(length):]
	}
	r.data = b
	return r, nil
}

// appendChannelKey appends the key of a record in the index of channels. A
// channel has no byte 0, so that channels do not run into one another.
func appendChannelKey(b []byte, channel []byte, offset uint64) []byte {
	b = append(b, channel...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, offset)
}
