package query

import "slices"

// A Matcher finds the queries of an [Index] that events satisfy, one event at a
// time. It keeps its workspace, so that it allocates nothing once it has seen
// the biggest event and the most matches. It is for one goroutine at a time.
type Matcher struct {
	index   *Index
	pin     *pin
	flat    flat
	machine machine
	out     []ID
	tried   set

	// Keys to look under; see look.
	wanted int
	keys   [32]uint64
	frames [32]uint32
	refs   [32]ref
	kinds  [32]byte

	class *Schema // of the last event that had one
	timed bool    // class has times

	trees      []subtree // to be scanned
	below      []subtree // the next level of these
	found      []ref     // programs to run
	touched    byte      // see scanSome and tryAll
	doubles    bool      // the event may have a key twice
	candidates uint64    // programs run, in all
	of         string    // the class that the event says it is of
	tally      tally
}

// Load takes an event. It keeps data, which must not change, until the next
// Load. It checks that the data is a JSON object of valid UTF-8, but not that
// no name is in a map twice. An error says what is wrong with the data, and
// where.
func (m *Matcher) Load(meta Meta, data []byte) error { return m.load(meta, data, false) }

func (m *Matcher) load(meta Meta, data []byte, trusted bool) error {
	m.of = meta.Class
	err := m.flat.load(m.index.plan.Load(), &meta, data, trusted)
	if err != nil {
		m.flat.plan = nil
	}
	return err
}

// LoadClass is [Matcher.Load] for an event of a class: the strings in fields of
// type [TimeType] are timestamps, except where a query compares a list or map
// with another, in which they stay strings.
func (m *Matcher) LoadClass(s *Schema, meta Meta, data []byte) error {
	return m.times(s, m.load(meta, data, false))
}

// LoadChecked is [Matcher.LoadClass] for data that somebody has checked already,
// which is faster: it passes over what no query asks for. The same queries match.
// Of data that Load would refuse it may return an error, or take it for any
// other.
func (m *Matcher) LoadChecked(s *Schema, meta Meta, data []byte) error {
	return m.times(s, m.load(meta, data, true))
}

// times makes timestamps of the strings that are times, unless err is there.
func (m *Matcher) times(s *Schema, err error) error {
	if m.class != s {
		m.class, m.timed = s, s.Data.hasTimes()
	}
	if err == nil && m.timed {
		m.flat.readTimes(&s.Data, m.flat.plan.root.node, 0)
	}
	return err
}

// Match appends the queries that the event which is loaded satisfies to out, in
// no order, each once. It has those whose Add had returned before Load began and
// whose Remove was not called before Match returned, and none whose Remove had
// returned before Load began.
func (m *Matcher) Match(out []ID) []ID {
	plan := m.flat.plan
	if plan == nil {
		return out
	}
	before, had := m.candidates, len(out)
	m.pin.enter(&m.index.limbo)
	m.out, m.machine.regexps = out, plan.regexps
	m.tried.reset()
	m.doubles = false
	for i := range plan.fields {
		m.field(&plan.fields[i], 0)
	}
	for i := range plan.pairs {
		m.pair(&plan.pairs[i])
	}
	m.flush()
	m.tryAll()
	m.pin.leave()
	out, m.out = m.out, nil
	m.tally.count(&m.index.counts, m.of, m.candidates-before, uint64(len(out)-had))
	return out
}

// Candidates returns how many queries the matcher has compared with events so
// far, those that matched and those that did not.
func (m *Matcher) Candidates() uint64 { return m.candidates }

// Close takes the matcher from its index. It must not be used again.
func (m *Matcher) Close() {
	m.flat.plan = nil
	m.index.forget(m.pin)
	m.index.counts.leave(m.tally.counters)
	m.tally = tally{}
}

// hash returns the hash of a scalar.
func (m *Matcher) hash(c *cell) uint64 {
	if c.kind == cellString {
		return m.index.hasher.text(m.flat.bytes(c))
	}
	return m.index.hasher.value(c.value())
}

// field looks the event up by a field of a frame.
func (m *Matcher) field(f *fieldPlan, frame uint32) {
	c := &m.flat.frames[frame+f.cell]
	if c.kind == cellAbsent {
		return
	}
	h := &m.index.hasher
	if f.present {
		m.look(h.key(feature{kind: keyPresent, number: f.number}, 0), frame)
	}
	if !c.isScalar() {
		if len(f.elements) > 0 {
			for at := uint32(c.num); at != 0; at = m.flat.frames[at].next {
				for i := range f.elements {
					m.field(&f.elements[i], at)
				}
			}
		}
		return
	}
	if f.equal {
		m.look(h.key(feature{kind: keyEqual, number: f.number}, m.hash(c)), frame)
	}
	if f.ranges {
		m.look(h.key(feature{kind: keyRange, number: f.number}, 0), frame)
	}
	if c.kind == cellString {
		m.text(f, m.flat.bytes(c), frame)
	}
}

// text looks the event up by the parts of a string.
func (m *Matcher) text(f *fieldPlan, s []byte, frame uint32) {
	h := &m.index.hasher
	for _, n := range f.prefixes {
		if n > len(s) {
			break
		}
		m.look(h.key(feature{kind: keyPrefix, length: uint8(n), number: f.number}, h.text(s[:n])), frame)
	}
	for _, n := range f.suffixes {
		if n > len(s) {
			break
		}
		m.look(h.key(feature{kind: keySuffix, length: uint8(n), number: f.number}, h.text(s[len(s)-n:])), frame)
	}
	for i, bits := range f.pieces {
		if bits != nil {
			m.pieces(f, (i+1)*shortPiece, bits, s, frame)
		}
	}
}

// pieces looks the event up by the pieces of n bytes of a string.
func (m *Matcher) pieces(f *fieldPlan, n int, bits *bitmap, s []byte, frame uint32) {
	var v uint64
	for i, b := range s {
		v = v>>8 | uint64(b)<<(8*(n-1))
		if i >= n-1 && bits.has(v) {
			m.look(m.index.hasher.key(feature{kind: keyPiece, length: uint8(n), number: f.number}, v), frame)
		}
	}
}

// pair looks the event up by two fields.
func (m *Matcher) pair(p *pairPlan) {
	a, b := &m.flat.frames[p.first], &m.flat.frames[p.second]
	if a.isScalar() && b.isScalar() {
		m.look(m.index.hasher.pair(p.feature, m.hash(a), m.hash(b)), 0)
	}
}

// look remembers to look under a key. What is looked for at once waits for memory
// at once, and not one after the other.
func (m *Matcher) look(key uint64, frame uint32) {
	if m.wanted == len(m.keys) {
		m.flush()
	}
	m.keys[m.wanted], m.frames[m.wanted] = key, frame
	m.wanted++
}

// flush runs what is filed under the remembered keys.
func (m *Matcher) flush() {
	n := m.wanted
	m.wanted = 0
	m.doubles = m.doubles || n == len(m.keys) || twice(m.keys[:n])
	for i, key := range m.keys[:n] {
		m.refs[i] = m.index.table.find(key)
	}
	for i, r := range m.refs[:n] {
		if r != 0 {
			m.kinds[i] = m.index.store.get(r)[0] & blockKind
		}
	}
	for i, r := range m.refs[:n] {
		if r != 0 {
			m.run(r, m.kinds[i], m.frames[i])
		}
	}
	m.scan()
}

// twice reports whether a key is there twice, which by chance those of different
// fields can be.
func twice(keys []uint64) bool {
	var seen uint64
	for i, k := range keys {
		bit := uint64(1) << (k & 63)
		if seen&bit != 0 && slices.Contains(keys[:i], k) {
			return true
		}
		seen |= bit
	}
	return false
}

// run finds what is filed in a block.
func (m *Matcher) run(r ref, kind byte, frame uint32) {
	switch kind {
	case blockProgram:
		m.found = append(m.found, r)
	case blockAxes:
		b := m.index.store.get(r)
		for i := range count(b) {
			e := entryAt(b, i)
			m.tree(axis(e.lo), e.ref, frame)
		}
	default:
		m.tree(axis(word(m.index.store.get(r), 4)), r, frame)
	}
}

// tree remembers to scan the tree of an axis for what the event has.
func (m *Matcher) tree(g axis, r ref, frame uint32) {
	if g == 0 {
		m.trees = append(m.trees, subtree{r, 1<<32 - 1})
		return
	}
	if g&axisElement == 0 {
		frame = 0
	}
	at := int(frame) + int(g>>axisBits)
	if at >= len(m.flat.frames) {
		return // by chance another field has the key
	}
	c := &m.flat.frames[at]
	var v uint32
	switch kind := g & axisKind; {
	case kind == axisNumber && c.isNumber(), kind == axisTime && c.kind == cellTime:
		v = sortKey(c.value())
	case kind == axisText && c.kind == cellString:
		v = sortText(m.flat.bytes(c))
	case kind == axisHash && c.isScalar():
		v = hashKey(m.hash(c))
	default:
		return
	}
	m.trees = append(m.trees, subtree{r, v})
}

// A subtree is a block of which the programs are asked for whose range holds v.
type subtree struct {
	ref ref
	v   uint32
}

// atOnce is how many blocks are waited for at once: about as many as a processor
// can ask of its memory.
const atOnce = 16

// scan finds the programs in the trees that are remembered. It goes down in all
// of them at once, level by level, and looks at what it needs of each block before
// it goes on with any, so that all are waited for at once.
func (m *Matcher) scan() {
	for len(m.trees) > 0 {
		m.below = m.below[:0]
		for list := range slices.Chunk(m.trees, atOnce) {
			m.scanSome(list)
		}
		m.trees, m.below = m.below, m.trees
	}
}

// scanSome scans at most atOnce blocks.
func (m *Matcher) scanSome(list []subtree) {
	var blocks [atOnce][]byte
	var ends [atOnce]int
	var touched byte
	for i, t := range list {
		blocks[i] = m.index.store.get(t.ref)
		touched += blocks[i][0]
	}
	for i := range list {
		b := blocks[i]
		for at, end := cacheLine, headBytes+loBytes*count(b); at < end; at += cacheLine {
			touched += b[at]
		}
	}
	for i, t := range list {
		b := blocks[i]
		n := count(b)
		ends[i] = upTo(b[headBytes:headBytes+loBytes*n], t.v)
		touched += b[headBytes+loBytes*n+hiBytes*max(ends[i]-1, 0)]
	}
	m.touched = touched // or the compiler would see that nobody needs it
	for i, t := range list {
		m.scanBlock(blocks[i], ends[i], t.v)
	}
}

const cacheLine = 64

// upTo returns how many of sorted words are v or less.
func upTo(words []byte, v uint32) int {
	from, n := uint(0), uint(len(words)/4)
	for n > 0 {
		half := (n + 1) / 2
		// Half of the branches would be foretold wrongly, so there is none.
		above := (uint64(v) - uint64(word(words, int(4*(from+half-1))))) >> 63
		from += half & (uint(above) - 1)
		n -= half
	}
	return int(from)
}

// scanBlock finds what is below a block. Its entries before end have a lo of v or
// less.
func (m *Matcher) scanBlock(b []byte, end int, v uint32) {
	leaf := b[0] == blockLeaf
	least := v - min(v, reach(b)) // what begins before ends before v
	n := count(b)
	lo, hi := b[headBytes:headBytes+loBytes*n], b[headBytes+loBytes*n:headBytes+entryBytes*n]
	for i := end - 1; i >= 0 && word(lo, loBytes*i) >= least; i-- {
		if word(hi, hiBytes*i) < v {
			continue
		}
		if below := ref(word(hi, hiBytes*i+4)); leaf {
			m.found = append(m.found, below)
		} else {
			m.below = append(m.below, subtree{below, v})
		}
	}
}

// tryAll runs the programs that were found. Before it runs any it reads the
// beginnings of some, and then the ends, which are often in another cache line, so
// that they wait for memory at once. It must not read on: what is behind a program
// is the writer's.
func (m *Matcher) tryAll() {
	store := m.index.store
	for list := range slices.Chunk(m.found, 2*atOnce) {
		var touched byte
		for _, r := range list {
			touched += store.get(r)[0]
		}
		for _, r := range list {
			code := codeOf(store.get(r))
			touched += code[len(code)-1]
		}
		m.touched = touched // or the compiler would see that nobody needs it
		for _, r := range list {
			m.try(r, store.get(r))
		}
	}
	m.found = m.found[:0]
}

// try runs a program, of which b begins with the block.
func (m *Matcher) try(r ref, b []byte) {
	if word(b, 4) > m.flat.plan.generation {
		return // its fields are not those that the event was read for
	}
	if (m.doubles || b[0]&programRepeats != 0) && !m.tried.add(uint32(r)) {
		return
	}
	m.candidates++
	if m.machine.run(codeOf(b)) == True {
		m.out = append(m.out, idOf(r, b))
	}
}

// A set is numbers that were seen since the last reset, which costs nothing.
type set struct {
	list  []uint64 // a stamp above a number; a power of two
	stamp uint64
	count int
}

func (s *set) reset() {
	s.count = 0
	if s.stamp++; s.stamp == 1<<32 || len(s.list) == 0 {
		s.stamp = 1
		if s.list == nil {
			s.list = make([]uint64, 64)
		}
		clear(s.list)
	}
}

// add adds a number, and reports whether it was not there.
func (s *set) add(n uint32) bool {
	if 2*s.count >= len(s.list) {
		old := s.list
		s.list, s.count = make([]uint64, 2*len(old)), 0
		for _, x := range old {
			if x>>32 == s.stamp {
				s.add(uint32(x))
			}
		}
	}
	x := s.stamp<<32 | uint64(n)
	mask := len(s.list) - 1
	i := int(uint64(n)*0x9e3779b97f4a7c15>>32) & mask
	for ; s.list[i]>>32 == s.stamp; i = (i + 1) & mask {
		if s.list[i] == x {
			return false
		}
	}
	s.list[i] = x
	s.count++
	return true
}
