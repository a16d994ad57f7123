package embedded

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// holder says which process has the file locked, as text to follow in brackets,
// or nothing if nobody can say.
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	inode := fmt.Sprintf(":%d", st.Ino)
	for entry := range strings.Lines(string(locks)) {
		// "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"
		f := strings.Fields(entry)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], inode) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // it may have ended
			return fmt.Sprintf(": %s, process %d", printable(bytes.TrimSpace(name)), pid)
		}
	}
	return ""
}

// printable returns the name of a program for an error text.
func printable(name []byte) string {
	if len(name) == 0 {
		return "a program"
	}
	return strings.Trim(strconv.Quote(string(name)), `"`)
}
