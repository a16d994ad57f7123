package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startConfigured runs a gateway with a configuration that begins with what all
// have.
func startConfigured(t *testing.T, config string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
	text := fmt.Sprintf("listen: {http: %q}\nstore: file:wireroom.db\n%s", g.addr, config)
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t, "serve", "--config", g.config)
	return g
}

// An application in Python decides what its clients may do, as it would with
// Crossbar.
func TestCrossbarAuthorizer(t *testing.T) {
	python := pythonWith(t, "autobahn")
	g := startConfigured(t, `
auth:
  users:
    app: {roles: [service], cra: {secret: a shared secret}}
    ada: {roles: [guest], cra: {secret: a shared secret}}
roles:
  service: {register: ["com.example.*"], subscribe: ["*"]}
  guest: {subscribe: ["com.example.news"], authorizer: com.example.authorize}
`)
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, python, "testdata/authorizer.py", g.url("ws", "/ws"), "realm1")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("authorizer.py: %v\n%s", err, errs.String())
	}
	var got struct{ Said, Asked, Events json.RawMessage }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range []struct {
		what string
		got  json.RawMessage
		want string
	}{
		{"the client got", got.Said, `[["hello",null],"wamp.error.not_authorized","done","done","done",` +
			`"wamp.error.not_authorized","wamp.error.authorization_failed","done","done","wamp.error.not_authorized"]`},
		{"the authorizer was asked", got.Asked, `[["ada","guest","websocket","com.example.echo","call",null],` +
			`["ada","guest","websocket","com.example.other","call",null],` +
			`["ada","guest","websocket","com.example.room.1","publish",null],` + // once, as its answer may be kept
			`["ada","guest","websocket","com.example.room.2","publish",null],` +
			`["ada","guest","websocket","com.example.broken","publish",null],` +
			`["ada","guest","websocket","com.example.room.1","subscribe","prefix"],` + // and nothing about the news
			`["ada","guest","websocket","com.example.mine","register","exact"]]`},
		{"the application heard", got.Events, `[["hello","ada"],["hello","ada"],["hello","ada"]]`},
	} {
		var b bytes.Buffer
		if err := json.Compact(&b, tt.got); err != nil {
			t.Fatal(err)
		}
		if b.String() != tt.want {
			t.Errorf("%s %s\nwant %s", tt.what, b.String(), tt.want)
		}
	}
}
