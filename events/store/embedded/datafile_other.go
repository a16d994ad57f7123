//go:build !linux

package embedded

import "os"

// A dataFile is a file whose length stays the same.
type dataFile struct{ *os.File }
