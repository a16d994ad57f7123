package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

var (
	// ErrCut says that an archive ends before its last line.
	ErrCut = errors.New("the archive ends here, before its last line: it was cut off, or what made it failed")

	// ErrChecksum says that an archive is not what was written.
	ErrChecksum = errors.New("the archive was changed, or is damaged: what stands before this line has another checksum")
)

// An Entry is what one line says: one of the fields is not nil. It belongs to
// the caller.
type Entry struct {
	Token        *auth.Token
	Subscription *events.Persistent
	Log          *Log
	Event        *events.Record // of the log that came last

	// Again says of a Log that it is the one that came last, and that its
	// events so far are to be forgotten.
	Again bool
}

// A Reader reads an archive.
type Reader struct {
	r      *bufio.Reader
	header Header
	sum    hash.Hash
	n      int // of the line that was read last
	counts Counts
	logs   map[string]bool
	log    *Log      // that came last; nil: none
	next   uint64    // offset of the event that must come next, if it is not log.Bounds.Next
	newest time.Time // of the events of the log
	buf    []byte
	err    error
}

// NewReader reads the first line of an archive that is not compressed; see
// [Decompress]. Errors about what it reads are an [*Error], here and in
// [Reader.Next].
func NewReader(r io.Reader) (*Reader, error) {
	a := &Reader{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New(), logs: make(map[string]bool)}
	b, err := a.line(maxHeader)
	if err != nil {
		return nil, err
	}
	var h headerLine
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t"), []byte("{")) || strictHeader(b, &h) != nil || h.Wireroom != "archive" {
		return nil, a.wrong(errors.New("expected the first line of an archive of wireroom, found something else"))
	}
	if h.Version < 1 || h.Version > Version {
		return nil, a.wrong(fmt.Errorf("expected an archive of a version from 1 to %d, found %d: use a newer wireroom", Version, h.Version))
	}
	a.header = Header{Made: h.Made.UTC(), By: string(h.By)}
	a.sum.Write(b)
	return a, nil
}

// strictHeader reads the first line. That of a newer version may have more in
// it, and is told to be newer rather than wrong.
func strictHeader(b []byte, h *headerLine) error {
	err := strict(b, h)
	if err != nil && h.Wireroom == "archive" && h.Version > Version {
		return nil
	}
	return err
}

// Header returns what the first line says.
func (a *Reader) Header() Header { return a.header }

// Counts returns how much was read so far.
func (a *Reader) Counts() Counts { return a.counts }

// Next returns the next entry. It returns [io.EOF] behind the last line, if that
// is as it must be: only then is the archive whole. Other errors are for good.
func (a *Reader) Next() (Entry, error) {
	if a.err != nil {
		return Entry{}, a.err
	}
	e, err := a.entry()
	a.err = err
	return e, err
}

func (a *Reader) entry() (e Entry, err error) {
	b, err := a.line(maxLine)
	if err != nil {
		return e, err
	}
	var l line
	if err := strict(b, &l); err != nil {
		return e, a.wrong(err)
	}
	n := 0
	for _, there := range []bool{l.Token != nil, l.Subscription != nil, l.Log != nil, l.Event != nil, l.End != nil} {
		if there {
			n++
		}
	}
	if n != 1 {
		return e, a.wrong(fmt.Errorf("expected one of token, subscription, log, event and end, found %d of them", n))
	}
	if l.Event == nil && l.Log == nil {
		if err := a.complete(); err != nil {
			return e, err
		}
		a.log = nil
	}
	if l.End != nil {
		return e, a.end(l.End)
	}
	a.sum.Write(b)
	switch {
	case l.Token != nil:
		a.counts.Tokens++
		e.Token, err = l.Token.token()
	case l.Subscription != nil:
		a.counts.Subscriptions++
		e.Subscription, err = l.Subscription.subscription()
	case l.Log != nil:
		if e.Log, err = l.Log.log(); err == nil {
			e.Again, err = a.begin(e.Log)
		}
	default:
		e.Event, err = a.event(l.Event)
	}
	if err != nil {
		return Entry{}, a.wrong(err)
	}
	return e, nil
}

// begin takes the line of a log, and reports whether it is that of the one that
// came last.
func (a *Reader) begin(l *Log) (again bool, err error) {
	if a.log != nil && l.Class == a.log.Class {
		if l.Bounds.First <= a.log.Bounds.First {
			return false, fmt.Errorf("the log %s begins anew: expected a first offset behind %d, found %d", quoted(l.Class), a.log.Bounds.First, l.Bounds.First)
		}
		a.counts.Events -= a.next - a.log.Bounds.First
		again = true
	} else {
		if err := a.complete(); err != nil {
			return false, err
		}
		if a.logs[l.Class] {
			return false, fmt.Errorf("the log %s is there twice", quoted(l.Class))
		}
		if len(a.logs) == maxLogs {
			return false, fmt.Errorf("expected at most %d logs, found more", maxLogs)
		}
		a.logs[l.Class] = true
		a.counts.Logs++
	}
	own := *l // the caller may change theirs
	a.log, a.next, a.newest = &own, l.Bounds.First, time.Time{}
	return again, nil
}

// complete reports that the log that came last lacks events.
func (a *Reader) complete() error {
	if a.log == nil || a.next == a.log.Bounds.Next {
		return nil
	}
	return a.wrong(fmt.Errorf("the log %s: expected the event with the offset %d, as it goes up to %d, found the end of the log", quoted(a.log.Class), a.next, a.log.Bounds.Next-1))
}

func (a *Reader) event(l *eventLine) (*events.Record, error) {
	if a.log == nil {
		return nil, errors.New("expected an event behind the log that it is of, found one of no log")
	}
	r, err := l.record(a.log.Class)
	switch {
	case err != nil:
		return nil, err
	case a.next == a.log.Bounds.Next:
		return nil, fmt.Errorf("the log %s: expected no more events, as it goes up to %d, found one with the offset %d", quoted(a.log.Class), a.next-1, r.Offset)
	case r.Offset != a.next:
		return nil, fmt.Errorf("the log %s: expected the offset %d, found %d", quoted(a.log.Class), a.next, r.Offset)
	case r.Time.Before(a.newest):
		return nil, fmt.Errorf("the log %s: expected a time from %s on, found %s", quoted(a.log.Class), a.newest.Format(timeFormat), r.Time.Format(timeFormat))
	}
	a.next++
	a.newest = r.Time
	a.counts.Events++
	return r, nil
}

// end checks the last line, and that nothing follows.
func (a *Reader) end(l *endLine) error {
	if l.Counts != a.counts {
		return a.wrong(fmt.Errorf("expected what was in the archive, %+v, found in its last line %+v", a.counts, l.Counts))
	}
	if l.SHA256 != hex.EncodeToString(a.sum.Sum(nil)) {
		return a.wrong(ErrChecksum)
	}
	if _, err := a.r.ReadByte(); err == nil {
		a.n++
		return a.wrong(errors.New("expected nothing behind the last line, found more"))
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the archive: %w", err)
	}
	return io.EOF
}

// line reads a line with its end. What it returns is valid until the next call.
// The buffer grows with what is there, never by what somebody promises.
func (a *Reader) line(most int) ([]byte, error) {
	a.n++
	a.buf = a.buf[:0]
	for {
		part, err := a.r.ReadSlice('\n')
		if len(a.buf)+len(part) > most {
			return nil, a.wrong(fmt.Errorf("expected a line of at most %d bytes, found a longer one", most))
		}
		a.buf = append(a.buf, part...)
		switch {
		case err == nil:
			return a.buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, a.wrong(ErrCut)
		default:
			return nil, fmt.Errorf("read the archive: %w", &Error{a.n, err})
		}
	}
}

func (a *Reader) wrong(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{a.n, err}
}

// quoted returns a name for an error text.
func quoted(s string) string { return fmt.Sprintf("%.200q", s) }
