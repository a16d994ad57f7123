//go:build linux

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTimeout is how long a server may take until it answers, stopTimeout
// how long it may take to end before it is killed.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
)

// A child is a server process that a run started. It ends when stop is
// called, and with the generator in any case: the kernel kills it then.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser // our own servers end when it is closed
	lines  *bufio.Reader  // its standard output, if asked for
	output *tail          // the end of what it had to say
	ended  chan struct{}  // closed when the process has ended
}

// startChild starts a program. With talk, the child's standard output is read
// by the caller, otherwise it is kept with the standard error.
func startChild(talk bool, name string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(name, args...), output: new(tail), ended: make(chan struct{})}
	// In its own process group, a Ctrl-C at the terminal goes to the
	// generator alone, which ends its children in good order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.Stderr = c.output
	// A grandchild that keeps the pipe open must not keep Wait waiting.
	c.cmd.WaitDelay = time.Second
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	if talk {
		r, w, err := os.Pipe()
		if err != nil {
			_ = stdin.Close()
			return nil, err
		}
		c.cmd.Stdout = w
		c.lines = bufio.NewReader(r)
		err = c.cmd.Start()
		_ = w.Close()
		if err != nil {
			_ = r.Close()
			return nil, err
		}
		go func() { _ = c.cmd.Wait(); _ = r.Close(); close(c.ended) }()
		return c, nil
	}
	c.cmd.Stdout = c.output
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = c.cmd.Wait(); close(c.ended) }()
	return c, nil
}

// procs returns the process of the child.
func (c *child) procs() process { return process{c.cmd.Process.Pid} }

// address reads the line "listening ADDRESS" that our servers begin with.
func (c *child) address() (string, error) {
	line := make(chan string, 1)
	go func() {
		s, _ := c.lines.ReadString('\n')
		line <- s
	}()
	select {
	case s := <-line:
		addr, ok := strings.CutPrefix(strings.TrimSpace(s), "listening ")
		if !ok {
			return "", fmt.Errorf("expected a line \"listening ADDRESS\", got %q; %s", s, c.output)
		}
		return addr, nil
	case <-time.After(startTimeout):
		return "", fmt.Errorf("no address within %v; %s", startTimeout, c.output)
	}
}

// await calls up every few milliseconds until it returns nil.
func (c *child) await(ctx context.Context, up func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := up()
		if err == nil {
			return nil
		}
		if c.died() {
			return fmt.Errorf("it ended at once; %s", c.output)
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("it did not answer within %v: %w; %s", startTimeout, err, c.output)
		}
	}
}

// died reports whether the process has ended.
func (c *child) died() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// kill ends the process by force, and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
	_ = c.stdin.Close()
}

// stop ends the process, by force if need be, and waits for its end.
func (c *child) stop() {
	_ = c.stdin.Close()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(stopTimeout):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// explain adds to err what the child said, if it has died: that is the cause.
func (c *child) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	// A process that crashed closes its sockets before it can be waited for.
	select {
	case <-c.ended:
		return fmt.Errorf("the server process died (%s): %w; %s", c.cmd.ProcessState, err, c.output)
	case <-time.After(200 * time.Millisecond):
		return err
	}
}

// tailSize is how much of a child's output is kept: its start, which names
// the cause of a crash, and its end.
const tailSize = 1 << 10

// A tail keeps the start and the end of what is written to it. It is safe for
// concurrent use.
type tail struct {
	mu         sync.Mutex // guards the following
	first, end []byte
	cut        bool // something between them was left out
}

// Write keeps what fits and never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	room := min(tailSize-len(t.first), len(b))
	t.first = append(t.first, b[:room]...)
	t.end = append(t.end, b[room:]...)
	if over := len(t.end) - tailSize; over > 0 {
		t.end = append(t.end[:0], t.end[over:]...)
		t.cut = true
	}
	return n, nil
}

// String returns what was kept, as a clause of a sentence.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.first) == 0 {
		return "it wrote nothing"
	}
	s := string(t.first)
	if t.cut {
		s += "\n…\n"
	}
	return "it wrote:\n" + strings.TrimSpace(s+string(t.end))
}
