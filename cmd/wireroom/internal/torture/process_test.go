//go:build linux

package torture_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"golang.org/x/sys/unix"
)

// patience bounds every wait for something that must happen. It is generous:
// the machines that run this may be slow and busy.
const patience = time.Minute

var buildOnce sync.Once

// program builds the command, once, and returns its path. It has the race
// detector if the test has it.
func program(t *testing.T) string {
	t.Helper()
	var err error
	buildOnce.Do(func() {
		args := []string{"build", "-o", binary}
		if raceEnabled {
			args = append(args, "-race")
		}
		if steps() {
			var file string
			if file, err = overlay(filepath.Dir(binary)); err != nil {
				return
			}
			args = append(args, "-overlay", file)
		}
		cmd := exec.Command("go", append(args, "github.com/wireroom/wireroom/cmd/wireroom")...)
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatal(err)
	}
	return binary
}

// stepsFrom is from which length on the program is built with a clock that can
// be set, which means to compile the standard library.
const stepsFrom = 5 * time.Minute

// steps reports whether it is.
func steps() bool {
	length, err := time.ParseDuration(os.Getenv("TORTURE"))
	return err == nil && length >= stepsFrom
}

// binary is the program. TestMain makes its folder.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "wireroom")
	logging.Disable() // that a server is away is no news here
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// A gateway is a process of wireroom, which may be one after the other. Its
// methods are called by one goroutine at a time, but for addr.
type gateway struct {
	t      *testing.T
	rec    *recorder
	name   string
	binary string
	config string // file
	clock  string // file that says how far its clock is off, if that can be set
	log    *os.File
	front  *proxy // where clients connect

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended, and all it said is written
	wanted bool          // that it ends

	mu      sync.Mutex // guards the following
	address string     // of the process itself; empty: none
	starts  int
}

// newGateway starts a gateway in its folder. The end of the test ends it.
func newGateway(t *testing.T, rec *recorder, name, dir, config string) *gateway {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	g := &gateway{t: t, rec: rec, name: name, binary: program(t), config: filepath.Join(dir, "wireroom.yaml"), clock: filepath.Join(dir, "clock"), front: newProxy(t)}
	if err := os.WriteFile(g.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	g.log = log
	t.Cleanup(func() {
		g.kill()
		_ = log.Close()
	})
	g.start()
	return g
}

// start starts the process, and waits until it serves. While its store is away
// it may end instead: then it is started again.
func (g *gateway) start() {
	for end := time.Now().Add(patience); ; {
		if g.try() {
			return
		}
		if time.Now().After(end) {
			g.rec.wrong(0, g.name, "it does not start; see %s", g.log.Name())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// try starts the process and reports whether it serves.
func (g *gateway) try() bool {
	g.cmd = exec.Command(g.binary, "serve", "--config", g.config, "--log-format", "json")
	g.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=0", "GOTRACEBACK=all", "WIREROOM_CLOCK="+g.clock)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left if the test is killed
	out, err := g.cmd.StderrPipe()
	if err == nil {
		err = g.cmd.Start()
	}
	if err != nil {
		g.rec.wrong(0, g.name, "start: %v", err)
		return false
	}
	address := make(chan string, 1)
	g.exited, g.wanted = make(chan struct{}), false
	cmd, exited := g.cmd, g.exited
	go func() { // ends with the process, which kill waits for
		defer close(exited)
		defer close(address)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			_, _ = g.log.Write(append(lines.Bytes(), '\n'))
			var line struct{ Msg, HTTP string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				address <- line.HTTP
			}
		}
		_, _ = io.Copy(g.log, out)
		_ = cmd.Wait()
	}()
	addr, ok := <-address
	if !ok {
		<-exited
		return false
	}
	g.mu.Lock()
	g.address = addr
	g.starts++
	g.mu.Unlock()
	g.front.lead("tcp", addr)
	return true
}

// addr is where the process itself listens, or empty, and which of the gateway
// it is.
func (g *gateway) addr() (string, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.address, g.starts
}

func (g *gateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.address = ""
}

// kill ends the process as a crash does.
func (g *gateway) kill() {
	g.wanted = true
	g.forget()
	_ = g.cmd.Process.Kill()
	<-g.exited
}

// stop ends the process as an operator does.
func (g *gateway) stop() {
	g.wanted = true
	g.forget()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
		if code := g.cmd.ProcessState.ExitCode(); code != 0 {
			g.rec.wrong(0, g.name, "it ends with code %d", code)
		}
	case <-time.After(patience):
		g.rec.wrong(0, g.name, "it does not end within %v", patience)
		_ = g.cmd.Process.Signal(syscall.SIGQUIT) // which tells where it is
		select {
		case <-g.exited:
		case <-time.After(patience):
		}
		g.kill()
	}
}

// signal sends a signal to the process.
func (g *gateway) signal(sig syscall.Signal) { _ = g.cmd.Process.Signal(sig) }

// alive notes if the process has ended by itself.
func (g *gateway) alive() bool {
	select {
	case <-g.exited:
		if !g.wanted {
			g.rec.wrong(0, g.name, "it has ended by itself: %v; see %s", g.cmd.ProcessState, g.log.Name())
		}
		return false
	default:
		return true
	}
}

// look notes what the log says that it must not.
func (g *gateway) look() {
	text, err := os.ReadFile(g.log.Name())
	if err != nil {
		g.rec.wrong(0, g.name, "%v", err)
	}
	for _, bad := range []string{"WARNING: DATA RACE", "panic:", "fatal error:", `"msg":"panic`} {
		if i := bytes.Index(text, []byte(bad)); i >= 0 {
			g.rec.wrong(0, g.name, "its log has %q:\n%s", bad, text[i:min(len(text), i+6000)])
		}
	}
}

// limit sets how long the files of the process may get; 0: any length.
func limit(pid int, size uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &old); err != nil {
		return err
	}
	if size == 0 {
		size = old.Max
	}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: old.Max}, nil)
}

// ready asks /readyz of the process itself, and returns the first line of what
// it says.
func (g *gateway) ready(ctx context.Context, client *http.Client) (ready bool, text string) {
	addr, _ := g.addr()
	if addr == "" {
		return false, "there is no process"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if err != nil {
		return false, err.Error()
	}
	return resp.StatusCode == http.StatusOK, string(bytes.TrimSpace(body))
}

// A redisServer is a process of redis-server, one after the other.
type redisServer struct {
	t       *testing.T
	rec     *recorder
	dir     string
	args    []string
	command []string // all of its arguments, if they are not the usual ones and args
	port    string   // of several: where the others believe that it listens
	listens string   // of several: where it does
	door    *proxy   // of several, if that is between: leads from port to listens
	bus     *proxy   // of a Cluster: likewise, where nodes talk to each other; nil otherwise
	source  string   // of a Cluster: the address from which it connects to others
	client  *goredis.Client
	log     *os.File
	cmd     *exec.Cmd
	end     chan struct{} // closed when cmd has ended
}

// newRedis starts a redis-server that listens on a socket in a folder of its
// own. The end of the test ends it.
func newRedis(t *testing.T, rec *recorder, args ...string) *redisServer {
	t.Helper()
	r := prepareRedis(t, rec, args...)
	r.start()
	return r
}

// prepareRedis does what newRedis does, but for starting it.
func prepareRedis(t *testing.T, rec *recorder, args ...string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, rec: rec, dir: dir, args: args}
	r.client = goredis.NewClient(&goredis.Options{
		Network: "unix", Addr: r.socket(), MaxRetries: -1, DialerRetries: 1,
		DialTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, DisableIdentity: true, Protocol: 2,
	})
	if r.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.client.Close()
		r.kill()
		_ = r.log.Close()
		_ = os.RemoveAll(dir)
	})
	return r
}

// redisProgram is the redis-server that is tortured: REDIS_SERVER, if that is set.
func redisProgram() string { return cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server") }

// needRedis skips the test if there is no redis-server, but not in CI.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(redisProgram()); err != nil {
		if os.Getenv("CI_REAL_CLIENTS") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
}

func (r *redisServer) socket() string { return filepath.Join(r.dir, "s") }

// start starts the process, and waits until it has read what it had kept.
func (r *redisServer) start() {
	args := append([]string{"--port", "0", "--unixsocket", r.socket(), "--dir", r.dir, "--save", ""}, r.args...)
	if r.command != nil {
		args = r.command
	}
	// A file that may not grow is an error for redis-server only if the signal
	// for that does not end it.
	r.cmd = exec.Command("env", append([]string{"--ignore-signal=XFSZ", redisProgram()}, args...)...)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	_ = os.Remove(r.socket())
	if err := r.cmd.Start(); err != nil {
		r.rec.wrong(0, "redis", "start: %v", err)
		return
	}
	end := make(chan struct{})
	cmd := r.cmd
	r.end = end
	go func() { // ends with the process, which kill waits for
		defer close(end)
		_ = cmd.Wait()
	}()
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if r.answers() {
			return
		}
		if time.Now().After(late) {
			text, _ := os.ReadFile(r.log.Name())
			r.rec.wrong(0, "redis", "it does not answer:\n%s", text[max(0, len(text)-2000):])
			return
		}
	}
}

// answers reports whether the process answers as it should.
func (r *redisServer) answers() bool {
	c, err := net.Dial("unix", r.socket())
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && line == "+PONG\r\n"
}

// do sends a command past all proxies.
func (r *redisServer) do(args ...any) (any, error) {
	return r.client.Do(context.Background(), args...).Result()
}

// info returns a section of what the process says of itself, or nothing.
func (r *redisServer) info(section string) map[string]string {
	text, _ := r.client.Info(context.Background(), section).Result()
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	return fields
}

// kill ends the process as a crash does.
func (r *redisServer) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	<-r.end
}

func (r *redisServer) signal(sig syscall.Signal) { _ = r.cmd.Process.Signal(sig) }

// alive reports whether the process runs. A full disk may end it.
func (r *redisServer) alive() bool {
	select {
	case <-r.end:
		return false
	default:
		return true
	}
}

// aof returns the file that the process appends to, and how long it is.
func (r *redisServer) aof() (name string, size int64, err error) {
	names, err := filepath.Glob(filepath.Join(r.dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return "", 0, fmt.Errorf("no AOF: %w", err)
	}
	name = filepath.Join(r.dir, "appendonly.aof") // of Redis 6.2
	if len(names) > 0 {
		name = names[len(names)-1]
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", 0, err
	}
	return name, info.Size(), nil
}
