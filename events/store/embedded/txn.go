package embedded

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
)

// Names in the bucket of a class.
var (
	keyEpoch       = []byte("epoch")
	keyBase        = []byte("base")
	bucketLog      = []byte("log")
	bucketIDs      = []byte("ids")
	bucketChannels = []byte("channels")
)

// Bounds on the trimming that one transaction does, so that it does not hold
// up those who wait for it.
const (
	maxTrim  = 4096 // records
	maxSlack = 1024 // records beyond what a class keeps before any are removed
)

// A txn is a write transaction of the committer.
type txn struct {
	*bolt.Tx
	logs  map[string]*logTxn // that were opened
	arena []byte             // where values are built: bbolt refers to them until the commit

	// Of the batch under way.
	appended int    // records
	made     bool   // a log was made
	batch    []byte // the records, as the journal has them
}

// value returns n bytes that stay as they are until the commit.
func (tx *txn) value(n int) []byte {
	if cap(tx.arena)-len(tx.arena) < n {
		tx.arena = make([]byte, 0, max(n, 64<<10)) // what is in the old one stays there
	}
	used := len(tx.arena)
	tx.arena = tx.arena[:used+n]
	return tx.arena[used : used : used+n]
}

// log opens the log of a class, and makes it if there is none.
func (tx *txn) log(class string) (*logTxn, error) {
	if l := tx.logs[class]; l != nil {
		return l, nil
	}
	b, err := tx.Bucket(bucketClasses).CreateBucketIfNotExists([]byte(class))
	if err != nil {
		return nil, err
	}
	epoch := b.Get(keyEpoch)
	if epoch == nil {
		tx.made = true
		epoch = []byte(rand.Text()[:12]) // 60 random bits
		if err := b.Put(keyEpoch, epoch); err != nil {
			return nil, err
		}
	}
	l := &logTxn{class: class, epoch: string(epoch)}
	for _, sub := range []struct {
		name []byte
		to   **bolt.Bucket
	}{{bucketLog, &l.log}, {bucketIDs, &l.ids}, {bucketChannels, &l.channels}} {
		if *sub.to, err = b.CreateBucketIfNotExists(sub.name); err != nil {
			return nil, err
		}
	}
	l.log.FillPercent = 1 // keys only grow, so leave no room between them
	if l.bounds, l.newest, err = readBounds(b, l.log); err != nil {
		return nil, err
	}
	if tx.logs == nil {
		tx.logs = make(map[string]*logTxn)
	}
	tx.logs[class] = l
	return l, nil
}

// flush writes what logs keep back until the end of a transaction, and trims
// them.
func (tx *txn) flush() error {
	for _, l := range tx.logs {
		if !l.dirty {
			continue
		}
		if err := l.log.SetSequence(l.bounds.Next - 1); err != nil {
			return err
		}
		held, keep := l.bounds.Next-l.bounds.First, uint64(l.keep)
		if keep > 0 && held > keep+min(keep/8, maxSlack) {
			if _, err := l.trimTo(l.bounds.Next - keep); err != nil {
				return err
			}
		}
	}
	return nil
}

// A logTxn is the log of a class in a write transaction.
type logTxn struct {
	class, epoch       string
	log, ids, channels *bolt.Bucket
	bounds             events.Bounds
	newest             time.Time // of the last record; zero if there is none
	keep               int       // how many records it is trimmed to; 0: any number
	dirty              bool      // bounds.Next changed
}

// readBounds returns the bounds of the log of a class, and the time of the newest
// record.
func readBounds(class, log *bolt.Bucket) (b events.Bounds, newest time.Time, err error) {
	last := log.Sequence()
	b = events.Bounds{Epoch: string(class.Get(keyEpoch)), First: last + 1, Next: last + 1}
	if base := class.Get(keyBase); len(base) == 8 {
		b.Base = binary.BigEndian.Uint64(base)
	} else if base != nil {
		return b, newest, errDamaged
	}
	k, _ := log.Cursor().First()
	if k == nil {
		return b, newest, nil
	}
	key := offsetKey(last)
	r, err := parseRecord(log.Get(key[:]))
	if err != nil || len(k) != 8 {
		return b, newest, errDamaged
	}
	b.First = binary.BigEndian.Uint64(k)
	return b, r.time, nil
}

// find returns the offset of the record with an id that its publisher gave,
// and whether it has the same data. It returns 0 if there is none.
func (l *logTxn) find(id string, data []byte) (offset uint64, at time.Time, same bool, err error) {
	v := l.ids.Get([]byte(id))
	if v == nil {
		return 0, at, false, nil
	}
	r, err := parseRecord(l.log.Get(v))
	if err != nil || len(v) != 8 {
		return 0, at, false, errDamaged
	}
	return binary.BigEndian.Uint64(v), r.time, bytes.Equal(r.data, data), nil
}

// append puts a record at the end and returns its place.
func (l *logTxn) append(tx *txn, r *events.Record) (events.Appended, error) {
	offset, at := l.bounds.Next, l.newest
	if r.Time.After(at) {
		at = r.Time
	}
	value := tx.value(3*binary.MaxVarintLen64 + 1 + len(r.ID) + len(r.Channel) + len(r.Data))
	value = appendRecord(value, r, at)
	if err := l.put(tx, value); err != nil {
		return events.Appended{}, err
	}
	l.keep = r.Keep.Events
	tx.appended++
	tx.batch = appendJournaled(tx.batch, &journaled{class: l.class, offset: offset, keep: l.keep, value: value})
	return events.Appended{Epoch: l.epoch, Offset: offset, Time: at.Truncate(time.Millisecond).UTC(), Base: l.bounds.Base}, nil
}

// put puts the encoding of a record at the end. It must stay as it is until the
// commit.
func (l *logTxn) put(tx *txn, value []byte) error {
	r, err := parseRecord(value)
	if err != nil {
		return err
	}
	offset := l.bounds.Next
	key := offsetKey(offset)
	if err := l.log.Put(key[:], value); err != nil {
		return err
	}
	if r.given {
		if err := l.ids.Put(r.id, append(tx.value(8), key[:]...)); err != nil {
			return err
		}
	}
	if len(r.channel) > 0 {
		if err := l.channels.Put(appendChannelKey(nil, r.channel, offset), nil); err != nil {
			return err
		}
	}
	l.bounds.Next++
	l.newest, l.dirty = r.time, true
	return nil
}

// trimTo removes records before the offset first, at most maxTrim of them, and
// returns how many.
func (l *logTxn) trimTo(first uint64) (n int, err error) {
	for ; l.bounds.First < first && n < maxTrim; n++ {
		key := offsetKey(l.bounds.First)
		r, err := parseRecord(l.log.Get(key[:]))
		if err != nil {
			return n, err
		}
		if r.given && bytes.Equal(l.ids.Get(r.id), key[:]) {
			if err := l.ids.Delete(r.id); err != nil {
				return n, err
			}
		}
		if len(r.channel) > 0 {
			if err := l.channels.Delete(appendChannelKey(nil, r.channel, l.bounds.First)); err != nil {
				return n, err
			}
		}
		if err := l.log.Delete(key[:]); err != nil {
			return n, err
		}
		l.bounds.First++
	}
	return n, nil
}
