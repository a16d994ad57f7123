package interop_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
	"github.com/gammazero/nexus/v3/wamp/crsign"
)

// A login is what a client is to join with, and what must come of it.
type login struct {
	method, authid, secret string
	want                   welcomed
}

// welcomed is what a client says of its WELCOME, or why there was none.
type welcomed struct {
	Realm        string `json:"realm,omitempty"` // if it is not the one that was asked for
	AuthID       string `json:"authid,omitempty"`
	AuthRole     string `json:"authrole,omitempty"`
	AuthMethod   string `json:"authmethod,omitempty"`
	AuthProvider string `json:"authprovider,omitempty"`
	Reason       string `json:"reason,omitempty"`
}

func (l login) as(authid string) login {
	l.want = welcomed{AuthID: authid, AuthRole: "member", AuthMethod: l.method, AuthProvider: "static"}
	return l
}

func (l login) refused() login {
	l.want = welcomed{Reason: "wamp.error.authentication_failed"}
	return l
}

// startWithUsers runs a gateway whose users were made by the program itself,
// and returns the logins that it must answer.
func startWithUsers(t *testing.T) (*gateway, []login) {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := hex.EncodeToString(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	stranger := hex.EncodeToString(bytes.Repeat([]byte{8}, ed25519.SeedSize))

	var users strings.Builder
	users.WriteString("plain:\n  roles: [member]\n  cra: {secret: a shared secret}\n")
	add := func(args ...string) (said string) {
		out, said := wireroomUser(t, args...)
		users.WriteString(out)
		return said
	}
	add("salted", "--role", "member")
	add("argus", "--role", "member", "--method", "scram", "--iterations", "1", "--memory", "1024")
	add("pbk", "--role", "member", "--method", "scram", "--kdf", "pbkdf2", "--iterations", "4096")
	add("keyed", "--role", "member", "--key", public)
	_, ticket, _ := strings.Cut(strings.TrimSpace(add("robot", "--role", "member", "--method", "ticket")), ": ")

	dir := t.TempDir()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
	config := fmt.Sprintf("listen: {http: %q}\nstore: file:wireroom.db\nauth: {users: users.yaml}\nroles: {member: {call: [\"*\"]}}\n", g.addr)
	for name, text := range map[string]string{"wireroom.yaml": config, "users.yaml": users.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.run(t, "serve", "--config", g.config)
	return g, []login{
		login{method: "wampcra", authid: "plain", secret: "a shared secret"}.as("plain"),
		login{method: "wampcra", authid: "plain", secret: "another secret"}.refused(),
		login{method: "wampcra", authid: "salted", secret: "password"}.as("salted"),
		login{method: "wampcra", authid: "salted", secret: "Password"}.refused(),
		login{method: "wamp-scram", authid: "argus", secret: "password"}.as("argus"),
		login{method: "wamp-scram", authid: "argus", secret: "Password"}.refused(),
		login{method: "wamp-scram", authid: "pbk", secret: "password"}.as("pbk"),
		login{method: "wamp-scram", authid: "pbk", secret: "Password"}.refused(),
		login{method: "cryptosign", authid: "keyed", secret: hex.EncodeToString(seed)}.as("keyed"),
		login{method: "cryptosign", secret: hex.EncodeToString(seed)}.as("keyed"),
		login{method: "cryptosign", authid: "keyed", secret: stranger}.refused(),
		login{method: "ticket", authid: "robot", secret: ticket}.as("robot"),
		login{method: "ticket", authid: "plain", secret: ticket}.refused(),
		login{method: "ticket", authid: "robot", secret: "password"}.refused(),
	}
}

// wireroomUser makes an entry for a user whose password is "password".
func wireroomUser(t *testing.T, args ...string) (entry, said string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, append([]string{"user"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("password\n"), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("wireroom user %q: %v\n%s", args, err, errs.String())
	}
	return out.String(), errs.String()
}

// logIn has a script join with each of the logins.
func logIn(t *testing.T, g *gateway, logins []login, env []string, program, script string, more ...string) {
	t.Helper()
	list := make([][3]string, len(logins))
	for i, l := range logins {
		list[i] = [3]string{l.method, l.authid, l.secret}
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{script, g.url("ws", "/ws"), "realm1", string(text)}, more...)...)
	cmd.Env, cmd.Stderr = env, &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s", script, err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(logins) {
		t.Fatalf("%s says %d lines, want %d:\n%s\n%s", script, len(lines), len(logins), out, errs.String())
	}
	for i, l := range logins {
		var got welcomed
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if got != l.want {
			t.Errorf("%s of %q with %q: %+v, want %+v", l.method, l.authid, l.secret, got, l.want)
		}
	}
}

func TestPythonAuth(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "autobahn", "msgpack", "cbor2", "nacl", "argon2")
	g, logins := startWithUsers(t)
	for _, serializer := range serializers {
		t.Run(serializer, func(t *testing.T) {
			logIn(t, g, logins, os.Environ(), python, "testdata/auth.py", serializer)
		})
	}
}

func TestNodeAuth(t *testing.T) {
	t.Parallel()
	node := needNode(t, "autobahn", "ws")
	g, logins := startWithUsers(t)
	logIn(t, g, withoutSCRAM(logins), node.env, node.path, "testdata/auth.mjs")
}

// withoutSCRAM leaves out what neither autobahn-js nor nexus has.
func withoutSCRAM(logins []login) (rest []login) {
	for _, l := range logins {
		if l.method != "wamp-scram" {
			rest = append(rest, l)
		}
	}
	return rest
}

// nexus has WAMP-CRA; a ticket is easy, and cryptosign as well.
func TestNexusAuth(t *testing.T) {
	t.Parallel()
	g, logins := startWithUsers(t)
	for _, l := range withoutSCRAM(logins) {
		if got := nexusLogIn(t, g, l); got != l.want {
			t.Errorf("%s of %q with %q: %+v, want %+v", l.method, l.authid, l.secret, got, l.want)
		}
	}
}

func nexusLogIn(t *testing.T, g *gateway, l login) welcomed {
	t.Helper()
	details := wamp.Dict{}
	if l.authid != "" {
		details["authid"] = l.authid
	}
	handlers := map[string]client.AuthFunc{
		"ticket": func(*wamp.Challenge) (string, wamp.Dict) { return l.secret, wamp.Dict{} },
		"wampcra": func(c *wamp.Challenge) (string, wamp.Dict) {
			return crsign.RespondChallenge(l.secret, c, nil), wamp.Dict{}
		},
	}
	if l.method == "cryptosign" {
		seed, err := hex.DecodeString(l.secret)
		if err != nil {
			t.Fatal(err)
		}
		key := ed25519.NewKeyFromSeed(seed)
		details["authextra"] = wamp.Dict{"pubkey": hex.EncodeToString(key.Public().(ed25519.PublicKey))}
		handlers["cryptosign"] = func(c *wamp.Challenge) (string, wamp.Dict) {
			text, _ := wamp.AsString(c.Extra["challenge"])
			message, _ := hex.DecodeString(text)
			return hex.EncodeToString(ed25519.Sign(key, message)) + text, wamp.Dict{}
		}
	}
	c, err := client.ConnectNet(t.Context(), g.url("ws", "/ws"), client.Config{
		Realm: "realm1", HelloDetails: details, Logger: log.New(t.Output(), "nexus: ", 0),
		AuthHandlers: map[string]client.AuthFunc{l.method: handlers[l.method]},
	})
	if err != nil {
		// It tells the message for people in place of the reason.
		if text := err.Error(); text == "authentication failed" || text == "ticket not valid" {
			return welcomed{Reason: "wamp.error.authentication_failed"}
		}
		return welcomed{Reason: err.Error()}
	}
	defer c.Close()
	welcome := c.RealmDetails()
	text := func(key string) string { s, _ := wamp.AsString(welcome[key]); return s }
	return welcomed{AuthID: text("authid"), AuthRole: text("authrole"), AuthMethod: text("authmethod"), AuthProvider: text("authprovider")}
}
