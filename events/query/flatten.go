package query

import (
	"errors"
	"fmt"
)

// maxDepth bounds how deep JSON can be nested.
const maxDepth = 10_000

// A scanner reads an event's JSON once: it checks all of it, and keeps what is
// at the paths of a plan. Its methods take the place where something begins, and
// return the one behind it.
type scanner struct {
	flat  *flat
	data  []byte
	depth int

	// trusted says that somebody has checked the data. Then what no query asks for
	// is passed over, and no string is checked to be UTF-8.
	trusted bool
}

// event reads a whole event.
func (s *scanner) event(n *trieNode) error {
	if len(s.data) >= 1<<30 {
		return errors.New("the data of the event: expected less than 1 GiB")
	}
	i := s.space(0)
	if s.at(i) != '{' {
		return errors.New("the data of the event: expected a JSON object")
	}
	i, err := s.object(i, n, 0)
	if err != nil {
		return err
	}
	if i = s.space(i); i < len(s.data) {
		return s.unexpected(i, "nothing behind the JSON object")
	}
	return nil
}

// unexpected returns an error about what is at i.
func (s *scanner) unexpected(i int, want string) error {
	if i >= len(s.data) {
		return fmt.Errorf("the data of the event: expected %s, found the end", want)
	}
	return fmt.Errorf("the data of the event: at byte %d: expected %s, found %q", i, want, s.data[i])
}

// at returns the byte at i, or 0 at the end: a byte that may stand nowhere.
func (s *scanner) at(i int) byte {
	if uint(i) < uint(len(s.data)) {
		return s.data[i]
	}
	return 0
}

// space returns the place of the next byte that is no white space.
func (s *scanner) space(i int) int {
	if s.at(i) > ' ' {
		return i
	}
	return s.spaces(i)
}

// spaces is space where there is some, or the end.
func (s *scanner) spaces(i int) int {
	for i < len(s.data) && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\t' || s.data[i] == '\r') {
		i++
	}
	return i
}

// value reads a value, and keeps it in its cell if n asks for that. n may be nil.
func (s *scanner) value(i int, n *trieNode, frame uint32) (int, error) {
	c := s.at(i)
	switch {
	case c == '"':
		return s.text(i, n, frame)
	case c == '{' || c == '[':
		switch {
		case n == nil && s.trusted:
			return s.skip(i)
		case c == '{':
			return s.object(i, n, frame)
		}
		return s.list(i, n, frame)
	case c == 't' && s.word(i, "true"):
		s.keep(n, frame, cellBool, 1)
		return i + 4, nil
	case c == 'f' && s.word(i, "false"):
		s.keep(n, frame, cellBool, 0)
		return i + 5, nil
	case c == 'n' && s.word(i, "null"):
		s.keep(n, frame, cellNull, 0)
		return i + 4, nil
	}
	return s.number(i, n, frame)
}

// keep keeps a scalar that is no string, if n asks for it.
func (s *scanner) keep(n *trieNode, frame uint32, kind cellKind, num uint64) {
	if n != nil && n.cell >= 0 {
		c := &s.flat.frames[frame+uint32(n.cell)]
		c.kind, c.num = kind, num
	}
}

// word reports whether w is at i.
func (s *scanner) word(i int, w string) bool {
	return len(s.data)-i >= len(w) && string(s.data[i:i+len(w)]) == w
}

// skip passes over a list or map that was checked.
func (s *scanner) skip(i int) (int, error) {
	for depth := 0; i < len(s.data); {
		switch s.data[i] {
		case '"':
			end, _, err := s.quoted(i)
			if err != nil {
				return 0, err
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
		i++
	}
	return 0, s.unexpected(i, "the end of the list or object")
}

// deeper counts the nesting.
func (s *scanner) deeper() error {
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("the data of the event: expected at most %d levels, found more", maxDepth)
	}
	return nil
}

// object reads a map. If queries look into its keys, each becomes an element.
func (s *scanner) object(i int, n *trieNode, frame uint32) (int, error) {
	if err := s.deeper(); err != nil {
		return 0, err
	}
	start := i
	i = s.space(i + 1)
	var chain chain
	for more := s.at(i) != '}'; more; {
		if s.at(i) != '"' {
			return 0, s.unexpected(i, `a name in quotes or "}"`)
		}
		child, end, err := s.name(i, n, &chain)
		if err != nil {
			return 0, err
		}
		if i = s.space(end); s.at(i) != ':' {
			return 0, s.unexpected(i, `":" behind the name`)
		}
		if i, err = s.value(s.space(i+1), child, frame); err != nil {
			return 0, err
		}
		switch i = s.space(i); s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			more = false
		default:
			return 0, s.unexpected(i, `"," or "}"`)
		}
	}
	return s.close(n, frame, cellObject, chain, start, i+1), nil
}

// close ends a list or map behind its bracket, and keeps where it is.
func (s *scanner) close(n *trieNode, frame uint32, kind cellKind, elements chain, start, end int) int {
	s.depth--
	if n != nil && n.cell >= 0 {
		c := &s.flat.frames[frame+uint32(n.cell)]
		c.kind, c.num, c.off, c.len = kind, uint64(elements.first), uint32(start), uint32(end-start)
	}
	return end
}

// name reads a name and returns the node for it, or nil.
func (s *scanner) name(i int, n *trieNode, chain *chain) (child *trieNode, end int, err error) {
	end, plain, err := s.quoted(i)
	if err != nil || n == nil || len(n.kids) == 0 && n.elements == nil {
		return nil, end, err
	}
	key := s.data[i+1 : end-1]
	if !plain {
		s.flat.key = appendUnescaped(s.flat.key[:0], key)
		key = s.flat.key
	}
	if n.elements != nil {
		c := &s.flat.frames[s.flat.addElement(n.elements, chain)]
		c.kind, c.off, c.len = cellString, uint32(i+1), uint32(len(key))
		if !plain {
			c.off = uint32(len(s.flat.text)) | inText
			s.flat.text = append(s.flat.text, key...)
		}
	}
	return n.child(key), end, nil
}

// list reads a list, each element into a frame of its own if queries look into it.
func (s *scanner) list(i int, n *trieNode, frame uint32) (int, error) {
	if err := s.deeper(); err != nil {
		return 0, err
	}
	start := i
	i = s.space(i + 1)
	var chain chain
	for more := s.at(i) != ']'; more; {
		var of *trieNode
		var at uint32
		if n != nil && n.elements != nil {
			of, at = n.elements.node, s.flat.addElement(n.elements, &chain)
		}
		var err error
		if i, err = s.value(i, of, at); err != nil {
			return 0, err
		}
		switch i = s.space(i); s.at(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			more = false
		default:
			return 0, s.unexpected(i, `"," or "]"`)
		}
	}
	return s.close(n, frame, cellList, chain, start, i+1), nil
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
