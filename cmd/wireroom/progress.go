package main

import (
	"fmt"
	"io"
	"time"
)

// A progress shows on a terminal how far long work has come. Elsewhere it
// shows nothing. It is for one goroutine.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	n     int
	begin time.Time
	shown time.Time
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{what: what, begin: time.Now()}
	if isTerminal(w) {
		p.w = w
	}
	return p
}

// add counts, and redraws the line at most five times a second.
func (p *progress) add(n int) {
	p.n += n
	if p.w == nil || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	rate := float64(p.n) / max(time.Since(p.begin).Seconds(), 1e-3)
	fmt.Fprintf(p.w, "\r\033[K%d %s, %.0f/s", p.n, p.what, rate)
}

// end removes the line.
func (p *progress) end() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
