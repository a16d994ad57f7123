package embedded

import (
	"context"
	"encoding/binary"
	"sort"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
)

// A logView is the log of a class in a read transaction.
type logView struct {
	log, channels *bolt.Bucket
	bounds        events.Bounds
}

// viewLog runs fn on the log of a class. If there is none, fn is not called.
func (s *Store) viewLog(ctx context.Context, class string, fn func(l *logView) error) error {
	return s.viewClass(ctx, class, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketClasses).Bucket([]byte(class))
		if b == nil {
			return nil
		}
		l := &logView{log: b.Bucket(bucketLog), channels: b.Bucket(bucketChannels)}
		if l.log == nil || l.channels == nil {
			return errDamaged
		}
		var err error
		if l.bounds, _, err = readBounds(b, l.log); err != nil {
			return err
		}
		return fn(l)
	})
}

// record returns the record at an offset that is within the bounds.
func (l *logView) record(offset uint64) (stored, error) {
	key := offsetKey(offset)
	return parseRecord(l.log.Get(key[:]))
}

// Read returns the records of a range; see [events.Reader].
func (s *Store) Read(ctx context.Context, r events.Range) (page events.Page, err error) {
	page = events.Page{Bounds: events.Bounds{First: 1, Next: 1}, After: r.After}
	err = s.viewLog(ctx, r.Class, func(l *logView) error {
		page.Bounds = l.bounds
		p := pager{page: &page, want: r}
		if r.Channel == "" {
			return p.all(l)
		}
		return p.channel(l)
	})
	return page, err
}

// A pager fills a page.
type pager struct {
	page  *events.Page
	want  events.Range
	bytes int
}

// all reads records of all channels.
func (p *pager) all(l *logView) error {
	last := min(p.want.Through, l.bounds.Next-1)
	offset := max(p.want.After+1, l.bounds.First)
	key := offsetKey(offset)
	cursor := l.log.Cursor()
	for k, v := cursor.Seek(key[:]); k != nil && offset <= last; k, v = cursor.Next() {
		if binary.BigEndian.Uint64(k) != offset {
			return errDamaged
		}
		r, err := parseRecord(v)
		if err != nil {
			return err
		}
		if !p.add(offset, r) {
			return nil
		}
		offset++
	}
	p.page.After = max(p.want.After, min(p.want.Through, last))
	return nil
}

// channel reads the records of one channel.
func (p *pager) channel(l *logView) error {
	last := min(p.want.Through, l.bounds.Next-1)
	channel := []byte(p.want.Channel)
	cursor := l.channels.Cursor()
	for k, _ := cursor.Seek(appendChannelKey(nil, channel, p.want.After+1)); k != nil; k, _ = cursor.Next() {
		offset, ok := offsetOf(k, channel)
		if !ok || offset > last {
			break
		}
		r, err := l.record(offset)
		if err != nil {
			return err
		}
		if !p.add(offset, r) {
			return nil
		}
	}
	p.page.After = max(p.want.After, last)
	return nil
}

// add adds a record to the page, and reports whether it had room for it.
func (p *pager) add(offset uint64, r stored) bool {
	if len(p.page.Records) == p.want.Limit || p.bytes >= p.want.Bytes {
		return false
	}
	p.page.Records = append(p.page.Records, events.Record{
		Class:   p.want.Class,
		Channel: string(r.channel),
		ID:      string(r.id),
		IDGiven: r.given,
		Time:    r.time,
		Data:    append(make([]byte, 0, len(r.data)), r.data...),
		Offset:  offset,
	})
	p.bytes += len(r.data)
	p.page.After = offset
	return true
}

// offsetOf returns the offset in a key of the index of channels, if it is of
// the channel.
func offsetOf(k, channel []byte) (uint64, bool) {
	n := len(channel)
	if len(k) != n+9 || k[n] != 0 || string(k[:n]) != string(channel) {
		return 0, false
	}
	return binary.BigEndian.Uint64(k[n+1:]), true
}

// SeekTime finds a time by bisection; see [events.Reader].
func (s *Store) SeekTime(ctx context.Context, class string, through uint64, t time.Time) (after uint64, err error) {
	err = s.viewLog(ctx, class, func(l *logView) error {
		last := min(through, l.bounds.Next-1)
		if last < l.bounds.First {
			after = last
			return nil
		}
		var damaged error
		n := sort.Search(int(last-l.bounds.First+1), func(i int) bool {
			r, err := l.record(l.bounds.First + uint64(i))
			if err != nil {
				damaged = err
			}
			return !r.time.Before(t)
		})
		after = l.bounds.First - 1 + uint64(n)
		return damaged
	})
	return after, err
}

// SeekLast finds the last n records; see [events.Reader].
func (s *Store) SeekLast(ctx context.Context, class, channel string, through uint64, n int) (after uint64, err error) {
	err = s.viewLog(ctx, class, func(l *logView) error {
		last := min(through, l.bounds.Next-1)
		first := min(l.bounds.First-1, last)
		if channel == "" {
			after = max(first, last-min(last, uint64(max(n, 0))))
			return nil
		}
		after = first
		if n <= 0 {
			after = last
			return nil
		}
		cursor := l.channels.Cursor()
		prefix := []byte(channel)
		k, _ := cursor.Seek(appendChannelKey(nil, prefix, last+1))
		if k == nil {
			k, _ = cursor.Last()
		} else {
			k, _ = cursor.Prev()
		}
		for ; k != nil; k, _ = cursor.Prev() {
			offset, ok := offsetOf(k, prefix)
			if !ok {
				return nil
			}
			if n == 0 {
				after = offset
				return nil
			}
			n--
		}
		return nil
	})
	return after, err
}
