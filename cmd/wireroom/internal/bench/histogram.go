package bench

import (
	"math"
	"math/bits"
)

// subBuckets is how many buckets of a histogram share one power of two. A
// quantile is off by at most 1/subBuckets of its value.
const subBuckets = 128

// A histogram counts durations in nanoseconds in buckets whose width grows
// with the value. The zero value is empty and ready. It is not safe for
// concurrent use.
type histogram struct {
	counts [44 * subBuckets]uint64 // up to 2^50 ns, 13 days
	n      uint64
	max    int64
}

// record counts one duration. A negative one counts as 0: the clock that
// stamped it was read on another core.
func (h *histogram) record(ns int64) {
	ns = max(ns, 0)
	h.counts[min(bucketOf(uint64(ns)), len(h.counts)-1)]++
	h.n++
	h.max = max(h.max, ns)
}

// bucketOf returns the index of the bucket of v. Below 2*subBuckets each value
// has its own.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-bits.Len64(2*subBuckets-1), 0)
	return shift*subBuckets + int(v>>shift)
}

// bucketTop returns the largest value in bucket i.
func bucketTop(i int) int64 {
	if i < 2*subBuckets {
		return int64(i)
	}
	shift := i/subBuckets - 1
	return int64(i-shift*subBuckets+1)<<shift - 1
}

// quantile returns a duration in nanoseconds that q of the recorded ones,
// with q in 0 to 1, do not exceed: 0 if nothing was recorded.
func (h *histogram) quantile(q float64) int64 {
	rank := max(uint64(math.Ceil(q*float64(h.n))), 1)
	var seen uint64
	// The last bucket holds whatever is longer, too.
	for i, c := range h.counts[:len(h.counts)-1] {
		if seen += c; c > 0 && seen >= rank {
			return min(bucketTop(i), h.max)
		}
	}
	return h.max
}

// add counts what o counted too.
func (h *histogram) add(o *histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}
