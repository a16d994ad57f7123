package config

import "strings"

// nearest returns the known word that a person who wrote word most likely
// meant, or "" if none is near: at most two edits, and fewer than half of the
// letters.
func nearest(word string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < bestDistance && 2*d < max(len(word), len(k)) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance returns how many letters must be inserted, deleted, replaced or
// swapped with their neighbour to turn a into b (optimal string alignment),
// or 3 if it is more than two.
func distance(a, b string) int {
	const far = 3
	if max(len(a), len(b))-min(len(a), len(b)) >= far {
		return far
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(far, last[len(b)])
}
