package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A storeProgress shows how far the work on a store has come: on a terminal a
// bar that moves, elsewhere a line for each part, and for long ones a line now
// and then. It is for one goroutine.
type storeProgress struct {
	w        io.Writer
	verb     string // such as "exported"
	terminal bool
	quiet    bool // only bars

	what  string // of the part; empty: none yet
	n     int
	total uint64
	begin time.Time
	shown time.Time
}

// How often a bar moves, and how often a long part gets a line.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

func newStoreProgress(w io.Writer, verb string) *storeProgress {
	return &storeProgress{w: w, verb: verb, terminal: isTerminal(w)}
}

// Part implements [storetool.Progress].
func (p *storeProgress) Part(what string, total uint64) {
	p.end()
	p.what, p.n, p.total, p.begin = what, 0, total, time.Now()
	p.shown = p.begin
}

// Add implements [storetool.Progress].
func (p *storeProgress) Add(n int) {
	p.n += n
	now := time.Now()
	switch {
	case p.terminal && now.Sub(p.shown) >= barEvery:
		p.shown = now
		fmt.Fprint(p.w, "\r\033[K"+p.bar(now))
	case !p.terminal && !p.quiet && now.Sub(p.shown) >= lineEvery:
		p.shown = now
		fmt.Fprintln(p.w, p.bar(now))
	}
}

// bar is how far the part has come.
func (p *storeProgress) bar(now time.Time) string {
	const width = 24
	rate := float64(p.n) / max(now.Sub(p.begin).Seconds(), 1e-3)
	if p.total == 0 {
		return fmt.Sprintf("%s %d, %.0f/s", printable(p.what), p.n, rate)
	}
	part := min(float64(p.n)/float64(p.total), 1)
	full := int(part * width)
	return fmt.Sprintf("%s [%s%s] %d%% of %d, %.0f/s", printable(p.what),
		strings.Repeat("#", full), strings.Repeat(".", width-full), int(part*100), p.total, rate)
}

// counted returns the name of a part, "events of x", as it is for n of them.
func counted(what string, n int) string {
	if n != 1 {
		return what
	}
	things, of, isOf := strings.Cut(what, " of ")
	things = strings.TrimSuffix(things, "s")
	if isOf {
		things += " of " + of
	}
	return things
}

// end removes the bar, or says what the part came to.
func (p *storeProgress) end() {
	switch {
	case p.what == "":
	case p.terminal:
		fmt.Fprint(p.w, "\r\033[K")
	case p.n > 0 && !p.quiet:
		fmt.Fprintf(p.w, "%s %d %s\n", p.verb, p.n, printable(counted(p.what, p.n)))
	}
	p.what = ""
}
