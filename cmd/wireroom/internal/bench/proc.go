//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a server's processes, as /proc shows them. Empty means that
// nothing is known about the server.
type process []int

// check reports whether each process can be looked at.
func (p process) check() error {
	if _, err := p.cpu(); err != nil {
		return err
	}
	_, err := p.memory()
	return err
}

// cpu returns the CPU time, user and system, that the processes have used,
// ended threads included.
func (p process) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range p {
		d, err := cpuTime(pid)
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		sum += d
	}
	return sum, nil
}

// cpuTime reads the process's CPU clock, which has nanoseconds. It is what
// utime and stime in /proc/PID/stat round to ticks; these are used where
// the clock can't be read.
func cpuTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	// The clock id of another process, as clock_getcpuclockid(3) makes it:
	// the complement of the pid, and CPUCLOCK_SCHED.
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err == nil {
		return time.Duration(ts.Nano()), nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	ticks, err := parseStat(b)
	if err != nil {
		return 0, err
	}
	// USER_HZ is 100 on every architecture that Go runs on.
	return time.Duration(ticks) * (time.Second / 100), nil
}

// parseStat returns utime + stime of a /proc/PID/stat, in ticks.
func parseStat(b []byte) (ticks uint64, err error) {
	// The second field, the command in parentheses, may hold anything.
	_, after, ok := cutLast(b, ") ")
	fields := strings.Fields(string(after))
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("stat: expected at least 15 fields, got %q", b)
	}
	for _, f := range fields[11:13] { // the 14th and 15th of all
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: utime or stime: %w", err)
		}
		ticks += n
	}
	return ticks, nil
}

// cutLast is bytes.Cut around the last sep.
func cutLast(b []byte, sep string) (before, after []byte, ok bool) {
	i := bytes.LastIndex(b, []byte(sep))
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+len(sep):], true
}

// A memory is how much of it processes have, in bytes.
type memory struct {
	rss     int64 // resident, shared pages included
	pss     int64 // resident, shared pages divided among who share them
	private int64 // resident and not shared
}

// memory adds up what /proc/PID/smaps_rollup says.
func (p process) memory() (memory, error) {
	var sum memory
	for _, pid := range p {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		m, err := parseSmaps(b)
		if err != nil {
			return memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		sum.rss += m.rss
		sum.pss += m.pss
		sum.private += m.private
	}
	return sum, nil
}

// parseSmaps reads a smaps_rollup.
func parseSmaps(b []byte) (memory, error) {
	var m memory
	found := 0
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		var to *int64
		switch name {
		case "Rss":
			to = &m.rss
		case "Pss":
			to = &m.pss
		case "Private_Clean", "Private_Dirty":
			to = &m.private
		default:
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit != "kB" {
			return memory{}, fmt.Errorf("smaps_rollup: expected a number of kB, got %q", strings.TrimSpace(line))
		}
		*to += n << 10
		found++
	}
	if found != 4 {
		return memory{}, fmt.Errorf("smaps_rollup: expected Rss, Pss, Private_Clean and Private_Dirty, found %d of them", found)
	}
	return m, nil
}

// machineCPU returns the CPU time that everything on the machine has used,
// what the hypervisor took away included.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachineStat(b)
}

// parseMachineStat returns the sum of the first line of /proc/stat without
// idle and iowait, and without guest times, which user times include.
func parseMachineStat(b []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat: expected a line of cpu and 8 numbers or more, got %q", line)
	}
	var ticks uint64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100), nil
}
