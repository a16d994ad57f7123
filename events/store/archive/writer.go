package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

// A Writer writes an archive. After an error it writes nothing any more, and
// returns that error.
type Writer struct {
	w      *bufio.Writer
	sum    hash.Hash
	counts Counts
	inLog  uint64 // events behind the last line of a log
	line   []byte
	err    error
}

// NewWriter begins an archive. [Writer.End] completes it.
func NewWriter(w io.Writer, h Header) *Writer {
	a := &Writer{w: bufio.NewWriterSize(w, 64<<10), sum: sha256.New()}
	a.put(headerLine{Wireroom: "archive", Version: Version, Made: h.Made.UTC(), By: text(h.By)})
	return a
}

// Token adds a token.
func (a *Writer) Token(t *auth.Token) error {
	a.counts.Tokens++
	return a.put(line{Token: newToken(t)})
}

// Subscription adds a persistent subscription.
func (a *Writer) Subscription(p *events.Persistent) error {
	a.counts.Subscriptions++
	return a.put(line{Subscription: newSubscription(p)})
}

// Log begins a log: its events follow, all of them, in order.
func (a *Writer) Log(class string, b events.Bounds) error {
	a.counts.Logs++
	a.inLog = 0
	return a.put(line{Log: newLog(class, b)})
}

// LogAgain begins the log anew that was begun last, as what stood before b.First
// is gone. The events that were added to it are forgotten.
func (a *Writer) LogAgain(class string, b events.Bounds) error {
	a.counts.Events -= a.inLog
	a.inLog = 0
	return a.put(line{Log: newLog(class, b)})
}

func newLog(class string, b events.Bounds) *logLine {
	return &logLine{Class: text(class), Epoch: b.Epoch, First: b.First, Next: b.Next, Base: b.Base}
}

// Event adds an event to the log that was begun last.
func (a *Writer) Event(r *events.Record) error {
	if a.err != nil {
		return a.err
	}
	if a.line, a.err = appendEvent(a.line[:0], r); a.err == nil {
		a.counts.Events++
		a.inLog++
		a.write(a.line)
	}
	return a.err
}

// End writes the last line, and all that was not written yet. It does not
// close anything.
func (a *Writer) End() error {
	sum := hex.EncodeToString(a.sum.Sum(nil))
	if a.put(line{End: &endLine{a.counts, sum}}) == nil {
		a.err = a.w.Flush()
	}
	return a.err
}

// Counts returns how much there is so far.
func (a *Writer) Counts() Counts { return a.counts }

// put writes a line.
func (a *Writer) put(v any) error {
	if a.err != nil {
		return a.err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		a.err = fmt.Errorf("write the archive: %w", err)
		return a.err
	}
	a.write(b.Bytes())
	return a.err
}

func (a *Writer) write(b []byte) {
	a.sum.Write(b) // never fails
	_, a.err = a.w.Write(b)
}
