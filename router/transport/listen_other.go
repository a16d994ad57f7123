//go:build !linux

package transport

import "io/fs"

func deferAccept(uintptr) {}

// restrict is for systems on which a socket passes its permissions on.
func restrict(uintptr, fs.FileMode) {}
