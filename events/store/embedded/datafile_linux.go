package embedded

import (
	"os"
	"syscall"
)

// A dataFile is a file whose length stays the same.
type dataFile struct{ *os.File }

// Sync makes what was written durable, without the times of the file.
func (f dataFile) Sync() error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
