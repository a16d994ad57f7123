//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A report is the result of a run, and its form in JSON.
type report struct {
	Format    int            `json:"format"` // of this object; 1
	Benchmark string         `json:"benchmark"`
	Started   time.Time      `json:"started"`
	Took      float64        `json:"took_seconds"`
	Complete  bool           `json:"complete"` // every measurement was made
	Machine   machine        `json:"machine"`
	Settings  map[string]any `json:"settings"`
	Metrics   []metricInfo   `json:"metrics"`
	Results   []*result      `json:"results"`
	Bad       []string       `json:"bad,omitempty"` // what was lost, doubled, refused
	Noise     float64        `json:"noise_cores"`   // most of a measurement's other_cores
	summary   string
	byPlace   map[[2]int]*result
}

// noisy is how many cores other programs may use before a report warns.
const noisy = 0.15

// A metricInfo explains a metric in JSON.
type metricInfo struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Unit  string `json:"unit"`
}

// A result is what one case gave with one target.
type result struct {
	Case   string            `json:"case"`
	Target string            `json:"target"`
	URL    string            `json:"url,omitempty"`
	Spawn  string            `json:"spawned,omitempty"`
	Note   string            `json:"note,omitempty"`
	Values map[string]series `json:"metrics"`
	Errors []string          `json:"errors,omitempty"` // of rounds that failed

	// NotDone says what took longer than it may. Later rounds do not try again.
	NotDone string `json:"not_done,omitempty"`

	samples []sample
	limit   time.Duration // of what was not done
}

// newReport returns a report without results.
func newReport(b *benchmark) *report {
	r := &report{
		Format: 1, Benchmark: b.name, Started: time.Now().UTC(), Machine: thisMachine(),
		byPlace: make(map[[2]int]*result),
	}
	r.summary, r.Settings = b.describe()
	r.Settings["rounds"] = b.options.rounds
	for _, m := range b.metrics {
		r.Metrics = append(r.Metrics, metricInfo{Key: m.key, Label: m.label, Unit: m.unit})
	}
	for ci, c := range b.cases {
		for ti, t := range b.targets {
			if c.applies != nil && !c.applies(t) {
				continue
			}
			res := &result{Case: c.name, Target: t.name, URL: t.url, Spawn: t.spawn}
			r.Results = append(r.Results, res)
			r.byPlace[[2]int{ci, ti}] = res
		}
	}
	return r
}

// add notes one measurement.
func (r *report) add(caseIndex, targetIndex int, s sample, note string, err error) {
	res := r.byPlace[[2]int{caseIndex, targetIndex}]
	if note != "" {
		res.Note = note
	}
	if late, ok := errors.AsType[*notDoneError](err); ok {
		res.NotDone = late.Error()
		res.limit = late.limit
		return
	}
	if err != nil {
		res.Errors = append(res.Errors, err.Error())
		return
	}
	res.samples = append(res.samples, s)
}

// hopeless reports whether the measurement was not done in time before.
func (r *report) hopeless(caseIndex, targetIndex int) bool {
	return r.byPlace[[2]int{caseIndex, targetIndex}].NotDone != ""
}

// finish sums up.
func (r *report) finish(b *benchmark) {
	r.Took = time.Since(r.Started).Seconds()
	r.Complete = true
	for _, res := range r.Results {
		res.Values = summarize(res.samples)
		if len(res.samples) < b.options.rounds {
			r.Complete = false
		}
		if res.NotDone != "" {
			r.Bad = append(r.Bad, fmt.Sprintf("%s, %s: %s", res.Case, res.Target, res.NotDone))
		}
		r.Noise = max(r.Noise, res.Values["other_cores"].Max)
		for _, m := range b.metrics {
			if v, ok := res.Values[m.key]; ok && m.bad && v.Max != 0 {
				r.Bad = append(r.Bad, fmt.Sprintf("%s, %s: %s: %s", res.Case, res.Target, m.label, number(v.Max, m.digits)))
			}
		}
	}
}

// failures returns how many measurements failed.
func (r *report) failures() int {
	n := 0
	for _, res := range r.Results {
		n += len(res.Errors)
	}
	return n
}

// write writes the report in the format that was asked for.
func (r *report) write(w io.Writer, b *benchmark) error {
	if b.options.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	_, err := io.WriteString(w, r.text(b))
	return err
}

// text returns the report as tables, one for each case.
func (r *report) text(b *benchmark) string {
	var t strings.Builder
	m := r.Machine
	fmt.Fprintf(&t, "wireroom bench %s: %s\n", r.Benchmark, r.summary)
	fmt.Fprintf(&t, "%d × %s, %.1f GB, Linux %s, %s, GOMAXPROCS %d, load at start %.2f\n",
		m.Cores, m.CPU, float64(m.Memory)/1e9, m.Kernel, m.Go, m.GOMAXPROCS, m.Load)
	if b.options.rounds > 1 {
		fmt.Fprintf(&t, "Medians of %d rounds (least–most).\n", b.options.rounds)
	}
	for ci, c := range b.cases {
		r.table(&t, b, ci, c)
	}
	if !r.Complete {
		t.WriteString("\nNot every measurement was made.\n")
	}
	if r.Noise > noisy {
		fmt.Fprintf(&t, "\nOther programs used up to %.2f cores meanwhile: expect longer latency, lower rates and\ndearer CPU time than on a quiet machine.\n", r.Noise)
	}
	return t.String()
}

// table writes one case: a row for each metric, a column for each target.
func (r *report) table(t *strings.Builder, b *benchmark, ci int, c benchCase) {
	rows := [][]string{{c.name}}
	var columns []*result
	for ti := range b.targets {
		if res := r.byPlace[[2]int{ci, ti}]; res != nil {
			columns = append(columns, res)
			rows[0] = append(rows[0], res.Target)
		}
	}
	first := true
	for _, m := range b.metrics {
		row, known := []string{"  " + m.label}, false
		for _, res := range columns {
			cell := "–"
			if v, ok := res.Values[m.key]; ok {
				known = true
				cell = v.cell(m.digits)
			} else if first && res.NotDone != "" {
				known = true
				cell = fmt.Sprintf("not done in %v", res.limit)
			}
			row = append(row, cell)
		}
		if known {
			rows = append(rows, row)
		}
		first = false
	}
	if len(columns) == 0 {
		return
	}
	t.WriteByte('\n')
	writeTable(t, rows)
	for _, res := range columns {
		if res.Note != "" {
			fmt.Fprintf(t, "  %s: %s\n", res.Target, res.Note)
		}
		if res.NotDone != "" {
			fmt.Fprintf(t, "  %s: %s\n", res.Target, res.NotDone)
		}
		for _, e := range slices.Compact(slices.Sorted(slices.Values(res.Errors))) {
			fmt.Fprintf(t, "  %s failed: %s\n", res.Target, strings.ReplaceAll(e, "\n", "\n    "))
		}
	}
}

// cell returns the median and, where they differ, least and most.
func (v series) cell(digits int) string {
	mid, least, most := number(v.Median, digits), number(v.Min, digits), number(v.Max, digits)
	if least == most {
		return mid
	}
	return mid + " (" + least + "–" + most + ")"
}

// number writes v with a comma after each three digits.
func number(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	sign, rest := "", s
	if s[0] == '-' {
		sign, rest = "-", s[1:]
	}
	whole, frac, _ := strings.Cut(rest, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if digits == 0 {
		return sign + whole
	}
	return sign + whole + "." + frac
}

// writeTable writes rows with the first column to the left and the others to
// the right.
func writeTable(t *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + gap)
			} else {
				line.WriteString("   " + gap + cell)
			}
		}
		t.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
