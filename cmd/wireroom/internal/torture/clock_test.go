//go:build linux

package torture_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A program asks the kernel what time it is, past every library that could be
// put in between. So a gateway whose wall clock can be set is built with another
// time.Now, which adds what stands in the file that WIREROOM_CLOCK names. The
// monotonic clock goes on, as it does when the clock of a machine is set.

const stepSource = `package time

import "sync/atomic"

var stepped atomic.Int64

// Step sets the wall clock so many seconds off.
func Step(seconds int64) { stepped.Store(seconds) }
`

const readSource = `package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	file := os.Getenv("WIREROOM_CLOCK")
	read := func() {
		if text, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
				time.Step(n)
			}
		}
	}
	read()
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			read()
		}
	}()
}
`

// overlay writes what replaces the clock of the program into a folder, and
// returns the file for go build -overlay.
func overlay(dir string) (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "time", "github.com/wireroom/wireroom/cmd/wireroom").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	std, cmd, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !ok {
		return "", fmt.Errorf("go list says %q", out)
	}
	text, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const ask = "\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), ask) != 1 {
		return "", errors.New("time.Now is not as it was in Go 1.26: adapt this test")
	}
	sources := map[string]string{
		filepath.Join(std, "time.go"):         strings.Replace(string(text), ask, ask+"\tsec += stepped.Load()\n", 1),
		filepath.Join(std, "step.go"):         stepSource,
		filepath.Join(cmd, "steppedclock.go"): readSource,
	}
	replace := map[string]string{}
	for place, source := range sources {
		name := filepath.Join(dir, filepath.Base(place))
		if err := os.WriteFile(name, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[place] = name
	}
	text, err = json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}

var clockSet = fault{"the clock is set", func(n *nemesis) {
	_, g := n.gateway()
	off := time.Duration(n.rng.IntN(7200)-3600) * time.Second
	heal := n.breaks(entry{Who: "clock of " + g.name, Note: fmt.Sprintf("%v off", off)})
	n.set(g, off)
	n.between(100, 2500)
	n.set(g, 0)
	heal()
}}

// set sets the clock of a gateway off.
func (n *nemesis) set(g *gateway, off time.Duration) {
	if err := os.WriteFile(g.clock+".new", fmt.Appendf(nil, "%d", int64(off.Seconds())), 0o600); err != nil {
		n.rec.wrong(0, "nemesis", "%v", err)
	}
	if err := os.Rename(g.clock+".new", g.clock); err != nil {
		n.rec.wrong(0, "nemesis", "%v", err)
	}
}

// The clock of the program can be set.
func TestClockIsSet(t *testing.T) {
	if !steps() {
		t.Skipf("TORTURE is less than %v, and the program takes long to build", stepsFrom)
	}
	dir := t.TempDir()
	rec := newRecorder(0, promise{})
	g := newGateway(t, rec, "gateway", dir, config("file:wireroom.db"))
	(&nemesis{rec: rec}).set(g, -24*time.Hour)
	g.kill()
	began := time.Now()
	g.start()
	g.kill()
	text, err := os.ReadFile(g.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var line struct{ Time time.Time }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatal(err)
	}
	if off := line.Time.Sub(began); off > -23*time.Hour || off < -25*time.Hour {
		t.Errorf("the clock of the gateway is %v off, want a day", off)
	}
}
