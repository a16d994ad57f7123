package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
)

// When it is told to end, the gateway says goodbye to its clients, refuses
// what comes, and leaves a store that the next one goes on with.
func TestShutdown(t *testing.T) {
	file := writeConfig(t, testConfig)
	first := startProgram(t, file)
	c := join(t, first, "")
	events := c.listen(t, "demo.message", nil)
	pub := must(newHTTPPublisher(first.base, testKey, patience))(t)
	defer pub.close()
	e := publication{topic: "demo.message", value: map[string]any{"room": "r", "text": "before"}}
	if _, err := pub.publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	next(t, events)

	begin := time.Now()
	if code := first.stop(); code != exitOK {
		t.Fatalf("serve ends with code %d, want %d", code, exitOK)
	}
	if d := time.Since(begin); d > 4*time.Second {
		t.Errorf("stopping took %v with a client that leaves when it is told to", d)
	}
	<-c.Done()
	if got := c.RouterGoodbye(); got == nil || got.Reason != "wamp.close.system_shutdown" {
		t.Errorf("goodbye = %+v, want wamp.close.system_shutdown", got)
	} else if after, _ := wamp.AsFloat64(got.Details["_retry_after"]); after != 1 {
		t.Errorf("the only session is told to come back after %v s, want 1", got.Details["_retry_after"])
	}
	if _, err := pub.publish(t.Context(), e); exitCode(err) != exitUnreachable {
		t.Errorf("publish after the end: %v, want no connection", err)
	}

	second := startProgram(t, file)
	got := next(t, join(t, second, "").listen(t, "demo.message", wamp.Dict{"_last": 1}))
	if got.ArgumentsKw["text"] != "before" {
		t.Errorf("after the restart the last event is %v, want the one before it", got.ArgumentsKw)
	}
}

// A second gateway on the same file is refused and says so.
func TestLockedStore(t *testing.T) {
	file := writeConfig(t, testConfig)
	startProgram(t, file)
	code, _, stderr := runCommand(t, "", "serve", "--config", file)
	if code != exitFailure || !strings.Contains(stderr, "wireroom.db") || !strings.Contains(stderr, "hint: a store file is for one gateway") {
		t.Errorf("serve on a locked store: code %d, %s", code, stderr)
	}
}

// What a gateway cannot use says so, where that is, and what may help.
func TestStoreCannotBeUsed(t *testing.T) {
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, store, want, hint string }{
		{"folder", filepath.Join(locked, "wireroom.db"), locked, "hint: the gateway must be able to write"},
		{"folder of the folder", filepath.Join(locked, "a", "wireroom.db"), "make the folder of the store", "hint: the gateway must be able to write"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if os.Getuid() == 0 {
				t.Skip("root may write everywhere")
			}
			code, _, stderr := runCommand(t, "", "serve", "--config", writeConfig(t, testConfig), "--store", test.store)
			if code != exitFailure || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, test.hint) {
				t.Errorf("serve with the store %s: code %d, %s", test.store, code, stderr)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	addr := strings.TrimPrefix(p.base, "http://")
	code, _, stderr := runCommand(t, "", "serve", "--config", writeConfig(t, testConfig), "--listen", addr)
	want := "wireroom: listen.http: cannot listen on " + addr + ": address already in use\n" +
		"hint: another program listens there; give another address with --listen\n"
	if code != exitFailure || stderr != want {
		t.Errorf("serve on an address in use: code %d\n%s\nwant %d\n%s", code, stderr, exitFailure, want)
	}
}

// A gateway that is killed while many publish keeps every event that it
// acknowledged.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "wireroom.yaml")
	if err := os.WriteFile(file, []byte(testConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway, base := startProcess(t, file)

	const publishers, enough = 8, 500
	var (
		mu    sync.Mutex // guards the following
		acked = map[string]bool{}
		owned sync.WaitGroup
	)
	killed := make(chan struct{})
	for i := range publishers {
		owned.Go(func() {
			pub, err := newHTTPPublisher(base, testKey, patience)
			if err != nil {
				t.Error(err)
				return
			}
			defer pub.close()
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				data := map[string]any{"room": "r", "text": id}
				if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: data, id: id}); err != nil {
					return // it is dead
				}
				mu.Lock()
				acked[id] = true
				if len(acked) == enough {
					close(killed)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-killed:
	case <-time.After(patience):
		t.Error("the events are not acknowledged")
	}
	if err := gateway.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	owned.Wait()
	_ = gateway.Wait() // an error, as it was killed

	p := startProgram(t, file)
	events := join(t, p, "").listen(t, "demo.message", wamp.Dict{"_since": 0})
	var last int64
	for missing := len(acked); missing > 0; {
		e := next(t, events)
		offset, _ := wamp.AsInt64(e.Details["_offset"])
		if offset != last+1 {
			t.Fatalf("offset %d follows %d", offset, last)
		}
		last = offset
		id, _ := wamp.AsString(e.Details["_event_id"])
		if e.ArgumentsKw["text"] != id {
			t.Fatalf("event %s has the data %v", id, e.ArgumentsKw)
		}
		if acked[id] {
			missing--
		}
	}
}

// startProcess serves the configuration file in a process of its own.
func startProcess(t *testing.T, file string) (*exec.Cmd, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "serve", "--config", file)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs := &lockedBuffer{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, url, ok := strings.Cut(lines.Text(), "Open "); ok {
			return cmd, strings.TrimSuffix(strings.TrimSpace(url), "/")
		}
	}
	t.Fatalf("serve does not start:\n%s", errs)
	return nil, ""
}

// A process ends by SIGTERM with code 0.
func TestSignal(t *testing.T) {
	cmd, base := startProcess(t, writeConfig(t, testConfig))
	resp, err := http.Get(base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}
