package query

import (
	"errors"
	"fmt"
)

// maxDepth bounds how deep JSON can be nested.
const maxDepth = 10_000

// A scanner reads an event's JSON once: it checks all of it, and keeps what is
// at the paths of a plan.
type scanner struct {
	flat  *flat
	data  []byte
	pos   int
	depth int
	slash bool // the string that is read has escapes
}

// event reads a whole event.
func (s *scanner) event(n *trieNode) error {
	if len(s.data) >= 1<<30 {
		return errors.New("the data of the event: expected less than 1 GiB")
	}
	if s.space() != '{' {
		return errors.New("the data of the event: expected a JSON object")
	}
	if err := s.value(n, 0); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.data) {
		return s.unexpected("nothing behind the JSON object")
	}
	return nil
}

// unexpected returns an error about what is at pos.
func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return fmt.Errorf("the data of the event: expected %s, found the end", want)
	}
	return fmt.Errorf("the data of the event: at byte %d: expected %s, found %q", s.pos, want, s.data[s.pos])
}

// space goes to the next byte that is no white space, and returns it, or 0 at
// the end.
func (s *scanner) space() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c > ' ' {
			return c
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.pos++
	}
	return 0
}

// value reads a value, and keeps it in its cell if n asks for that. n may be nil.
func (s *scanner) value(n *trieNode, frame uint32) error {
	if s.pos >= len(s.data) {
		return s.unexpected("a value")
	}
	wanted := n != nil && n.cell >= 0
	var c cell
	var err error
	switch s.data[s.pos] {
	case '{':
		return s.object(n, frame)
	case '[':
		return s.list(n, frame)
	case '"':
		if !wanted {
			_, err := s.skipString()
			return err
		}
		c, err = s.text()
	case 't':
		c, err = cell{kind: cellBool, num: 1}, s.word("true")
	case 'f':
		c, err = cell{kind: cellBool}, s.word("false")
	case 'n':
		c, err = cell{kind: cellNull}, s.word("null")
	default:
		c, err = s.number()
	}
	if err == nil && wanted {
		s.flat.put(frame+uint32(n.cell), c)
	}
	return err
}

// put writes a cell, and leaves the link to the next element as it is.
func (f *flat) put(at uint32, c cell) {
	c.next = f.frames[at].next
	f.frames[at] = c
}

// word reads true, false or null.
func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return s.unexpected("a value")
	}
	s.pos += len(w)
	return nil
}

// deeper counts the nesting.
func (s *scanner) deeper() error {
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("the data of the event: expected at most %d levels, found more", maxDepth)
	}
	return nil
}

// object reads a map. If queries look into its keys, each becomes an element.
func (s *scanner) object(n *trieNode, frame uint32) error {
	if err := s.deeper(); err != nil {
		return err
	}
	start := s.pos
	s.pos++
	var chain chain
	for first := true; ; first = false {
		c := s.space()
		if c == '}' && first {
			break
		}
		if c != '"' {
			return s.unexpected(`a name in quotes or "}"`)
		}
		child, err := s.name(n, &chain)
		if err != nil {
			return err
		}
		if s.space() != ':' {
			return s.unexpected(`":" behind the name`)
		}
		s.pos++
		s.space()
		if err := s.value(child, frame); err != nil {
			return err
		}
		if c = s.space(); c == '}' {
			break
		}
		if c != ',' {
			return s.unexpected(`"," or "}"`)
		}
		s.pos++
	}
	s.close(n, frame, cellObject, chain, start)
	return nil
}

// close ends a list or map at its bracket, and keeps where it is.
func (s *scanner) close(n *trieNode, frame uint32, kind cellKind, elements chain, start int) {
	s.pos++
	s.depth--
	if n != nil && n.cell >= 0 {
		s.flat.put(frame+uint32(n.cell), cell{kind: kind, num: uint64(elements.first), off: uint32(start), len: uint32(s.pos - start)})
	}
}

// name reads a name and returns the node for it, or nil.
func (s *scanner) name(n *trieNode, chain *chain) (*trieNode, error) {
	if n == nil || len(n.kids) == 0 && n.elements == nil {
		_, err := s.skipString()
		return nil, err
	}
	start := s.pos + 1
	plain, err := s.skipString()
	if err != nil {
		return nil, err
	}
	key := s.data[start : s.pos-1]
	if !plain {
		s.flat.key = appendUnescaped(s.flat.key[:0], key)
		key = s.flat.key
	}
	if n.elements != nil {
		f := s.flat.addElement(n.elements, chain)
		c := cell{kind: cellString, off: uint32(start), len: uint32(len(key))}
		if !plain {
			c.off = uint32(len(s.flat.text)) | inText
			s.flat.text = append(s.flat.text, key...)
		}
		s.flat.put(f, c)
	}
	return n.child(key), nil
}

// list reads a list, each element into a frame of its own if queries look into it.
func (s *scanner) list(n *trieNode, frame uint32) error {
	if err := s.deeper(); err != nil {
		return err
	}
	start := s.pos
	s.pos++
	var chain chain
	for first := true; ; first = false {
		c := s.space()
		if c == ']' && first {
			break
		}
		var err error
		if n != nil && n.elements != nil {
			err = s.value(n.elements.node, s.flat.addElement(n.elements, &chain))
		} else {
			err = s.value(nil, 0)
		}
		if err != nil {
			return err
		}
		if c = s.space(); c == ']' {
			break
		}
		if c != ',' {
			return s.unexpected(`"," or "]"`)
		}
		s.pos++
		if s.space() == ']' {
			return s.unexpected("a value")
		}
	}
	s.close(n, frame, cellList, chain, start)
	return nil
}

// A chain is the frames of the elements of one list.
type chain struct{ first, last uint32 }

// addElement adds the frame of an element.
func (f *flat) addElement(s *scope, c *chain) uint32 {
	at := f.addFrame(s.width)
	if c.first == 0 {
		c.first = at
	} else {
		f.frames[c.last].next = at
	}
	c.last = at
	return at
}
