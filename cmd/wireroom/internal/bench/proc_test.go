//go:build linux

package bench

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const after = " S 1 1 1 0 -1 4194560 1234 0 5 0 321 45 0 0 20 0 9 0 100 1000 200"
	tests := []struct {
		name, stat string
		want       uint64
		wantErr    string
	}{
		{"plain", "12 (cat)" + after, 366, ""},
		{"a command with all that may confuse", "12 (a) S 1 (b) )" + after, 366, ""},
		{"cut off", "12 (cat) S 1 1", 0, "at least 15 fields"},
		{"no command", "12 13", 0, "at least 15 fields"},
		{"no number", "12 (cat)" + strings.Replace(after, "321", "x", 1), 0, "utime or stime"},
		{"empty", "", 0, "at least 15 fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat([]byte(tt.stat))
			if got != tt.want || errText(err) != "" && !strings.Contains(errText(err), tt.wantErr) || (err == nil) != (tt.wantErr == "") {
				t.Errorf("parseStat(%q) = %d, %v; want %d, %q", tt.stat, got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseSmaps(t *testing.T) {
	const whole = `55f31c5ee000-7ffc8c407000 ---p 00000000 00:00 0                          [rollup]
Rss:                2104 kB
Pss:                 544 kB
Pss_Dirty:           152 kB
Shared_Clean:       1760 kB
Private_Clean:       192 kB
Private_Dirty:       152 kB
`
	got, err := parseSmaps([]byte(whole))
	if want := (memory{rss: 2104 << 10, pss: 544 << 10, private: 344 << 10}); got != want || err != nil {
		t.Errorf("parseSmaps = %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{
		"", "Rss: 1 kB\n", strings.Replace(whole, "544 kB", "544 MB", 1), strings.Replace(whole, "544", "many", 1),
		strings.Replace(whole, "Pss: ", "Psst: ", 1),
	} {
		if m, err := parseSmaps([]byte(bad)); err == nil {
			t.Errorf("parseSmaps(%q) = %+v, want an error", bad, m)
		}
	}
}

func TestParseMachineStat(t *testing.T) {
	got, err := parseMachineStat([]byte("cpu  100 20 30 4000 500 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := (100 + 20 + 30 + 6 + 7 + 8) * 10 * time.Millisecond; got != want || err != nil {
		t.Errorf("parseMachineStat = %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h i"} {
		if d, err := parseMachineStat([]byte(bad)); err == nil {
			t.Errorf("parseMachineStat(%q) = %v, want an error", bad, d)
		}
	}
}

// The CPU clock of a process and what /proc says of it are the same thing.
func TestCPUClock(t *testing.T) {
	var used time.Duration
	for used < 100*time.Millisecond { // some work, so that there is something to see
		var err error
		if used, err = cpuTime(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	ticks, err := parseStat(b)
	if err != nil {
		t.Fatal(err)
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// utime and stime are rounded, each on its own.
	stat := time.Duration(ticks) * 10 * time.Millisecond
	if stat < before-30*time.Millisecond || stat > after+30*time.Millisecond {
		t.Errorf("/proc/self/stat says %v, the clock %v to %v", stat, before, after)
	}
}

func TestMemoryGrows(t *testing.T) {
	debug.FreeOSMemory() // or it is given back meanwhile
	p := process{os.Getpid()}
	before, err := p.memory()
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	// Not from the heap, which may have as much that was used before.
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(b) }()
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	after, err := p.memory()
	if err != nil {
		t.Fatal(err)
	}
	if after.rss-before.rss < size*9/10 || after.private-before.private < size*9/10 {
		t.Errorf("%d bytes written: memory went from %+v to %+v", len(b), before, after)
	}
}

func TestNoSuchProcess(t *testing.T) {
	// Above the largest pid that Linux gives.
	if err := (process{1 << 23}).check(); err == nil {
		t.Error("process 8388608 was found")
	}
	if err := process(nil).check(); err != nil {
		t.Errorf("no process: %v", err)
	}
}
