package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

// A line is any line but the first: one of its fields is there.
type line struct {
	Token        *tokenLine        `json:"token,omitempty"`
	Subscription *subscriptionLine `json:"subscription,omitempty"`
	Log          *logLine          `json:"log,omitempty"`
	Event        *eventLine        `json:"event,omitempty"`
	End          *endLine          `json:"end,omitempty"`
}

type headerLine struct {
	Wireroom string    `json:"wireroom"`
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	By       text      `json:"by,omitempty"`
}

type endLine struct {
	Counts
	SHA256 string `json:"sha256"`
}

type logLine struct {
	Class text   `json:"class"`
	Epoch string `json:"epoch"`
	First uint64 `json:"first"`
	Next  uint64 `json:"next"`
	Base  uint64 `json:"base,omitempty"`
}

type eventLine struct {
	Offset  uint64          `json:"offset"`
	ID      text            `json:"id"`
	Given   bool            `json:"given,omitempty"`
	Time    time.Time       `json:"time"`
	Channel text            `json:"channel,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`  // as it is, or
	Bytes   *[]byte         `json:"bytes,omitempty"` // in base64, if it is no JSON on one line
}

type tokenLine struct {
	Hash    string    `json:"hash"`
	Client  text      `json:"client,omitempty"`
	User    text      `json:"user,omitempty"`
	Roles   []text    `json:"roles,omitempty"`
	Realm   text      `json:"realm,omitempty"`
	Claims  text      `json:"claims,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Seen    time.Time `json:"seen"`

	Version uint64       `json:"version,omitempty"`
	Agent   text         `json:"agent,omitempty"`
	Secrets *secretsLine `json:"secrets,omitempty"` // hashes in base64; not of tokens from before secrets changed
}

type secretsLine struct {
	Made     time.Time `json:"made"`
	Current  []byte    `json:"current"`
	Since    time.Time `json:"since"`
	Next     []byte    `json:"next"`
	Salt     []byte    `json:"salt"`
	Previous []byte    `json:"previous"`
	Until    time.Time `json:"until"`
}

type subscriptionLine struct {
	Owner    text         `json:"owner"`
	Name     text         `json:"name"`
	Class    text         `json:"class"`
	Channel  text         `json:"channel,omitempty"`
	Where    text         `json:"where,omitempty"`
	Explicit bool         `json:"explicit,omitempty"`
	Created  time.Time    `json:"created"`
	Seen     time.Time    `json:"seen"`
	Expires  time.Time    `json:"expires"`
	For      string       `json:"for"`
	Position positionLine `json:"position"`
	Acked    [][2]uint64  `json:"acked,omitempty"`
}

type positionLine struct {
	Epoch  text   `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// A text is a string of any bytes: in JSON a string, or {"base64": …} if it is
// not UTF-8.
type text string

type bytesText struct {
	Base64 []byte `json:"base64"`
}

func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(bytesText{[]byte(t)})
}

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var x bytesText
		err := strict(b, &x)
		*t = text(x.Base64)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// strict decodes one JSON value, and refuses fields that nobody knows.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return readable(err)
	}
	if d.More() {
		return errors.New("expected one JSON value, found more")
	}
	return nil
}

// readable turns an error of encoding/json into one for people.
func readable(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: expected another type of value, found a %s", e.Field, e.Value)
	}
	what := strings.TrimPrefix(err.Error(), "json: ")
	if len(what) > 200 {
		what = strings.ToValidUTF8(what[:200], "") + "…"
	}
	return fmt.Errorf("expected a line of an archive: %s", what)
}

func newToken(t *auth.Token) *tokenLine {
	l := &tokenLine{
		Hash: hex.EncodeToString(t.Hash[:]), Client: text(t.Client), User: text(t.User), Realm: text(t.Realm), Claims: text(t.Claims),
		Created: t.Created.UTC(), Expires: t.Expires.UTC(), Seen: t.LastSeen.UTC(),
		Version: t.Version, Agent: text(t.Agent),
	}
	if c := t.Secrets; c != (auth.Secrets{}) {
		l.Secrets = &secretsLine{
			Made: c.Made.UTC(), Current: c.Current[:], Since: c.Since.UTC(), Next: c.Next[:],
			Salt: c.Salt[:], Previous: c.Previous[:], Until: c.Until.UTC(),
		}
	}
	for _, role := range t.Roles {
		l.Roles = append(l.Roles, text(role))
	}
	return l
}

func (l *tokenLine) token() (*auth.Token, error) {
	t := &auth.Token{
		Client: string(l.Client), User: string(l.User), Realm: string(l.Realm), Claims: string(l.Claims),
		Created: l.Created.UTC(), Expires: l.Expires.UTC(), LastSeen: l.Seen.UTC(),
		Version: l.Version, Agent: string(l.Agent),
	}
	if c := l.Secrets; c != nil {
		t.Secrets.Made, t.Secrets.Since, t.Secrets.Until = c.Made.UTC(), c.Since.UTC(), c.Until.UTC()
		for _, part := range []struct {
			name     string
			to, from []byte
		}{
			{"current", t.Secrets.Current[:], c.Current},
			{"next", t.Secrets.Next[:], c.Next},
			{"salt", t.Secrets.Salt[:], c.Salt},
			{"previous", t.Secrets.Previous[:], c.Previous},
		} {
			if len(part.from) != len(part.to) {
				return nil, fmt.Errorf("secrets.%s: expected %d bytes in base64, found %d", part.name, len(part.to), len(part.from))
			}
			copy(part.to, part.from)
		}
	}
	for _, role := range l.Roles {
		t.Roles = append(t.Roles, string(role))
	}
	if n, err := hex.Decode(t.Hash[:], []byte(l.Hash[:min(len(l.Hash), 64)])); err != nil || n != len(t.Hash) || len(l.Hash) != 64 {
		return nil, fmt.Errorf("hash: expected 64 hexadecimal digits, found %.80q", l.Hash)
	}
	return t, nil
}

func newSubscription(p *events.Persistent) *subscriptionLine {
	l := &subscriptionLine{
		Owner: text(p.Owner), Name: text(p.Name), Class: text(p.Class), Channel: text(p.Channel), Where: text(p.Where), Explicit: p.Explicit,
		Created: p.Created.UTC(), Seen: p.Seen.UTC(), Expires: p.Expires.UTC(), For: p.For.String(),
		Position: positionLine{text(p.Position.Epoch), p.Position.Offset},
	}
	for _, s := range p.Acked {
		l.Acked = append(l.Acked, [2]uint64{s.From, s.Through})
	}
	return l
}

func (l *subscriptionLine) subscription() (*events.Persistent, error) {
	p := &events.Persistent{
		Owner: string(l.Owner), Name: string(l.Name), Class: string(l.Class), Channel: string(l.Channel), Where: string(l.Where), Explicit: l.Explicit,
		Created: l.Created.UTC(), Seen: l.Seen.UTC(), Expires: l.Expires.UTC(),
		Position: events.Position{Epoch: string(l.Position.Epoch), Offset: l.Position.Offset},
	}
	var err error
	if p.For, err = time.ParseDuration(l.For); err != nil {
		return nil, fmt.Errorf("for: expected a duration such as 720h0m0s, found %.40q", l.For)
	}
	if p.Class == "" || len(p.Class) > maxName {
		return nil, fmt.Errorf("class: expected 1 to %d bytes, found %d", maxName, len(p.Class))
	}
	for _, s := range l.Acked {
		p.Acked = append(p.Acked, events.Span{From: s[0], Through: s[1]})
	}
	return p, p.Check()
}

// A Log is where a log stands, without its events.
type Log struct {
	Class  string // as the store names the log
	Bounds events.Bounds
}

func (l *logLine) log() (*Log, error) {
	g := &Log{string(l.Class), events.Bounds{Epoch: l.Epoch, First: l.First, Next: l.Next, Base: l.Base}}
	switch {
	case g.Class == "" || len(g.Class) > maxName:
		return nil, fmt.Errorf("class: expected 1 to %d bytes, found %d", maxName, len(g.Class))
	case !validEpoch(l.Epoch):
		return nil, fmt.Errorf("epoch: expected 1 to 64 letters, digits, '_' and '-', found %.80q", l.Epoch)
	case l.First < 1 || l.Next < l.First || l.Next > maxOffset:
		return nil, fmt.Errorf("expected offsets with 1 ≤ first ≤ next ≤ %d, found first %d and next %d", uint64(maxOffset), l.First, l.Next)
	case l.Base >= l.Next:
		return nil, fmt.Errorf("base: expected an offset before the next one, %d, found %d", l.Next, l.Base)
	}
	return g, nil
}

func validEpoch(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// timeFormat is how the times of events are written: they have milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// appendEvent appends the line of an event. Its data goes in as it is: what
// encoding/json would make of it may have other bytes.
func appendEvent(b []byte, r *events.Record) ([]byte, error) {
	b = fmt.Appendf(b, `{"event":{"offset":%d,"id":`, r.Offset)
	id, err := text(r.ID).MarshalJSON()
	if err != nil {
		return nil, err
	}
	b = append(b, id...)
	if r.IDGiven {
		b = append(b, `,"given":true`...)
	}
	b = append(b, `,"time":"`...)
	b = r.Time.UTC().AppendFormat(b, timeFormat)
	b = append(b, '"')
	if r.Channel != "" {
		channel, err := text(r.Channel).MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"channel":`...), channel...)
	}
	if bare(r.Data) {
		b = append(append(b, `,"data":`...), r.Data...)
	} else {
		b = append(b, `,"bytes":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Data)
		b = append(b, '"')
	}
	return append(b, '}', '}', '\n'), nil
}

// bare reports whether data can stand in a line as it is.
func bare(data []byte) bool {
	return len(data) > 0 && data[0] == '{' && data[len(data)-1] == '}' &&
		bytes.IndexByte(data, '\n') < 0 && utf8.Valid(data) && json.Valid(data)
}

func (l *eventLine) record(class string) (*events.Record, error) {
	r := &events.Record{
		Class: class, Offset: l.Offset, ID: string(l.ID), IDGiven: l.Given, Channel: string(l.Channel),
		Time: l.Time.UTC(), Data: l.Data,
	}
	if l.Bytes != nil {
		r.Data = *l.Bytes
	}
	switch {
	case (l.Bytes != nil) == (l.Data != nil):
		return nil, errors.New("expected data or bytes, found both or neither")
	case len(r.Data) > maxData:
		return nil, fmt.Errorf("data: expected at most %d bytes, found %d", maxData, len(r.Data))
	case r.ID == "" || len(r.ID) > maxName:
		return nil, fmt.Errorf("id: expected 1 to %d bytes, found %d", maxName, len(r.ID))
	case len(r.Channel) > maxChannel || strings.Contains(r.Channel, "\x00"):
		return nil, fmt.Errorf("channel: expected at most %d bytes and none of them 0, found %d", maxChannel, len(r.Channel))
	case !r.Time.Equal(r.Time.Truncate(time.Millisecond)):
		return nil, fmt.Errorf("time: expected whole milliseconds, found %s", r.Time.Format(time.RFC3339Nano))
	}
	return r, nil
}
