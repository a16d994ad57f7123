package router

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A slot is an entry of the naive queue.
type slot struct {
	id, size   int
	member     int // 0: no event
	key        uint64
	superseded int // when; 0: it is not
	gone       bool
}

// A naive queue does what an outbox should, by looking at everything.
type naive struct {
	limit, bytes int // bytes: with what is being written
	slots        []slot
	missed       [4]uint64
	clock        int
	over         bool
	superseded   uint64
	oldest       uint64
}

func (q *naive) drop(s *slot) {
	s.gone = true
	q.bytes -= s.size
}

func (q *naive) push(s slot) string {
	if q.over {
		return "refused"
	}
	if s.member > 0 && s.key >= keyAny {
		for i := range q.slots {
			if old := &q.slots[i]; !old.gone && old.superseded == 0 && old.member == s.member && old.key == s.key {
				q.clock++
				old.superseded = q.clock
			}
		}
	}
	full := func() bool { return q.bytes > 0 && q.bytes+s.size > q.limit }
	for full() {
		var first *slot
		for i := range q.slots {
			if old := &q.slots[i]; !old.gone && old.superseded > 0 && (first == nil || old.superseded < first.superseded) {
				first = old
			}
		}
		if first == nil {
			break
		}
		q.superseded++
		q.drop(first)
	}
	loose := 0
	for _, old := range q.slots {
		if !old.gone && old.member > 0 && old.key == keyOldest {
			loose += old.size
		}
	}
	alone := q.bytes == loose && (s.member == 0 || s.key != keyOldest)
	if full() && (q.bytes-loose+s.size <= q.limit || alone) {
		for i := range q.slots {
			if old := &q.slots[i]; full() && !old.gone && old.member > 0 && old.key == keyOldest {
				q.oldest++
				q.drop(old)
			}
		}
	}
	if full() {
		if s.member > 0 && s.key == keyOldest {
			s.gone = true
			q.slots = append(q.slots, s)
			q.oldest++
			return "dropped"
		}
		q.over = true
		return "overflow"
	}
	q.slots = append(q.slots, s)
	q.bytes += s.size
	return "queued"
}

// take returns what an outbox is to return, as text.
func (q *naive) take(written int) (out []string, size int) {
	q.bytes -= written
	n := 0
	for _, s := range q.slots {
		if s.gone {
			q.missed[s.member]++
			n++
			continue
		}
		if size > 0 && size+s.size > takeBytes {
			break
		}
		n++
		text := fmt.Sprint(s.id)
		if s.member > 0 && q.missed[s.member] > 0 {
			text = fmt.Sprintf("%d after %d", s.id, q.missed[s.member])
			q.missed[s.member] = 0
		}
		out = append(out, text)
		size += s.size
	}
	q.slots = q.slots[n:]
	return out, size
}

// FuzzOutbox compares an outbox with the naive queue: what is dropped, what is
// taken in which order, and what members are told to have missed.
func FuzzOutbox(f *testing.F) {
	f.Add(uint32(100), []byte{4, 40, 4, 40, 4, 40, 0, 0, 4, 40, 0, 0})     // oldest
	f.Add(uint32(100), []byte{16, 40, 20, 40, 16, 40, 16, 40, 0, 0, 0, 0}) // latest
	f.Add(uint32(300), []byte{1, 99, 4, 99, 8, 99, 5, 99, 16, 99, 0, 0})   // a mix
	f.Add(uint32(200000), func() (b []byte) {                              // much
		for i := range 500 {
			b = append(b, byte(3+i%29), byte(i*7))
		}
		return b
	}())
	f.Fuzz(compareOutbox)
}

// TestOutboxOracle is FuzzOutbox with random queues, of which a share is large.
func TestOutboxOracle(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 3000
	if raceEnabled {
		rounds = 300
	}
	for range rounds {
		ops := make([]byte, 2*(1+rnd.IntN(400)))
		large := 1 + rnd.IntN(200)
		kinds := rnd.IntN(31) // how many kinds of entries there are
		for i := 0; i < len(ops); i += 2 {
			ops[i] = byte(1 + rnd.IntN(1+kinds))
			if rnd.IntN(40) == 0 {
				ops[i] = 0
			}
			if rnd.IntN(large) == 0 {
				ops[i] |= 0x20 // a large one
			}
			ops[i+1] = byte(rnd.Uint32())
		}
		compareOutbox(t, uint32(rnd.IntN(1<<(6+rnd.IntN(14)))), ops)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func compareOutbox(t *testing.T, limit uint32, ops []byte) {
	ops = ops[:min(len(ops), 1000)] // the naive queue is slow
	s := &Session{router: &Router{}}
	s.out.limit = int(limit)%(1<<20) + 1
	members := []*member{nil, {session: s}, {session: s}, {session: s}}
	q := &naive{limit: s.out.limit}
	inFlight, duty := 0, false
	names := map[pushed]string{queued: "queued", flushIt: "queued", dropped: "dropped", overflow: "overflow", refused: "refused"}
	for id := 0; len(ops) >= 2; id++ {
		op, arg := ops[0], int(ops[1])
		ops = ops[2:]
		if op%32 == 0 {
			if !duty {
				continue
			}
			frames, size, gaps, _ := s.out.take(nil, inFlight)
			got := make([]string, len(frames))
			for i, f := range frames {
				got[i] = fmt.Sprint(frameID(f))
			}
			for _, g := range gaps {
				got[g.at] += fmt.Sprintf(" after %d", g.missed)
			}
			want, wantSize := q.take(inFlight)
			if fmt.Sprint(got) != fmt.Sprint(want) || size != wantSize {
				t.Fatalf("took %v, %d bytes; want %v, %d bytes", got, size, want, wantSize)
			}
			inFlight, duty = size, len(frames) > 0
			continue
		}
		size := 4 + arg*(1+int(op>>5)*64)
		sl := slot{id: id, size: size, member: int(op % 4)}
		if sl.member > 0 {
			sl.key = uint64(op>>2) % 8
		}
		e := entry{frame: newFrame(id, size), member: members[sl.member], key: sl.key}
		got := s.out.pushLocked(e, 0)
		if got == flushIt {
			duty = true
		}
		if want := q.push(sl); names[got] != want {
			t.Fatalf("push of frame %d, %d bytes: %s, want %s", id, size, names[got], want)
		}
		if s.out.bytes != q.bytes {
			t.Fatalf("%d bytes of %d are counted, want %d", s.out.bytes, s.out.limit, q.bytes)
		}
	}
	st := s.router.stats.snapshot(0)
	if st.Superseded != q.superseded || st.DroppedOldest != q.oldest {
		t.Fatalf("Superseded, DroppedOldest = %d, %d; want %d, %d", st.Superseded, st.DroppedOldest, q.superseded, q.oldest)
	}
	if b := s.out.backlog; b != nil && (len(b.latest) > len(s.out.entries) || len(b.stale) > 2*len(s.out.entries)+burstFrames) {
		t.Fatalf("the backlog of %d entries notes %d and %d", len(s.out.entries), len(b.latest), len(b.stale))
	}
}

func newFrame(id, size int) []byte {
	f := make([]byte, size)
	f[0], f[1], f[2] = byte(id), byte(id>>8), byte(id>>16)
	return f
}

func frameID(f []byte) int { return int(f[0]) | int(f[1])<<8 | int(f[2])<<16 }
