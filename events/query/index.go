package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// An ID names a query of an [Index]. No two queries ever have the same, so what
// is left of a removed query is never taken for another one.
type ID uint64

// Config bounds an [Index]. Start from [DefaultConfig].
type Config struct {
	// Queries is how many different queries there may be, in 1 to 1<<28.
	Queries int

	// Paths is how many different fields they may refer to, in 1 to 65,536.
	// Reading an event costs memory and time for each that it could have.
	Paths int

	// Keys is how many keys one query may be filed under, in 1 to 255.
	Keys int

	// Pairs is for how many pairs of fields queries may be filed under the
	// values of both, in 0 to 64. Every event is looked up by each.
	Pairs int

	// Unanchored is how many queries there may be of which no key says more than
	// that a field is there, 0 or more. Every event that has the field is
	// compared with each.
	Unanchored int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Queries: 1 << 24, Paths: 1024, Keys: 128, Pairs: 16, Unanchored: 32}
}

// Why [Index.Add] refuses a query.
var (
	ErrNoAnchor = errors.New("the query needs a condition to be found by: that a field equals a value or is in a list, begins or ends with a text or contains one of three bytes or more, or is less or greater than a value")
	ErrFull     = errors.New("there are too many queries")
	ErrPaths    = errors.New("the queries refer to too many different fields")
	ErrTooLong  = errors.New("the query is too long to be indexed")
)

// An Index finds those of many queries that an event satisfies.
//
// Each query is filed under keys of which an event has at least one if it
// satisfies the query, such as that customer is 42. An event is looked up under
// all of its keys, and what comes up is compared with the whole event.
//
// An Index is safe for concurrent use. Writers wait for each other; a [Matcher]
// waits for nobody.
type Index struct {
	config Config

	// Read by matchers without a lock.
	hasher hasher
	plan   atomic.Pointer[plan]
	table  table
	store  *store
	limbo  limbo
	counts counts

	mu sync.Mutex // guards the following
	// what writers keep, and matchers never look at
	paths    *paths
	patterns *patterns
	features *features
	known    known
	cluster  cluster
	serial   uint32         // of the last ID
	often    map[ref]uint32 // the programs that were added manyTimes or more
	count    int
	weak     int
	stale    int // paths and features that nothing refers to any more
	pair     int // see coverer.least
	pins     []*pin
	compiler compiler
	covers   *coverer
	filed    []filedAs // workspace, as are the next
	tail     tail
	block    []byte
}

// NewIndex returns an empty index.
func NewIndex(config Config) *Index {
	ix := &Index{config: config, hasher: newHasher(), store: newStore(), pair: 8, often: map[ref]uint32{}}
	ix.paths = newPaths(config.Paths)
	ix.features = &features{numbers: map[uint64]uint32{}}
	ix.patterns = &patterns{texts: map[string]uint32{}, retire: func(n uint32) { ix.limbo.add(retiredRegexp, n, 0) }}
	ix.compiler = compiler{paths: ix.paths, patterns: ix.patterns}
	ix.cluster = cluster{store: ix.store, most: 64, retire: func(r ref, size int) { ix.limbo.add(retiredBlock, uint32(r), size) }}
	ix.limbo.epoch.Store(1)
	ix.plan.Store(newPlan(0, ix.paths, ix.features, nil))
	return ix
}

// Add adds a query, and returns when every event that is loaded from then on is
// compared with it. Queries with the same normal form share an ID, and are there
// until each was removed. The error is, or wraps, one of those above.
func (ix *Index) Add(q *Query) (ID, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	c := &ix.compiler
	c.reset()
	err := c.expr(q.normal, nil)
	if errors.Is(err, ErrPaths) && ix.stale > 0 {
		c.undo()
		ix.replan(true)
		c.reset()
		err = c.expr(q.normal, nil)
	}
	if err == nil && len(c.code) > maxCode {
		err = ErrTooLong
	}
	if err != nil {
		c.undo()
		ix.stale++
		return 0, err
	}
	hash := ix.hasher.text(c.code)
	if r := ix.known.find(ix.store, hash, c.code); r != 0 {
		c.undo()
		b := ix.store.get(r)
		ix.again(r, b)
		return idOf(r, b), nil
	}
	id, err := ix.addNew(q.normal, hash)
	if err != nil {
		c.undo()
		ix.stale++
	}
	return id, err
}

// addNew adds the query that is compiled.
func (ix *Index) addNew(e *expr, hash uint64) (ID, error) {
	if ix.count >= ix.config.Queries || ix.store.full() {
		return 0, ErrFull
	}
	cover := ix.coverer().cover(e, nil)
	switch {
	case len(cover.filings) > ix.config.Keys:
		return 0, fmt.Errorf("%w, and would be filed under %d keys, of %d that it may", ErrTooLong, len(cover.filings), ix.config.Keys)
	case cover.weak && ix.weak >= ix.config.Unanchored:
		return 0, ErrNoAnchor
	}
	c := &ix.compiler
	filed := ix.filed[:0]
	for _, f := range cover.filings {
		number, lacking := ix.features.hold(f.feature)
		c.changed = c.changed || lacking
		if r := ix.table.find(f.key); r != 0 && !ix.cluster.room(r, f.axis) {
			f.axis = 0
		}
		if f.feature.kind == keyPiece {
			ix.features.all[number].pieces.set(f.hash)
		}
		filed = append(filed, filedAs{key: f.key, feature: number, axis: f.axis, entry: entry{lo: f.lo, hi: f.hi}})
	}
	if c.changed || ix.patterns.grown {
		ix.replan(ix.stale > maxStale)
	}
	ix.filed = filed
	r := ix.writeProgram(c, filed)
	ix.known.add(ix.store, &ix.hasher, hash, r)
	for _, f := range filed {
		f.entry.ref = r
		ix.file(f.normal())
	}
	ix.count++
	if cover.weak {
		ix.weak++
	}
	ix.collect(false)
	return idOf(r, ix.store.get(r)), nil
}

// maxStale is from how many unused paths and features on they are swept.
const maxStale = 64

// coverer returns the one coverer of the index.
func (ix *Index) coverer() *coverer {
	if ix.covers != nil {
		ix.covers.reset(ix.pair)
		return ix.covers
	}
	ix.covers = &coverer{
		hasher: &ix.hasher, paths: ix.paths, find: ix.compiler.find, most: min(ix.config.Keys, 255), least: ix.pair,
		size: func(key uint64) int {
			if r := ix.table.find(key); r != 0 {
				return ix.cluster.size(r)
			}
			return 0
		},
		pairs: func(f feature) bool {
			_, ok := ix.features.numbers[f.id()]
			return ok || ix.features.pairs < ix.config.Pairs
		},
	}
	return ix.covers
}

// replan publishes a plan for what is counted now.
func (ix *Index) replan(sweep bool) {
	if sweep {
		ix.features.sweep()
		ix.paths.sweep()
		ix.stale = 0
	}
	ix.patterns.grown = false
	ix.plan.Store(newPlan(ix.plan.Load().generation+1, ix.paths, ix.features, ix.patterns.list))
}

// manyTimes is how often a program was added when its block cannot count on.
const manyTimes = 255

// again counts that a program was added once more.
func (ix *Index) again(r ref, b []byte) {
	if b[programTimes] < manyTimes {
		b[programTimes]++
		return
	}
	ix.often[r]++
}

// less counts that it was taken back once, and reports whether it is still there.
func (ix *Index) less(r ref, b []byte) bool {
	switch n := ix.often[r]; {
	case n > 1:
		ix.often[r]--
	case n == 1:
		delete(ix.often, r)
	default:
		b[programTimes]--
	}
	return b[programTimes] > 0
}

// named returns the program that has an ID, and the hash of its code, or 0.
func (ix *Index) named(id ID) (r ref, b []byte, hash uint64) {
	r = ref(uint32(id))
	if !ix.store.has(r) {
		return 0, nil, 0
	}
	// What is there may be anything. But only programs are known.
	b = ix.store.get(r)
	if len(b) < programHead || len(b) < programHead+int(binary.LittleEndian.Uint16(b[2:])) {
		return 0, nil, 0
	}
	hash = ix.hasher.text(codeOf(b))
	if _, ok := ix.known.has(hash, r); !ok || idOf(r, b) != id {
		return 0, nil, 0
	}
	return r, b, hash
}

// file puts a program under a key.
func (ix *Index) file(f filedAs) {
	r := ix.table.find(f.key)
	if r == 0 {
		ix.table.set(f.key, f.entry.ref) // alone, it needs no cluster
		return
	}
	if b := ix.store.get(r); b[0]&blockKind == blockProgram {
		ix.tail.read(r, b)
		for _, old := range ix.tail.filed {
			if old.key == f.key {
				r = ix.cluster.add(0, old.axis, old.entry)
				break
			}
		}
	}
	ix.table.set(f.key, ix.cluster.add(r, f.axis, f.entry))
}

// unfile takes a program from under a key.
func (ix *Index) unfile(f filedAs) {
	r := ix.table.find(f.key)
	if r == f.entry.ref {
		ix.table.set(f.key, 0)
		return
	}
	r = ix.cluster.remove(r, f.axis, f.entry)
	if b := ix.store.get(r); b[0] == blockLeaf && count(b) == 1 {
		ix.cluster.drop(r, b)
		r = entryAt(b, 0).ref
	}
	ix.table.set(f.key, r)
}

// Remove takes back one Add, and reports whether there was one. If it was the
// last of its query, no event that is loaded from then on is matched by it.
func (ix *Index) Remove(id ID) bool {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	r, b, hash := ix.named(id)
	if r == 0 {
		return false
	}
	if ix.less(r, b) {
		return true
	}
	weak := false
	tail := &ix.tail
	tail.read(r, b)
	for _, f := range tail.filed {
		ix.unfile(f)
		feature := ix.features.all[f.feature]
		weak = weak || feature.kind == keyPresent
		if feature.refs--; feature.refs == 0 {
			ix.stale++
		}
	}
	ix.known.remove(hash, r)
	for _, n := range tail.numbers {
		ix.paths.release(n)
		if ix.paths.all[n].refs == 0 {
			ix.stale++
		}
	}
	for _, n := range tail.regexps {
		ix.patterns.release(n)
	}
	ix.limbo.add(retiredBlock, uint32(r), tail.size)
	ix.count--
	if weak {
		ix.weak--
	}
	ix.collect(false)
	return true
}

// collect uses again what no matcher can be looking at.
func (ix *Index) collect(now bool) {
	if !now && len(ix.limbo.queue)-ix.limbo.head < maxLimbo {
		return
	}
	oldest := ix.limbo.epoch.Add(1)
	for _, p := range ix.pins {
		if e := p.epoch.Load(); e != 0 {
			oldest = min(oldest, e)
		}
	}
	ix.limbo.collect(oldest, func(x retired) {
		switch x.kind {
		case retiredBlock:
			ix.store.release(ref(x.what), int(x.size))
		case retiredRegexp:
			ix.patterns.reuse(x.what)
		}
	})
}

// maxLimbo is how much may wait to be used again before anybody looks.
const maxLimbo = 256

// Stats is what an index holds.
type Stats struct {
	Queries    int   // different ones
	Unanchored int   // of these, how many every event with some field is compared with
	Paths      int   // fields that events are read for
	Bytes      int64 // of memory, all in, except for what Go's collector has not found yet
}

// Stats returns what the index holds.
func (ix *Index) Stats() Stats {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	bytes := int64(len(*ix.store.pages.Load()))*pageBytes + ix.table.bytes() + ix.known.bytes()
	bytes += int64(24 * cap(ix.limbo.queue))
	return Stats{Queries: ix.count, Unanchored: ix.weak, Paths: ix.paths.used - ownCells, Bytes: bytes}
}

// NewMatcher returns a matcher, which must be closed.
func (ix *Index) NewMatcher() *Matcher {
	m := &Matcher{index: ix, pin: &pin{}}
	m.machine.flat = &m.flat
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.pins = append(ix.pins, m.pin)
	return m
}

// forget removes a matcher's pin.
func (ix *Index) forget(p *pin) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.pins = slices.DeleteFunc(ix.pins, func(q *pin) bool { return q == p })
}
