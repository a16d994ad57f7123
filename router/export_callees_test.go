package router

// A Shared opens the callees of a registration to tests, which know them by
// number.
type Shared struct {
	callees callees
	reg     registration
	numbers map[*endpoint]int
	all     map[int]*endpoint
}

// NewShared returns callees without any.
func NewShared(invoke Invoke) *Shared {
	s := &Shared{numbers: map[*endpoint]int{}, all: map[int]*endpoint{}}
	s.reg.invoke, s.callees.invoke = invoke, invoke
	return s
}

// Join adds a callee that takes so many invocations at a time.
func (s *Shared) Join(number, limit int) {
	e := &endpoint{session: &Session{}, reg: &s.reg, limit: limit}
	s.numbers[e], s.all[number] = number, e
	s.callees.add(e)
}

// Leave takes the callee out.
func (s *Shared) Leave(number int) bool { return s.callees.remove(s.all[number]) }

// BeginToLeave has nobody choose the callee any more.
func (s *Shared) BeginToLeave(number int) { s.all[number].session.ending.Store(true) }

// Choose returns the callee that is chosen, or -1 if all are busy, or -2 if
// there is none.
func (s *Shared) Choose(tried []int) int {
	endpoints := make([]*endpoint, len(tried))
	for i, number := range tried {
		endpoints[i] = s.all[number]
	}
	switch e, how := s.callees.choose(endpoints); how {
	case chosen:
		return s.numbers[e]
	case allBusy:
		return -1
	default:
		return -2
	}
}

// Answer ends an invocation of the callee.
func (s *Shared) Answer(number int) { s.callees.end(s.all[number]) }

// Callees returns all in their order.
func (s *Shared) Callees() (numbers []int) {
	for e := range s.callees.all() {
		numbers = append(numbers, s.numbers[e])
	}
	return numbers
}

// Slots returns how many places the callees take.
func (s *Shared) Slots() int { return len(s.callees.slots) }

// A Bitset opens bitset to tests.
type Bitset = bitset

// Set, Clear, Next and Last are those of bitset.
func (b *bitset) Set(i int)      { b.set(i) }
func (b *bitset) Clear(i int)    { b.clear(i) }
func (b *bitset) Next(i int) int { return b.next(i) }
func (b *bitset) Last() int      { return b.last() }
