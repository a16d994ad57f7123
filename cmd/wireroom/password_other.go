//go:build !linux

package main

import (
	"errors"
	"os"
)

// hideInput fails if f may be a terminal: what one does is told to each system
// in its own way. show is nil if f is none.
func hideInput(f *os.File) (show func(), err error) {
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice == 0 {
		return nil, nil
	}
	return nil, errors.ErrUnsupported
}
