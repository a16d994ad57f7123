package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A model is what a store of persistent subscriptions should hold, in the
// plainest form: what is acknowledged is a set of offsets.
type model map[modelKey]*modelled

type modelKey struct{ owner, name string }

type modelled struct {
	p     events.Persistent // without position and spans
	epoch string
	acked map[uint64]bool // those up to the position, too
	gone  bool            // the store may have removed it, as it has expired
}

// fill marks the offsets up to one, and those of spans.
func (m *modelled) fill(offset uint64, spans []events.Span) {
	for o := range offset {
		m.acked[o+1] = true
	}
	for _, a := range spans {
		for o := a.From; o <= a.Through; o++ {
			m.acked[o] = true
		}
	}
}

// state returns the position and the spans that the set stands for.
func (m *modelled) state() (offset uint64, acked []events.Span) {
	for m.acked[offset+1] {
		offset++
	}
	for _, o := range slices.Sorted(maps.Keys(m.acked)) {
		switch n := len(acked); {
		case o <= offset:
		case n > 0 && acked[n-1].Through == o-1:
			acked[n-1].Through = o
		default:
			acked = append(acked, events.Span{From: o, Through: o})
		}
	}
	return offset, acked
}

// put does what PutPersistent should, and reports whether it should succeed.
func (all model) put(p events.Persistent, most int) bool {
	k := modelKey{p.Owner, p.Name}
	old := all[k]
	if old == nil || !old.p.Expires.After(p.Seen) {
		live := 0
		for other, m := range all {
			if other.owner == p.Owner && other != k && m.p.Expires.After(p.Seen) {
				live++
			}
		}
		if live >= most {
			return false
		}
		for other, m := range all {
			if other.owner == p.Owner && !m.p.Expires.After(p.Seen) {
				m.gone = true
			}
		}
	}
	m := &modelled{p: p, epoch: p.Position.Epoch, acked: make(map[uint64]bool)}
	m.fill(p.Position.Offset, p.Acked)
	all[k] = m
	return true
}

// move does what MovePersistents should do with one.
func (all model) move(m events.Move) {
	sub := all[modelKey{m.Owner, m.Name}]
	if sub == nil {
		return
	}
	if m.Seen.After(sub.p.Seen) {
		sub.p.Seen = m.Seen
	}
	if m.Expires.After(sub.p.Expires) {
		sub.p.Expires = m.Expires
	}
	switch sub.epoch {
	case m.Position.Epoch:
	case m.Was:
		sub.epoch = m.Position.Epoch
		clear(sub.acked)
	default:
		return
	}
	sub.fill(m.Position.Offset, m.Acked)
}

// An oracle makes random operations on a store and on a model.
type oracle struct {
	*persistentSuite
	rand  *rand.Rand
	model model
	last  []string // what was done last, for a failure
}

// persistentRandom makes random operations. Whatever the store returns, a plain
// model returns too.
func persistentRandom(t *testing.T, s *persistentSuite) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	o := &oracle{persistentSuite: s, rand: rand.New(rand.NewPCG(seed, 0)), model: make(model)}
	for n := range 400 {
		o.step()
		if n%20 == 19 {
			o.compare()
		}
		if n%150 == 149 {
			s.reopen()
			o.compare()
		}
		if t.Failed() {
			t.Fatalf("seed %d, after\n%s", seed, strings.Join(o.last, "\n"))
		}
	}
}

func (o *oracle) did(format string, args ...any) {
	o.last = append(o.last, fmt.Sprintf(format, args...))
	o.last = o.last[max(0, len(o.last)-30):]
}

func (o *oracle) owner() string { return []string{"a", "a\x00", "b"}[o.rand.IntN(3)] }
func (o *oracle) name() string  { return string(rune('a' + o.rand.IntN(6))) }
func (o *oracle) epoch() string { return []string{"", "X", "Y", "Z"}[o.rand.IntN(4)] }

func (o *oracle) time() time.Time {
	return start.Add(time.Duration(o.rand.IntN(50)) * time.Millisecond)
}

// spans returns random spans, which may be of anything.
func (o *oracle) spans() (all []events.Span) {
	for range o.rand.IntN(5) {
		from := uint64(1 + o.rand.IntN(40))
		all = append(all, events.Span{From: from, Through: from + uint64(o.rand.IntN(6)) - 1})
	}
	return all
}

// step makes one operation.
func (o *oracle) step() {
	o.Helper()
	ctx := o.Context()
	switch n := o.rand.IntN(100); {
	case n < 35:
		m := &modelled{acked: make(map[uint64]bool)}
		m.fill(uint64(o.rand.IntN(20)), o.spans())
		p := events.Persistent{
			Owner: o.owner(), Name: o.name(), Class: fmt.Sprint("c", o.rand.IntN(3)), Explicit: o.rand.IntN(2) == 0,
			Created: o.time(), Seen: o.time(), Expires: o.time().Add(10 * time.Millisecond), For: time.Duration(o.rand.IntN(1e9)),
		}
		p.Position.Epoch = o.epoch()
		p.Position.Offset, p.Acked = m.state()
		most := o.rand.IntN(8)
		o.did("put %+v, at most %d", p, most)
		err := o.store.PutPersistent(ctx, &p, most)
		if want := o.model.put(p, most); want && err != nil || !want && !errors.Is(err, events.ErrTooManyPersistent) {
			o.Errorf("PutPersistent(%+v, %d): %v; success is %t", p, most, err, want)
		}
		o.settle()
	case n < 75:
		var moves []events.Move
		for range 1 + o.rand.IntN(8) {
			moves = append(moves, events.Move{
				Owner: o.owner(), Name: o.name(), Was: o.epoch(), Position: events.Position{Epoch: o.epoch(), Offset: uint64(o.rand.IntN(30))},
				Acked: o.spans(), Seen: o.time(), Expires: o.time().Add(10 * time.Millisecond),
			})
		}
		o.did("move %+v", moves)
		o.move(moves...)
		for _, m := range moves {
			o.model.move(m)
		}
	case n < 82:
		owner, name := o.owner(), o.name()
		o.did("delete %q %q", owner, name)
		if err := o.store.DeletePersistent(ctx, owner, name); err != nil {
			o.Errorf("DeletePersistent: %v", err)
		}
		delete(o.model, modelKey{owner, name})
	case n < 84:
		owner := o.owner()
		o.did("delete owner %q", owner)
		want := 0
		for k := range o.model {
			if k.owner == owner {
				want++
				delete(o.model, k)
			}
		}
		if got, err := o.store.DeleteOwner(ctx, owner); got != want || err != nil {
			o.Errorf("DeleteOwner(%q) = %d, %v; want %d", owner, got, err, want)
		}
	case n < 92:
		now := o.time().Add(-10 * time.Millisecond)
		o.did("delete what has expired at %v", now)
		want := 0
		for k, m := range o.model {
			if !m.p.Expires.After(now) {
				want++
				delete(o.model, k)
			}
		}
		o.wantExpired(now, want)
	default:
		o.compare()
	}
}

// settle takes out of the model what the store has removed, where it may.
func (o *oracle) settle() {
	o.Helper()
	for k, m := range o.model {
		if !m.gone {
			continue
		}
		if _, err := o.store.Persistent(o.Context(), k.owner, k.name); errors.Is(err, events.ErrNotPersistent) {
			delete(o.model, k)
		}
		m.gone = false
	}
}

// compare compares everything.
func (o *oracle) compare() {
	o.Helper()
	var want []events.Persistent
	for _, m := range o.model {
		p := m.p
		p.Position.Epoch = m.epoch
		p.Position.Offset, p.Acked = m.state()
		want = append(want, plain(p))
	}
	slices.SortFunc(want, func(a, b events.Persistent) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Name, b.Name))
	})
	var got []events.Persistent
	err := o.store.EachPersistent(o.Context(), "", "", func(p *events.Persistent) bool {
		got = append(got, plain(*p))
		return true
	})
	if err != nil {
		o.Fatalf("EachPersistent: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		o.Errorf("the store has\n%+v\nand should have\n%+v", got, want)
	}
	for _, owner := range []string{"a", "a\x00", "b"} {
		var names []string
		for _, p := range want {
			if p.Owner == owner {
				names = append(names, p.Name)
			}
		}
		o.wantNames(owner, names...)
	}
	for i := range want {
		o.want(&want[i])
	}
}
