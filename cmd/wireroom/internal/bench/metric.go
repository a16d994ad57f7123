package bench

import (
	"math"
	"slices"
)

// A metric is something that a benchmark reports.
type metric struct {
	key    string // in JSON; never changed once released
	label  string // in the table
	unit   string // of the value, in JSON; the label names it for people
	digits int    // after the point, in the table
	bad    bool   // anything but 0 is a failure: --strict
}

// A sample is what one measurement gave, by the metrics' keys. What could not
// be measured is absent.
type sample map[string]float64

// A series is the values of one metric over the rounds.
type series struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// newSeries sums up values, of which there is at least one.
func newSeries(values []float64) series {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return series{
		Median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		Min:    sorted[0],
		Max:    sorted[n-1],
		Rounds: values,
	}
}

// summarize turns the samples of the rounds into series. Values that are no
// numbers are left out: JSON has none.
func summarize(samples []sample) map[string]series {
	values := make(map[string][]float64)
	for _, s := range samples {
		for k, v := range s {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				values[k] = append(values[k], v)
			}
		}
	}
	all := make(map[string]series, len(values))
	for k, v := range values {
		all[k] = newSeries(v)
	}
	return all
}
