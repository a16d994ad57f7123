package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// key is the ingest key of the gateway under test.
const key = "key-of-the-interop-tests"

// Bounds on waiting. They are generous: the machines that run this are slow
// and busy, and nothing waits longer than it must.
const (
	startTimeout = 2 * time.Minute
	stopTimeout  = time.Minute
	clientTime   = 4 * time.Minute
)

// A gateway is the real program, running.
type gateway struct {
	addr   string // host:port
	config string // file
	cmd    *exec.Cmd
	log    *logBuffer

	probe func(ctx context.Context) bool // whether it is ready; nil: ask /readyz
}

// url returns an address of the gateway, such as url("http", "/events").
func (g *gateway) url(scheme, path string) string { return scheme + "://" + g.addr + path }

// binary builds the command once for all the tests of this package: with the
// race detector if the tests have it, so that a race that a real client brings
// about makes the gateway end with a failure.
var binary = sync.OnceValues(func() (string, error) {
	args := []string{"build", "-o", binaryDir + "/wireroom"}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/wireroom/wireroom/cmd/wireroom")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binaryDir + "/wireroom", nil
})

// binaryDir is where the built command lies; TestMain makes and removes it.
var binaryDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wireroom-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// startGateway runs a gateway with the configuration in testdata, which lets
// in pages of the origins. It is stopped when the test ends.
func startGateway(t *testing.T, origins ...string) *gateway {
	t.Helper()
	return configured(t, false, origins)
}

// startDeflating is startGateway with permessage-deflate.
func startDeflating(t *testing.T, origins ...string) *gateway {
	t.Helper()
	return configured(t, true, origins)
}

func configured(t *testing.T, deflate bool, origins []string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
	tmpl, err := template.ParseFiles("testdata/wireroom.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	err = tmpl.Execute(&text, map[string]any{
		"HTTP": g.addr, "Store": filepath.Join(dir, "wireroom.db"), "Key": key, "Origins": origins, "Deflate": deflate,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(g.config, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t, "serve", "--config", g.config)
	return g
}

// startDemonstration runs the gateway that is served without a configuration,
// but at an address and with a store of the test's own.
func startDemonstration(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(t.TempDir(), "none"), log: new(logBuffer)}
	g.run(t, "serve", "--listen", g.addr, "--store", filepath.Join(t.TempDir(), "demo.db"))
	return g
}

// run starts the program and waits until it is ready. It is stopped when the
// test ends, if it has not been before.
func (g *gateway) run(t *testing.T, args ...string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	g.cmd = exec.Command(path, args...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.Dir = filepath.Dir(g.config)
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := g.cmd
	t.Cleanup(func() {
		if g.cmd != started {
			return
		}
		g.stop(t)
		if t.Failed() {
			t.Logf("the gateway said:\n%s", g.log.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !g.ready(ctx) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			g.kill(t)
			t.Fatalf("wireroom %v is not ready after %v:\n%s", args, startTimeout, g.log.String())
		}
	}
}

func (g *gateway) ready(ctx context.Context) bool {
	if g.probe != nil {
		return g.probe(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url("http", "/readyz"), nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// stop ends the program as a service manager does, and waits.
func (g *gateway) stop(t *testing.T) {
	t.Helper()
	cmd := g.cmd
	g.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	late := time.AfterFunc(stopTimeout, func() { cmd.Process.Kill() })
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM the gateway ended with %v, want success", err)
	}
	if !late.Stop() {
		t.Errorf("the gateway was still there %v after SIGTERM", stopTimeout)
	}
}

// kill ends the program as a crash does.
func (g *gateway) kill(t *testing.T) {
	t.Helper()
	cmd := g.cmd
	g.cmd = nil
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("SIGKILL: %v", err)
	}
	cmd.Wait() // which reports the signal
}

// freeAddr returns an address on which nobody listens. A gateway that is
// restarted needs the same one again, so it cannot draw one itself.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A logBuffer collects what a program writes. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
