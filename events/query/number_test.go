package query_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

// Numbers are compared as what they are, whatever holds them, as math/big has it.
func FuzzNumbers(f *testing.F) {
	for _, bits := range []uint64{
		0, 1, 1 << 53, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, math.Float64bits(1 << 63), math.Float64bits(1 << 64), math.Float64bits(-1 << 63),
		math.Float64bits(0.5), math.Float64bits(-0.5), math.Float64bits(1<<53 + 2), math.Float64bits(math.Copysign(0, -1)), math.Float64bits(1e308),
	} {
		f.Add(bits, bits)
		f.Add(bits, bits-1)
		f.Add(uint64(1<<53+1), bits)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		for _, x := range texts(a) {
			for _, y := range texts(b) {
				want := exact(t, x).Cmp(exact(t, y))
				for sign, holds := range map[string]bool{
					"==": want == 0, "!=": want != 0, "<": want < 0, "<=": want <= 0, ">": want > 0, ">=": want >= 0,
				} {
					// As literals, as an event and a literal, and as two fields.
					event := fmt.Sprintf(`{"x":%s,"y":%s}`, jsonNumber(x), jsonNumber(y))
					for _, text := range []string{x + sign + y, "x " + sign + y, x + sign + "y", "x" + sign + "y"} {
						if got := says(t, text, event); got != holds {
							t.Errorf("%s of %s is %v", text, event, got)
						}
					}
				}
			}
		}
	})
}

// texts returns numbers that have the bits.
func texts(bits uint64) []string {
	list := []string{fmt.Sprint(int64(bits)), fmt.Sprintf("%du", bits)}
	if d := math.Float64frombits(bits); !math.IsNaN(d) && !math.IsInf(d, 0) {
		list = append(list, fmt.Sprintf("%.17e", d))
	}
	return list
}

func jsonNumber(text string) string {
	if text[len(text)-1] == 'u' {
		return text[:len(text)-1]
	}
	return text
}

func exact(t *testing.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(jsonNumber(text))
	if !ok {
		t.Fatalf("%s is no number", text)
	}
	var d float64
	if _, err := fmt.Sscanf(text, "%e", &d); err == nil && text[len(text)-1] != 'u' && len(text) > 20 && text[len(text)-4] == 'e' {
		r.SetFloat64(d)
	}
	return r
}

func says(t *testing.T, text, event string) bool {
	t.Helper()
	q, err := query.Parse(text, query.DefaultOptions())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := query.NewSample(query.Meta{}, []byte(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return q.Match(s)
}
