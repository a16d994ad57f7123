package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is generous:
// the machines that run this may be slow and busy.
const patience = 30 * time.Second

// testConfig is a gateway with one class of every kind of access.
const testConfig = `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
roles:
  anonymous: {subscribe: ["*"], publish: ["demo.*", "chat.*", "plain.*"], call: ["wireroom.*"]}
  member: {subscribe: ["*"], publish: ["*"], call: ["*"], register: ["app.*"]}
  staff: {subscribe: ["*"], publish: ["*"], call: ["*"]}
ingest:
  keys:
    - {name: all, secret: key-for-everything, classes: ["*"], tokens: [member]}
    - {name: shop, secret: key-for-the-shop, classes: ["order.*"]}
timeouts: {shutdown: 5s, goodbye: 1s}
classes:
  demo.message:
    access: public
    fields:
      room: {type: string, required: true, max_length: 64}
      text: {type: string, required: true, max_length: 500}
      n: {type: int}
    channel: room
    retain: {events: 100000}
  chat.line:
    access: public
    fields: {n: {type: int, min: 0}}
  order.created:
    access: authenticated
    fields:
      id: {type: int, required: true}
      total: {type: number, min: 0}
    retain: {events: 10}
  staff.note:
    access: [staff]
`

const (
	testKey     = "key-for-everything"
	testShopKey = "key-for-the-shop"
)

// A program is the whole program, running in this process.
type program struct {
	base   string // http://host:port
	stdout *lockedBuffer
	stderr *lockedBuffer
	stop   func() int // ends it as a signal does and returns the exit code
}

// ws returns the WebSocket URL.
func (p *program) ws() string { return strings.Replace(p.base, "http", "ws", 1) + "/ws" }

// writeConfig writes a configuration file into a folder of its own.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wireroom.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startProgram serves the configuration file, or if that is empty, what serve
// finds. The test ends it.
func startProgram(t *testing.T, file string, args ...string) *program {
	t.Helper()
	// Not t.Context(), which ends before the clients of the test do.
	ctx, cancel := context.WithCancel(context.Background())
	logs, logged := io.Pipe()
	p := &program{stdout: &lockedBuffer{}, stderr: &lockedBuffer{}}
	code := -1
	var owned sync.WaitGroup
	owned.Go(func() {
		code = run(ctx, append([]string{"serve", "--config", file, "--log-format", "json"}, args...), strings.NewReader(""), p.stdout, logged)
		_ = logged.Close()
	})
	address := make(chan string, 1)
	owned.Go(func() {
		defer close(address)
		lines := bufio.NewScanner(logs)
		for lines.Scan() {
			var entry struct{ Msg, HTTP string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "serving" {
				address <- entry.HTTP
			}
			_, _ = p.stderr.Write(append(lines.Bytes(), '\n'))
		}
	})
	p.stop = func() int {
		cancel()
		owned.Wait()
		return code
	}
	t.Cleanup(func() {
		if code := p.stop(); code != exitOK {
			t.Errorf("serve ends with code %d, want %d", code, exitOK)
		}
		if t.Failed() {
			t.Logf("the log of the gateway:\n%s", p.stderr)
		}
	})
	addr, ok := <-address
	if !ok {
		t.Fatalf("serve does not start:\n%s", p.stderr)
	}
	p.base = "http://" + addr
	return p
}

// until asks again and again, until the answer is yes.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !yes() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// runCommand runs the command line and returns what it says.
func runCommand(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	code = run(ctx, args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// A lockedBuffer is a buffer for many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex // guards the following
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
