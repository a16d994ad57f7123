package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// A store in Redis that refuses connections is said at once, and in the end once
// more, with what may help.
func TestRedisRefuses(t *testing.T) {
	const place = "redis://127.0.0.1:1"
	config := writeConfig(t, strings.Replace(testConfig, "store: file:wireroom.db", "store: "+place+"\nredis: {timeout: 100ms}", 1))
	archive := string(randomArchive(t, 1))
	const (
		logged = "level=WARN msg=\"waiting for Redis\" part=store redis=" + place + " why=\"refuses connections\" timeout=100ms\n"
		said   = "wireroom: waiting for Redis at " + place + ", which refuses connections; up to 100ms\n"
		end    = "wireroom: cannot %s the store: Redis at " + place + " refuses connections; tried for 100ms\n" +
			"hint: is it running, and does it listen there? Its place is at store, or given with --store\n"
	)
	clock := regexp.MustCompile(`time=\S+ `)
	for _, test := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"serve", "--listen", "127.0.0.1:0"}, logged + fmt.Sprintf(end, "open")},
		{"", []string{"store", "info"}, said + fmt.Sprintf(end, "read")},
		{"", []string{"store", "verify"}, said + fmt.Sprintf(end, "read")},
		{"", []string{"store", "trim"}, said + fmt.Sprintf(end, "read")},
		{"", []string{"store", "export"}, said + fmt.Sprintf(end, "read")},
		{archive, []string{"store", "import"}, said + fmt.Sprintf(end, "open")},
	} {
		code, stdout, stderr := runCommand(t, test.stdin, append(test.args, "--config", config)...)
		if got := clock.ReplaceAllString(stderr, ""); code != exitUnreachable || stdout != "" || got != test.want {
			t.Errorf("%v: code %d, %q\n%s\nwant %d\n%s", test.args, code, stdout, got, exitUnreachable, test.want)
		}
	}
}

// What Redis says is told apart from that it cannot be reached.
func TestRedisSaysNo(t *testing.T) {
	url, _, _ := startRedis(t)
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"store", "info"}} {
		args = append(args, "--store", strings.Replace(url, "//", "//eve:secret@", 1))
		code, _, stderr := runCommand(t, "", args...)
		want := "Redis at " + url + " does not accept the user or the password\nhint: correct user and password, in the URL or at redis.password\n"
		if code != exitRefused || !strings.HasSuffix(stderr, want) || strings.Contains(stderr, "secret") || strings.Contains(stderr, "waiting") {
			t.Errorf("%v: code %d\n%s\nwant %d\n…%s", args, code, stderr, exitRefused, want)
		}
	}
}

// Who is interrupted while it waits for Redis says just that.
func TestInterruptedWhileWaiting(t *testing.T) {
	config := writeConfig(t, strings.Replace(testConfig, "store: file:wireroom.db", "store: redis://127.0.0.1:1\nredis: {timeout: 1m}", 1))
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"store", "info"}} {
		ctx, stop := context.WithCancel(t.Context())
		stderr := &onWrite{text: "waiting for Redis", then: stop}
		code := run(ctx, append(args, "--config", config), strings.NewReader(""), io.Discard, stderr)
		if lines := strings.SplitAfter(stderr.String(), "\n"); code != exitInterrupted || len(lines) != 3 || lines[1] != "wireroom: interrupted\n" {
			t.Errorf("%v: code %d, want %d\n%s", args, code, exitInterrupted, stderr.String())
		}
	}
}

// An onWrite is a buffer that calls then when a text is written.
type onWrite struct {
	bytes.Buffer
	text string
	then func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.then()
	}
	return w.Buffer.Write(p)
}
