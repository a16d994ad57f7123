package query

import (
	"encoding/binary"
	"math"
	"regexp"
)

// The code of a program is its expression in prefix form: an op, then for
//
//	opConst        a Truth
//	opAnd, opOr    the length of the kids in two bytes, and the kids
//	opNot          the kid
//	opBool         a cell
//	opHas          the parent's cell, the cell
//	comparisons    a cell, and a value; or with ofCells two cells
//	opIn           a cell, how many values, and these
//	opHolds        a cell, a value
//	opPrefix …     a cell, the length of a text, and it
//	opMatches      a cell, the number of a regular expression
//	opExists       a cell, the length of the kid in two bytes, and the kid
//
// A cell is twice its place in the frame, plus one if that is the element's.
// A value is a [Kind] and what the kind needs. Numbers without a size are
// varints. Equal normal forms have equal code.

// ofCells is added to a comparison of two cells.
const ofCells op = 0x40

// maxCode bounds the code of a program.
const maxCode = math.MaxUint16

// A compiler makes the program of a query. Everything it holds is for the query:
// the paths and regular expressions are counted.
type compiler struct {
	paths    *paths
	patterns *patterns
	code     []byte
	numbers  []uint32 // of the paths, each as often as it is held
	regexps  []uint32
	changed  bool // the plan is no longer what queries need
	founds   []found
	next     int   // see find
	other    found // that is not in the list
}

// A found is where the field of a condition was found, and the hash of its value:
// both are asked for more than once when the query is covered.
type found struct {
	e        *expr
	of, node *pathNode
	hash     uint64
	hashed   bool
}

// find returns what was found for a condition. It is valid until the next call for
// a condition that is no comparison.
func (c *compiler) find(e *expr, of *pathNode) *found {
	// They are asked for in the order in which they were found.
	for range c.founds {
		if c.next++; c.next >= len(c.founds) {
			c.next = 0
		}
		if x := &c.founds[c.next]; x.e == e && x.of == of {
			return x
		}
	}
	c.other = found{e: e, of: of, node: c.paths.find(of, e.field)}
	return &c.other
}

func (c *compiler) reset() {
	c.code, c.numbers, c.regexps, c.changed = c.code[:0], c.numbers[:0], c.regexps[:0], false
	clear(c.founds) // or the query would stay
	c.founds, c.next, c.other = c.founds[:0], -1, found{}
}

// undo gives back what the compiler holds.
func (c *compiler) undo() {
	for _, n := range c.numbers {
		c.paths.release(n)
	}
	for _, n := range c.regexps {
		c.patterns.release(n)
	}
}

// hold refers to a field, and returns its node.
func (c *compiler) hold(of *pathNode, field path) (*pathNode, error) {
	n := c.paths.find(of, field)
	return n, c.holdNode(n)
}

func (c *compiler) holdNode(n *pathNode) error {
	changed, err := c.paths.hold(n)
	if err != nil {
		return err
	}
	c.changed = c.changed || changed
	c.numbers = append(c.numbers, n.number)
	return nil
}

// cell writes a field's cell.
func (c *compiler) cell(of *pathNode, field path) error {
	n, err := c.hold(of, field)
	if err == nil {
		c.place(n, field.root == rootElement)
	}
	return err
}

func (c *compiler) place(n *pathNode, element bool) {
	at := uint64(n.cell) << 1
	if element {
		at |= 1
	}
	c.code = binary.AppendUvarint(c.code, at)
}

// begin leaves room for a length, which end fills in.
func (c *compiler) begin() int {
	c.code = append(c.code, 0, 0)
	return len(c.code)
}

func (c *compiler) end(begin int) error {
	n := len(c.code) - begin
	if len(c.code) > maxCode {
		return ErrTooLong
	}
	binary.LittleEndian.PutUint16(c.code[begin-2:], uint16(n))
	return nil
}

// expr writes the code of a normal expression. of is what exists looks into.
func (c *compiler) expr(e *expr, of *pathNode) error {
	if e.op != opConst && (e.field.root == rootSession || e.other() != nil && e.other().root == rootSession) {
		// Nobody put a value for it.
		t := Unknown
		if e.op == opHas && len(e.field.names) == 0 {
			t = False
		}
		c.code = append(c.code, byte(opConst), byte(t))
		return nil
	}
	switch e.op {
	case opConst:
		t := Unknown
		if e.value.kind == Bool {
			t = truthOf(e.value.bool())
		}
		c.code = append(c.code, byte(opConst), byte(t))
		return nil
	case opAnd, opOr:
		c.code = append(c.code, byte(e.op))
		begin := c.begin()
		for _, k := range e.kids {
			if err := c.expr(k, of); err != nil {
				return err
			}
		}
		return c.end(begin)
	case opNot:
		c.code = append(c.code, byte(opNot))
		return c.expr(e.kids[0], of)
	case opExists:
		return c.exists(e, of)
	case opHas:
		return c.has(e, of)
	}
	o := e.op
	if e.other() != nil {
		o |= ofCells
	}
	c.code = append(c.code, byte(o))
	n, err := c.hold(of, e.field)
	if err != nil {
		return err
	}
	c.founds = append(c.founds, found{e: e, of: of, node: n})
	c.place(n, e.field.root == rootElement)
	switch {
	case e.other() != nil:
		return c.cell(of, *e.other())
	case e.op == opIn:
		c.code = binary.AppendUvarint(c.code, uint64(len(e.list())))
		for _, v := range e.list() {
			c.value(v)
		}
	case e.op == opPrefix || e.op == opSuffix || e.op == opContains:
		c.text(e.value.str)
	case e.op == opMatches:
		n := c.patterns.hold(e.rare.pattern)
		c.regexps = append(c.regexps, n)
		c.code = binary.AppendUvarint(c.code, uint64(n))
	case e.op != opBool:
		if e.op == opHolds { // it looks into the field
			if err := c.holdNode(c.paths.element(n)); err != nil {
				return err
			}
		}
		c.value(e.value)
	}
	return nil
}

func (c *compiler) exists(e *expr, of *pathNode) error {
	c.code = append(c.code, byte(opExists))
	n, err := c.hold(of, e.field)
	if err != nil {
		return err
	}
	if err := c.holdNode(c.paths.element(n)); err != nil {
		return err
	}
	c.place(n, e.field.root == rootElement)
	begin := c.begin()
	if err := c.expr(e.kids[0], n); err != nil {
		return err
	}
	return c.end(begin)
}

func (c *compiler) has(e *expr, of *pathNode) error {
	names := e.field.names
	if len(names) == 0 {
		c.code = append(c.code, byte(opConst), byte(True))
		return nil
	}
	c.code = append(c.code, byte(opHas))
	if err := c.cell(of, path{root: e.field.root, names: names[:len(names)-1]}); err != nil {
		return err
	}
	return c.cell(of, e.field)
}

// value writes a literal.
func (c *compiler) value(v Value) {
	c.code = append(c.code, byte(v.kind))
	switch v.kind {
	case Bool:
		c.code = append(c.code, byte(v.num))
	case Int:
		c.code = binary.AppendVarint(c.code, v.int())
	case Uint, Double, Time:
		c.code = binary.LittleEndian.AppendUint64(c.code, v.num)
	case String:
		c.text(v.str)
	}
}

func (c *compiler) text(s string) {
	c.code = binary.AppendUvarint(c.code, uint64(len(s)))
	c.code = append(c.code, s...)
}

// patterns are the regular expressions of all programs, as writers keep them.
// Readers have list.
type patterns struct {
	list   []*regexp.Regexp // readers have the beginnings that were in plans
	refs   []int
	texts  map[string]uint32
	free   []uint32
	grown  bool // list must be published
	retire func(n uint32)
}

// hold returns the number of a regular expression.
func (p *patterns) hold(re *regexp.Regexp) uint32 {
	text := re.String()
	if n, ok := p.texts[text]; ok {
		p.refs[n]++
		return n
	}
	var n uint32
	if k := len(p.free); k > 0 { // no reader looks at that place
		n, p.free = p.free[k-1], p.free[:k-1]
		p.list[n], p.refs[n] = re, 1
	} else { // nor behind the end of the list that it has
		n = uint32(len(p.list))
		p.list, p.refs = append(p.list, re), append(p.refs, 1)
	}
	p.grown = true
	p.texts[text] = n
	return n
}

// release takes a reference back. A number is used again when no reader can
// have a program with it.
func (p *patterns) release(n uint32) {
	if p.refs[n]--; p.refs[n] == 0 {
		delete(p.texts, p.list[n].String())
		p.retire(n)
	}
}

// reuse frees a number of which the program is in no reader's hands.
func (p *patterns) reuse(n uint32) { p.free = append(p.free, n) }
