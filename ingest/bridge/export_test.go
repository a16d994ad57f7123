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

// Admit admits the request with the n-th signature.
func (m *Memory) Admit(n uint64) (first, full bool) {
	s := new(signature)
	binary.BigEndian.PutUint64(s.mac[:], n)
	return m.m.admit(s, time.Now())
}

// Len returns how many are remembered.
func (m *Memory) Len() int { return len(m.m.young) + len(m.m.old) }
