package query_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// hostile are workloads of queries that are allowed and meant to be costly. Those
// that say much each are fewer, so that there are as many conditions in all.
func hostile() []workload {
	narrow := func(r *rand.Rand) string {
		lo := r.IntN(10_000)
		return fmt.Sprintf(`total >= %d && total < %d`, lo, lo+1)
	}
	const note = "some words for the people who pack it" // of every event
	return []workload{
		{name: "hostile-lengths", query: func(r *rand.Rand, n int) string {
			return fmt.Sprintf(`note.startsWith(%q) && %s && id != "%d"`, note[:1+r.IntN(len(note))], narrow(r), r.IntN(n))
		}},
		{name: "hostile-wide", query: func(r *rand.Rand, n int) string {
			lo := r.IntN(9_000)
			return fmt.Sprintf(`class == "class-%d" && total >= %d && total < %d && id != "%d"`, r.IntN(1000), lo, lo+1000, r.IntN(n))
		}},
		{name: "hostile-class", query: func(r *rand.Rand, n int) string {
			return fmt.Sprintf(`paid && region == "region-%d" && %s && id != "%d"`, r.IntN(50), narrow(r), r.IntN(n))
		}},
		{name: "hostile-in", fewer: 128, query: func(r *rand.Rand, n int) string {
			return fmt.Sprintf(`customer in [%s] && total < %d`, list(r, 128, 100_000), r.IntN(10_000))
		}},
		{name: "hostile-or", fewer: 32, query: func(r *rand.Rand, n int) string {
			parts := make([]string, 32)
			for i := range parts {
				parts[i] = fmt.Sprintf(`customer == %d && (region == "region-%d" || total < %d)`, r.IntN(100_000), r.IntN(50), r.IntN(100))
			}
			return "(" + strings.Join(parts, ") || (") + ")"
		}},
		{name: "hostile-values", query: func(r *rand.Rand, n int) string {
			whole := r.IntN(10_000) // what differs is behind the bits that clusters sort by
			return fmt.Sprintf(`total > %d.5%06d && total < %[1]d.51`, whole, r.IntN(1_000_000))
		}},
		{name: "hostile-contains", query: func(r *rand.Rand, n int) string {
			at := r.IntN(len(note) - 3)
			return fmt.Sprintf(`note.contains(%q) && %s && id != "%d"`, note[at:at+3+r.IntN(len(note)-at-2)], narrow(r), r.IntN(n))
		}},
	}
}

// list returns n numbers below most.
func list(r *rand.Rand, n, most int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, r.IntN(most))
	}
	return b.String()
}
