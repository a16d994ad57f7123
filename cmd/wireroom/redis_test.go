package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startRedis starts a redis-server that keeps what it acknowledges, and returns
// the URL of a store in it, and what kills it and starts it again. REDIS_SERVER
// names another server than the one in the path.
func startRedis(t *testing.T) (url string, kill, start func()) {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server"))
	if err != nil {
		if os.Getenv("CI_REAL_CLIENTS") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	var cmd *exec.Cmd
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it says that it was killed
	}
	start = func() {
		cmd = exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	start()
	t.Cleanup(func() {
		kill()
		_ = os.RemoveAll(dir)
	})
	until(t, "redis-server to listen", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	return "redis+unix://" + socket, kill, start
}

// The whole program on Redis: events outlive the gateway, /readyz says why it
// is red while Redis is away, and posting goes on when it is back.
func TestServeOnRedis(t *testing.T) {
	url, kill, start := startRedis(t)
	config := strings.Replace(testConfig, "store: file:wireroom.db", "store: "+url+"\nredis: {prefix: shop, timeout: 2s}", 1)
	file := writeConfig(t, config)
	publish := func(p *program, text string) (int, string) {
		code, stdout, stderr := runCommand(t, "", "publish", "demo.message", fmt.Sprintf(`{"room": "lobby", "text": %q}`, text), "--http", p.base+"/events", "--key", testKey)
		return code, stdout + stderr
	}
	p := startProgram(t, file)
	if code, out := publish(p, "one"); code != exitOK {
		t.Fatalf("publish: %d, %s", code, out)
	}
	p.stop()

	p = startProgram(t, file)
	get := func() (int, string) {
		resp, err := http.Get(p.base + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, text := get(); status != http.StatusOK {
		t.Errorf("/readyz = %d %s", status, text)
	}
	kill()
	if code, out := publish(p, "two"); code == exitOK || !strings.Contains(out, "available") {
		t.Errorf("publish without Redis: %d, %s", code, out)
	}
	until(t, "/readyz to be red", func() bool {
		status, text := get()
		return status == http.StatusServiceUnavailable && strings.Contains(text, "Redis refuses connections") && !strings.Contains(text, url)
	})
	start()
	until(t, "/readyz to be green", func() bool { status, _ := get(); return status == http.StatusOK })
	until(t, "an event to be taken", func() bool { code, _ := publish(p, "three"); return code == exitOK })
	code, stdout, stderr := runCommand(t, "", "subscribe", "demo.message", "--last", "9", "--count", "2", "--url", p.ws())
	if code != exitOK || !strings.Contains(stdout, "one") || !strings.Contains(stdout, "three") || strings.Contains(stdout, "two") {
		t.Errorf("subscribe: %d, %s%s", code, stdout, stderr)
	}
	if !strings.Contains(p.stderr.String(), "Redis at "+url) {
		t.Errorf("the log does not say where Redis is:\n%s", p.stderr)
	}
}

// What is wrong with the place of the store is said before anything is served.
func TestNoRedis(t *testing.T) {
	for _, test := range []struct {
		store, password string
		code            int
		want            string
	}{
		{"redis://127.0.0.1:1", "hunter2", exitUnreachable, "cannot open the store: Redis at redis://127.0.0.1:1 refuses connections"},
		{"redis+unix:///nowhere/redis.sock", "hunter2", exitUnreachable, "is not there, as there is no such socket"},
		{"redis://localhost:port", "hunter2", exitConfig, "store: expected host:port"},
		{"redis+sentinel://localhost", "hunter2", exitConfig, "expected the name of the primary"},
		{"file:wireroom.db", "hunter2", exitConfig, "redis: expected only with a store of redis://, found with another one"},
	} {
		config := strings.Replace(testConfig, "store: file:wireroom.db", "store: "+test.store+"\nredis: {timeout: 100ms, password: "+test.password+"}", 1)
		code, _, stderr := runCommand(t, "", "serve", "--config", writeConfig(t, config))
		if code != test.code || !strings.Contains(stderr, test.want) || strings.Contains(stderr, test.password) {
			t.Errorf("%s: code %d, %s; want %d, %s", test.store, code, stderr, test.code, test.want)
		}
	}
	if code, _, stderr := runCommand(t, "", "serve", "--store", "redis://a,b"); code != exitConfig && code != exitUsage || !strings.Contains(stderr, "found several") {
		t.Errorf("serve --store: %d, %s", code, stderr)
	}
}
