package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// A server is a redis-server of a test.
type server struct {
	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	out  bytes.Buffer
	raw  *goredis.Client // for the test itself
}

// redisServer returns the path of redis-server, or of Valkey's. Without one the
// test is skipped, but not in CI.
func redisServer(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("REDIS_SERVER"), "redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI_REAL_CLIENTS") != "" {
		t.Fatal("redis-server is not installed")
	}
	t.Skip("redis-server is not installed")
	return ""
}

// start starts a server with further settings, in a directory of its own. It
// listens on a socket there, and on nothing else if args don't say so.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	sv := newServer(t, args...)
	sv.start()
	return sv
}

// startSentinelServer starts a server as a Sentinel.
func startSentinelServer(t *testing.T, port string) *server {
	t.Helper()
	sv := newServer(t)
	file := filepath.Join(sv.dir, "sentinel.conf") // which it writes, too
	if err := os.WriteFile(file, fmt.Appendf(nil, "port %s\nbind 127.0.0.1\nunixsocket %s\ndir %s\n", port, sv.socket(), sv.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	sv.run(file, "--sentinel")
	return sv
}

func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	sv := &server{t: t, dir: dir, args: args}
	t.Cleanup(func() {
		sv.kill()
		os.RemoveAll(dir)
	})
	sv.raw = goredis.NewClient(&goredis.Options{Network: "unix", Addr: sv.socket(), MaxRetries: -1, DialTimeout: 30 * time.Second, ReadTimeout: 30 * time.Second})
	t.Cleanup(func() { sv.raw.Close() })
	return sv
}

func (sv *server) socket() string { return filepath.Join(sv.dir, "s") }

// url is the URL of the store.
func (sv *server) url() string { return "redis+unix://" + sv.socket() }

// start starts the process, and waits until it answers.
func (sv *server) start() {
	sv.t.Helper()
	sv.run(append([]string{
		"--unixsocket", sv.socket(), "--dir", sv.dir, "--port", "0", "--save", "", "--appendonly", "no",
	}, sv.args...)...)
}

func (sv *server) run(args ...string) {
	sv.t.Helper()
	sv.out.Reset()
	sv.cmd = exec.Command(redisServer(sv.t), args...)
	sv.cmd.Stdout, sv.cmd.Stderr = &sv.out, &sv.out
	if err := sv.cmd.Start(); err != nil {
		sv.t.Fatal(err)
	}
	await(sv.t, "redis-server answers", func() error { return sv.raw.Ping(context.Background()).Err() })
}

// kill ends the process as a crash does.
func (sv *server) kill() {
	if sv.cmd == nil {
		return
	}
	_ = sv.cmd.Process.Kill()
	_ = sv.cmd.Wait()
	sv.cmd = nil
}

func (sv *server) signal(sig syscall.Signal) {
	sv.t.Helper()
	if err := sv.cmd.Process.Signal(sig); err != nil {
		sv.t.Fatal(err)
	}
}

// do sends a command.
func (sv *server) do(args ...any) any {
	sv.t.Helper()
	v, err := sv.raw.Do(context.Background(), args...).Result()
	if err != nil {
		sv.t.Fatalf("%v: %v\n%s", args, err, sv.out.String())
	}
	return v
}

// prefix makes a name that a store may have, of a directory of the suite.
func prefix(dir string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, dir[max(0, len(dir)-40):]) + fmt.Sprint(len(dir))
}

// await waits until fn has no error.
func await(t testing.TB, what string, fn func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = fn(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not in 30 s: %v", what, err)
}
