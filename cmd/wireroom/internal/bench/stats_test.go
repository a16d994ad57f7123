package bench

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// Quantiles are those of the sorted values, at most one bucket too high.
func TestHistogramQuantile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name string
		draw func() int64
	}{
		{"small, where buckets are exact", func() int64 { return rng.Int64N(200) }},
		{"microseconds", func() int64 { return rng.Int64N(5_000_000) }},
		{"very different", func() int64 { return int64(1) << rng.IntN(48) }},
		{"all the same", func() int64 { return 123_456_789 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h histogram
			values := make([]int64, 10_001)
			for i := range values {
				values[i] = tt.draw()
				h.record(values[i])
			}
			slices.Sort(values)
			for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
				want := values[max(int(q*float64(len(values))+0.999999)-1, 0)]
				if got := h.quantile(q); got < want || got > want+want/subBuckets {
					t.Errorf("quantile(%v) = %d, want %d to %d", q, got, want, want+want/subBuckets)
				}
			}
		})
	}
}

func TestHistogramEdges(t *testing.T) {
	var empty, h histogram
	if got := empty.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %d, want 0", got)
	}
	h.record(-5) // the clocks of two cores
	h.record(1 << 62)
	if h.n != 2 || h.quantile(0.5) != 0 || h.quantile(1) != 1<<62 || h.max != 1<<62 {
		t.Errorf("after -5 and 2^62: n %d, median %d, top %d, max %d", h.n, h.quantile(0.5), h.quantile(1), h.max)
	}
	empty.add(&h)
	if empty != h {
		t.Error("adding to an empty histogram did not give the same")
	}
}

// The buckets follow each other without gaps.
func TestBuckets(t *testing.T) {
	for i := range 44*subBuckets - 1 {
		if got := bucketOf(uint64(bucketTop(i))); got != i {
			t.Fatalf("bucketOf(bucketTop(%d)) = %d", i, got)
		}
		if got := bucketOf(uint64(bucketTop(i)) + 1); got != i+1 {
			t.Fatalf("bucketOf(bucketTop(%d)+1) = %d, want %d", i, got, i+1)
		}
	}
}

func TestOrder(t *testing.T) {
	tests := []struct {
		name             string
		seen             []uint64
		got, twice, late uint64
	}{
		{"in order", []uint64{0, 1, 2, 3}, 4, 0, 0},
		{"the first is lost", []uint64{1, 2}, 2, 0, 0},
		{"a gap", []uint64{0, 1, 5, 6}, 4, 0, 0},
		{"twice in a row", []uint64{0, 0, 1}, 2, 1, 0},
		{"twice, later", []uint64{0, 1, 2, 3, 1}, 4, 1, 0},
		{"swapped", []uint64{0, 2, 1, 3}, 4, 0, 1},
		{"late and then again", []uint64{0, 2, 1, 1}, 3, 1, 1},
		{"a leap of the window", []uint64{0, 63, 126, 64}, 4, 0, 1},
		{"a leap over the window", []uint64{0, 500, 437}, 3, 0, 1},
		{"too late to tell", []uint64{0, 500, 436, 436}, 2, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o order
			for _, n := range tt.seen {
				o.see(n)
			}
			if o.got != tt.got || o.twice != tt.twice || o.late != tt.late {
				t.Errorf("after %v: got %d, twice %d, late %d; want %d, %d, %d", tt.seen, o.got, o.twice, o.late, tt.got, tt.twice, tt.late)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	nan := 0.0
	nan /= nan
	got := summarize([]sample{{"a": 3, "b": nan}, {"a": 1}, {"a": 2}, {"a": 10, "c": 7}})
	want := map[string]series{
		"a": {Median: 2.5, Min: 1, Max: 10, Rounds: []float64{3, 1, 2, 10}},
		"c": {Median: 7, Min: 7, Max: 7, Rounds: []float64{7}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("summarize = %v, want %v", got, want)
	}
}

// What counts each message must not allocate.
func TestCountingAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the count")
	}
	h, o := new(histogram), new(order)
	msg := appendServerFrame(nil, newTemplate(serJSON, newPayload(128), codeEvent, uint64(9), dict{}).append(nil, 7, newPayload(128)))
	n := uint64(0)
	got := testing.AllocsPerRun(1000, func() {
		_, body, _, err := frameWebSocket.next(msg)
		code, _, _ := serJSON.readCode(body)
		_, _, _, ok := readPayload(body)
		if err != nil || code != codeEvent || !ok {
			t.Fatal("the event was not understood")
		}
		h.record(int64(n))
		o.see(n)
		n++
	})
	if got != 0 {
		t.Errorf("%v allocations for each event, want 0", got)
	}
}
