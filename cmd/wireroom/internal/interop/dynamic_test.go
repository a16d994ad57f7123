package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
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
	return startWithStore(t, "file:wireroom.db", config)
}

// startWithStore is startConfigured with a store of the test's.
func startWithStore(t *testing.T, store, config string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
	text := fmt.Sprintf("listen: {http: %q}\nstore: %s\n%s", g.addr, store, config)
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t, "serve", "--config", g.config)
	return g
}

// An application in Python decides what its clients may do, as it would with
// Crossbar.
func TestCrossbarAuthorizer(t *testing.T) {
	t.Parallel()
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

// An application in Python says who its clients are, as it would with Crossbar.
func TestCrossbarAuthenticator(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "autobahn", "nacl", "argon2")
	const ticket = "a ticket of the application itself"
	g := startConfigured(t, fmt.Sprintf(`
realms:
  realm1:
    auth:
      authenticators: {ticket: com.example.authenticate, wampcra: com.example.authenticate, wamp-scram: com.example.authenticate, cryptosign: com.example.authenticate}
      authenticator_realms: [annex]
      users:
        app: {roles: [service], ticket_sha256: %x}
    roles:
      service: {register: ["com.example.*"]}
      member: {call: ["*"]}
  annex: {roles: {guest: {call: ["*"]}}}
  vault: {roles: {member: {call: ["*"]}}}
`, sha256.Sum256([]byte(ticket))))

	ctx, cancel := context.WithCancel(t.Context())
	var errs logBuffer
	app := exec.CommandContext(ctx, python, "testdata/authenticator.py", g.url("ws", "/ws"), "realm1", ticket)
	app.Stderr = &errs
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = app.Wait() // it was killed
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("authenticator.py says %q (%v)\n%s", line, err, errs.String())
	}

	seed, stranger := bytes.Repeat([]byte{7}, ed25519.SeedSize), bytes.Repeat([]byte{8}, ed25519.SeedSize)
	if key := hex.EncodeToString(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)); key != "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c" {
		t.Fatalf("the key of authenticator.py should be %s", key)
	}
	known := func(method, authid, secret string) login {
		name := authid
		if method == "cryptosign" {
			name = "kay"
		}
		return login{method, authid, secret, welcomed{AuthID: name, AuthRole: "member", AuthMethod: method, AuthProvider: "dynamic"}}
	}
	sent := func(method, authid, secret string) login {
		l := known(method, authid, secret)
		l.want.Realm, l.want.AuthRole = "annex", "guest"
		return l
	}
	logIn(t, g, []login{
		known("ticket", "joe", "joe's ticket"),
		login{method: "ticket", authid: "joe", secret: "another ticket"}.refused(),
		login{method: "ticket", authid: "stranger", secret: "joe's ticket"}.refused(),
		known("wampcra", "plain", "123456"),
		login{method: "wampcra", authid: "plain", secret: "1234567"}.refused(),
		known("wampcra", "salted", "password"),
		known("wampcra", "password", "password"),
		login{method: "wampcra", authid: "salted", secret: "passwort"}.refused(),
		login{method: "wampcra", authid: "stranger", secret: "password"}.refused(),
		known("wamp-scram", "scram", "password"),
		login{method: "wamp-scram", authid: "scram", secret: "passwort"}.refused(),
		known("wamp-scram", "crossbar", "password"),
		login{method: "wamp-scram", authid: "draft", secret: "password"}.refused(),
		login{method: "wamp-scram", authid: "stranger", secret: "password"}.refused(),
		known("cryptosign", "keyed", hex.EncodeToString(seed)),
		login{method: "cryptosign", authid: "keyed", secret: hex.EncodeToString(stranger)}.refused(),
		login{method: "cryptosign", authid: "stranger", secret: hex.EncodeToString(seed)}.refused(),
		sent("ticket", "joe-annex", "joe's ticket"),
		sent("wampcra", "plain-annex", "123456"),
		sent("wamp-scram", "scram-annex", "password"),
		sent("cryptosign", "keyed-annex", hex.EncodeToString(seed)),
		login{method: "wampcra", authid: "plain-annex", secret: "1234567"}.refused(),
		login{method: "ticket", authid: "astray", secret: "joe's ticket"}.refused(),
	}, os.Environ(), python, "testdata/auth.py", "json")
}
