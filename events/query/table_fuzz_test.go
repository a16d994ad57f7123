package query

import (
	"math/rand/v2"
	"testing"
)

// addBytes adds seeds of so many bytes of anything.
func addBytes(f *testing.F, sizes ...int) {
	for i, n := range sizes {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		seed := make([]byte, n)
		for j := range seed {
			seed[j] = byte(r.Uint32())
		}
		f.Add(seed)
	}
}

// A table is a map, and keeps no more slots than what was in it at once needs.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 1, 1, 2, 1, 1, 1, 1, 1, 0, 2, 3})
	f.Add([]byte("\x00\x00\x01\x01\x00\x02\x00\x00\x00\x01\x00\x00"))
	addBytes(f, 600, 3000)
	f.Fuzz(func(t *testing.T, ops []byte) {
		var table table
		h := hasher{bits: keyBits}
		model := map[uint64]ref{}
		most := 0
		for ; len(ops) >= 3; ops = ops[3:] {
			// Few keys, in three parts, which begin at a few of a part's slots.
			key := h.keyOf(uint64(ops[0]%3)<<56 | uint64(ops[1]&0x87))
			if r := ref(ops[2] & 3); r > 0 {
				model[key] = r
				table.set(key, r)
			} else {
				delete(model, key)
				table.set(key, 0)
			}
			most = max(most, len(model))
		}
		for part := range uint64(3) {
			for low := range uint64(256) {
				key := h.keyOf(part<<56 | low)
				if got, want := table.find(key), model[key]; got != want {
					t.Fatalf("%#x has %d, want %d", key, got, want)
				}
			}
		}
		live := 0
		for i := range table.parts {
			live += table.parts[i].live
		}
		if live != len(model) {
			t.Errorf("%d keys are counted, want %d", live, len(model))
		}
		if got, room := table.bytes(), int64(3*4*8+most*4*8); got > room {
			t.Errorf("%d bytes for at most %d keys at once, want %d at most", got, most, room)
		}
	})
}
