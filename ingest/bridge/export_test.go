package bridge

import (
	"encoding/binary"
	"time"
)

// MaxRemembered is how many signed requests of a key are remembered.
const MaxRemembered = maxRemembered

// A Memory opens what is remembered of signed requests to tests.
type Memory struct{ m memory }

// NewMemory returns an empty one.
func NewMemory(skew time.Duration) *Memory { return &Memory{memory{skew: skew}} }

// Admit admits the request with the n-th signature, signed now.
func (m *Memory) Admit(n uint64) Admission { return m.AdmitAt(n, time.Now()) }

// AdmitAt admits the request with the n-th signature, signed at that time.
func (m *Memory) AdmitAt(n uint64, at time.Time) Admission {
	s := &signature{at: at}
	binary.BigEndian.PutUint64(s.mac[:], n)
	return m.m.admit(s, time.Now())
}

// Admission is what a memory says of a request.
type Admission = admission

// What it can say.
const (
	Admitted  = admitted
	Repeated  = repeated
	Crowded   = crowded
	Untelling = untelling
)

// Len returns how many are remembered.
func (m *Memory) Len() int { return len(m.m.young.seen) + len(m.m.old.seen) }
