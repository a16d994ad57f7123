//go:build linux

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
	"unsafe"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// The write loop is the floor of every fan-out: a process that writes the
// bytes it is given to each of its sockets, with one write(2) per socket, in
// one thread. No router can be cheaper that gives each event to the kernel on
// its own.
//
// A connection says what it is by its first byte, and is answered with
// loopReady. A source sends events: four bytes of length and the bytes to be
// written. Everything else is a sink.
const (
	loopSource byte = 'P'
	loopSink   byte = 'S'
	loopReady  byte = 'R'
	loopMax         = 1 << 20 // bytes of an event
)

// newWriteLoopServer returns the hidden subcommand that is the write loop.
func newWriteLoopServer() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:    "writeloop-server",
		Short:  "Write what comes to all sockets until the standard input ends",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveWriteLoop(listen, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	return cmd
}

// A writeLoop is the sockets to write to.
type writeLoop struct {
	mu    sync.Mutex // guards sinks, and is held while one event is written
	sinks []int      // blocking descriptors
}

// serveWriteLoop serves until in ends. Its goroutines end with the process.
func serveWriteLoop(listen string, in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	w := &writeLoop{}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _ = w.serve(c) }()
		}
	}()
	fmt.Fprintf(out, "listening %s\n", ln.Addr())
	_, _ = io.Copy(io.Discard, in)
	return ln.Close()
}

// serve welcomes a connection, and copies from it if it is a source.
func (w *writeLoop) serve(c net.Conn) error {
	var kind [1]byte
	_ = c.SetReadDeadline(time.Now().Add(joinTimeout))
	if _, err := io.ReadFull(c, kind[:]); err != nil {
		return errors.Join(err, c.Close())
	}
	_ = c.SetReadDeadline(time.Time{})
	if _, err := c.Write([]byte{loopReady}); err != nil {
		return errors.Join(err, c.Close())
	}
	if kind[0] == loopSource {
		return errors.Join(w.copyFrom(c), c.Close())
	}
	fd, err := takeSocket(c.(*net.TCPConn))
	if err := errors.Join(err, c.Close()); err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sinks = append(w.sinks, fd)
	return nil
}

// copyFrom writes each event of a source to all sinks.
func (w *writeLoop) copyFrom(source io.Reader) error {
	buf := make([]byte, loopMax)
	var head [4]byte
	for {
		if _, err := io.ReadFull(source, head[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > loopMax {
			return fmt.Errorf("an event of %d bytes, expected at most %d", n, loopMax)
		}
		if _, err := io.ReadFull(source, buf[:n]); err != nil {
			return err
		}
		w.write(buf[:n])
	}
}

// write gives event to each sink and forgets those that are gone.
func (w *writeLoop) write(event []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.sinks[:0]
	for _, fd := range w.sinks {
		n, err := rawWrite(fd, event)
		for err == unix.EINTR {
			n, err = rawWrite(fd, event)
		}
		if err != 0 || n < len(event) {
			_ = unix.Close(fd)
			continue
		}
		kept = append(kept, fd)
	}
	w.sinks = kept
}

// dialWriteLoop connects to a write loop as a source or a sink.
func dialWriteLoop(addr string, kind byte) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, joinTimeout)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(joinTimeout))
	var answer [1]byte
	_, err = c.Write([]byte{kind})
	if err == nil {
		_, err = io.ReadFull(c, answer[:])
	}
	if err == nil && answer[0] != loopReady {
		err = fmt.Errorf("it answered %q, expected %q", answer[0], loopReady)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("connect to the write loop: %w", err)
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// rawWrite is write(2) and nothing else: not even Go's scheduler is told, so
// that the floor is that of a program in any language. Where a sink does not
// read it waits, and holds a thread.
func rawWrite(fd int, b []byte) (int, unix.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}
