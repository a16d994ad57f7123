package embedded

import (
	"encoding/binary"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// subscriptionVersion begins the record of a persistent subscription.
const subscriptionVersion = 1

// flagExplicit marks a subscription whose client acknowledges events itself.
const flagExplicit = 1

// lapseKey returns the key of a subscription in the index by expiry.
func lapseKey(at int64, key []byte) []byte {
	k := make([]byte, 0, lapseLen+len(key))
	k = binary.BigEndian.AppendUint64(k, uint64(at)^1<<63) // so that times before 1970 come first
	return append(k, key...)
}

// lapseLen is the length of the time in such a key.
const lapseLen = 8

// A subscription is a persistent subscription as the file has it.
type subscription struct {
	events.Persistent
	lapse int64 // its time in the index by expiry, in milliseconds since 1970; not after Expires
}

// appendSubscription appends the encoding of a subscription without owner and
// name, which are in its key:
//
//	version, flags (a byte each),
//	Created, Seen, Expires and its time in the index by expiry, in milliseconds since 1970 (varint each),
//	For in nanoseconds (varint),
//	length (uvarint) and bytes of the class, the channel, the query and the epoch,
//	the offset (uvarint), the number of spans (uvarint),
//	for each how far it begins and ends behind the end of the one before, or the offset (uvarint each)
func appendSubscription(b []byte, s *subscription) []byte {
	var flags byte
	if s.Explicit {
		flags |= flagExplicit
	}
	b = append(b, subscriptionVersion, flags)
	for _, ms := range [...]int64{s.Created.UnixMilli(), s.Seen.UnixMilli(), s.Expires.UnixMilli(), s.lapse} {
		b = binary.AppendVarint(b, ms)
	}
	b = binary.AppendVarint(b, int64(s.For))
	for _, text := range [...]string{s.Class, s.Channel, s.Where, s.Position.Epoch} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, s.Position.Offset)
	b = binary.AppendUvarint(b, uint64(len(s.Acked)))
	end := s.Position.Offset
	for _, a := range s.Acked {
		b = binary.AppendUvarint(b, a.From-end)
		b = binary.AppendUvarint(b, a.Through-end)
		end = a.Through
	}
	return b
}

// parseSubscription decodes a subscription.
func parseSubscription(key, b []byte) (s *subscription, err error) {
	s = new(subscription)
	ok := false
	if s.Owner, s.Name, ok = storekit.ParseMember(key); !ok || len(b) < 2 || b[0] != subscriptionVersion {
		return nil, errDamaged
	}
	s.Explicit = b[1]&flagExplicit != 0
	d := decoder{rest: b[2:]}
	s.Created, s.Seen, s.Expires = d.moment(), d.moment(), d.moment()
	s.lapse = d.varint()
	s.For = time.Duration(d.varint())
	s.Class, s.Channel, s.Where, s.Position.Epoch = d.text(), d.text(), d.text(), d.text()
	s.Position.Offset = d.uvarint()
	end := s.Position.Offset
	for range d.count() {
		from, through := end+d.uvarint(), end+d.uvarint()
		if from <= end || from-end < 2 || through < from {
			d.fail()
			break
		}
		s.Acked = append(s.Acked, events.Span{From: from, Through: through})
		end = through
	}
	if d.failed || len(d.rest) > 0 {
		return nil, errDamaged
	}
	return s, nil
}
