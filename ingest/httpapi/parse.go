package httpapi

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// maxKept is how much memory of one kind a parser keeps for the next request.
const maxKept = 64 << 10

// A parser reads the body of one request at a time, with memory that is used
// again. What it returns does not point into it.
type parser struct {
	maxDepth, maxEvents int // fixed

	body   []byte
	out    []byte // the answer
	reader bytes.Buffer
	dec    *jsontext.Decoder
	one    [1]*ingest.Event
}

func newParser(maxDepth, maxEvents int) *parser {
	p := &parser{maxDepth: maxDepth, maxEvents: maxEvents}
	p.dec = jsontext.NewDecoder(&p.reader)
	return p
}

// reset prepares for the next request and reports whether the parser is worth
// keeping.
func (p *parser) reset() bool {
	p.reader, p.one[0] = bytes.Buffer{}, nil
	p.dec.Reset(&p.reader)
	return cap(p.body) <= maxKept && cap(p.out) <= maxKept
}

// parse returns the events in p.body, and whether they are a batch. The slice
// is valid until reset, the events for good.
func (p *parser) parse() (events []*ingest.Event, batch bool, err error) {
	p.reader = *bytes.NewBuffer(p.body)
	p.dec.Reset(&p.reader)
	if batch = p.dec.PeekKind() == '['; batch {
		events, err = p.batch()
	} else {
		p.one[0], err = p.event("an event or an array of events")
		events = p.one[:]
	}
	if err != nil {
		return nil, batch, err
	}
	end := p.dec.InputOffset()
	switch _, err := p.dec.ReadToken(); err {
	case io.EOF:
		return events, batch, nil
	case nil:
		return nil, batch, ingest.SyntaxErrorAt(p.body, end, "more after the end of the JSON text")
	default:
		return nil, batch, p.syntax(err)
	}
}

func (p *parser) batch() ([]*ingest.Event, error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	var events []*ingest.Event
	for p.dec.PeekKind() != ']' {
		if len(events) == p.maxEvents {
			return nil, ingest.Errorf(ingest.TooLarge, "a batch may have at most %d events", p.maxEvents)
		}
		e, err := p.event("an event, which is an object")
		if err != nil {
			if e, ok := errors.AsType[*ingest.Error](err); ok {
				e.Index = len(events)
			}
			return nil, err
		}
		events = append(events, e)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	return events, nil
}

// event reads one event, which is called expected in the error when something
// else is there.
func (p *parser) event(expected string) (*ingest.Event, error) {
	if kind := p.dec.PeekKind(); kind != '{' {
		if err := p.dec.SkipValue(); err != nil {
			return nil, p.syntax(err)
		}
		return nil, ingest.Shape("", expected, ingest.KindName(kind))
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	e := new(ingest.Event)
	hasClass := false
	for p.dec.PeekKind() != '}' {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		switch name {
		case "class":
			e.Class, err = p.string(name)
			hasClass = true
		case "id":
			if e.ID, err = p.string(name); err == nil {
				err = ingest.CheckID(e.ID)
			}
		case "data":
			e.Data, err = p.data()
		default:
			err = ingest.Shape("", "the members class, data and id", "a member "+strconv.Quote(ingest.Clip(name)))
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	switch {
	case !hasClass:
		return nil, ingest.Shape("class", "a string", "nothing")
	case e.Data == nil:
		return nil, ingest.Shape("data", "an object", "nothing")
	}
	return e, nil
}

// name reads the name of a member of an event.
func (p *parser) name() (string, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return "", p.syntax(err)
	}
	switch string(raw) {
	case `"class"`:
		return "class", nil
	case `"data"`:
		return "data", nil
	case `"id"`:
		return "id", nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

// string reads the value of a member, which must be a string.
func (p *parser) string(field string) (string, error) {
	kind := p.dec.PeekKind()
	tok, err := p.dec.ReadToken()
	switch {
	case err != nil:
		return "", p.syntax(err)
	case kind != '"':
		return "", ingest.Shape(field, "a string", ingest.KindName(kind))
	}
	return tok.String(), nil
}

// data reads an event's data: an object, kept as it came.
func (p *parser) data() ([]byte, error) {
	kind := p.dec.PeekKind()
	raw, err := p.dec.ReadValue()
	switch {
	case err != nil:
		return nil, p.syntax(err)
	case kind != '{':
		return nil, ingest.Shape("data", "an object", ingest.KindName(kind))
	}
	if depth := ingest.Depth(raw); depth > p.maxDepth {
		return nil, ingest.Shape("data", "at most "+strconv.Itoa(p.maxDepth)+" levels of arrays and objects", strconv.Itoa(depth))
	}
	return bytes.Clone(raw), nil
}
