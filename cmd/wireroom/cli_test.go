package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// What the command line says and how it ends, without a gateway.
func TestCommandLine(t *testing.T) {
	good := writeConfig(t, testConfig)
	bad := writeConfig(t, "realm: [x]\nrolls: {}\n")
	noJWT := writeConfig(t, "roles: {anonymous: {subscribe: [\"*\"]}}\n")
	const nobody = "ws://127.0.0.1:1"
	tests := []struct {
		name           string
		stdin          string
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{"help", "", []string{"--help"}, exitOK, "serve", ""},
		{"nothing", "", nil, exitOK, "Available Commands", ""},
		{"version", "", []string{"version"}, exitOK, "wireroom ", ""},
		{"version in JSON", "", []string{"version", "-o", "json"}, exitOK, `"go":"go1`, ""},
		{"completion", "", []string{"completion", "bash"}, exitOK, "bash completion", ""},
		{"unknown command", "", []string{"publsh"}, exitUsage, "", `unknown command "publsh"`},
		{"unknown flag", "", []string{"serve", "--prot", "1"}, exitUsage, "", "unknown flag: --prot"},
		{"bad output", "", []string{"version", "-o", "xml"}, exitUsage, "", `expected "text" or "json"`},
		{"missing argument", "", []string{"call"}, exitUsage, "", "usage: wireroom call PROCEDURE"},

		{"check", "", []string{"check", good}, exitOK, "ok: 4 classes, 3 roles, 2 ingest keys", ""},
		{"check in JSON", "", []string{"check", good, "-o", "json"}, exitOK, `"ok":true,"problems":[]`, ""},
		{"check a bad file", "", []string{"check", bad}, exitConfig, "", bad + `:2:1: rolls: expected one of the keys listen, realm, store, redis, sessions, auth, queue, limits, linger, queries, presence, ingest, bridge, webhooks, admission, statistics, resume, compression, longpoll, eventsource, timeouts, origins, roles, classes, history, realms, found "rolls"; did you mean "roles"?`},
		{"check a bad file in JSON", "", []string{"check", bad, "-o", "json"}, exitConfig, `"line":2,"column":1,"path":"rolls"`, "3 problems"},
		{"check a file that lacks a key", "", []string{"check", bad}, exitConfig, "", bad + ":1:1: roles: expected a mapping of roles, found nothing\n"},
		{"check no file", "", []string{"check", "/nowhere/x.yaml"}, exitConfig, "", "/nowhere/x.yaml: the configuration cannot be read: no such file"},

		{"serve a bad file", "", []string{"serve", "--config", bad}, exitConfig, "", "expected a text, found a list"},
		{"serve with a bad address", "", []string{"serve", "--config", good, "--listen", "80"}, exitUsage, "", "--listen: expected host:port"},
		{"serve with a bad level", "", []string{"serve", "--config", good, "--log-level", "loud"}, exitUsage, "", `--log-level: expected debug, info, warn or error, found "loud"`},
		{"serve with a bad format", "", []string{"serve", "--config", good, "--log-format", "xml"}, exitUsage, "", "--log-format: expected text or json"},
		{"print the demonstration", "", []string{"serve", "--print-demo"}, exitOK, "demo.message:", ""},

		{"publish to nobody", "", []string{"publish", "--url", nobody, "a.b"}, exitUnreachable, "", "hint: nothing listens there"},
		{"publish over HTTP to nobody", "", []string{"publish", "--http", "http://127.0.0.1:1", "--key", "k", "a.b"}, exitUnreachable, "", "hint: nothing listens there"},
		{"publish over XML-RPC to nobody", "", []string{"publish", "--xmlrpc", "http://127.0.0.1:1", "--key", "k", "a.b"}, exitUnreachable, "", "hint: nothing listens there"},
		{"publish without a key", "", []string{"publish", "--http", "http://127.0.0.1:1", "a.b"}, exitUsage, "", "--key: an ingest key is needed"},
		{"publish both ways", "", []string{"publish", "--http", "http://x", "--xmlrpc", "http://x", "a.b"}, exitUsage, "", "found both"},
		{"publish with an id over WAMP", "", []string{"publish", "--id", "1", "a.b"}, exitUsage, "", "--id: only with"},
		{"publish to a bad URL", "", []string{"publish", "--http", "127.0.0.1", "--key", "k", "a.b"}, exitUsage, "", "--http: expected a URL such as http://127.0.0.1:8080/events"},
		{"publish bad JSON", "", []string{"publish", "--http", "http://127.0.0.1:1", "--key", "k", "a.b", "{room:1}"}, exitUsage, "", "DATA: expected a JSON value"},
		{"publish two values", "", []string{"publish", "--http", "http://127.0.0.1:1", "--key", "k", "a.b", "{} {}"}, exitUsage, "", "DATA: expected one JSON value"},
		{"publish null over XML-RPC", "", []string{"publish", "--xmlrpc", "http://127.0.0.1:1", "--key", "k", "a.b", `{"a": [null]}`}, exitUsage, "", "a: [0]: null cannot be sent over XML-RPC"},
		{"publish a large integer over XML-RPC", "", []string{"publish", "--xmlrpc", "http://127.0.0.1:1", "--key", "k", "a.b", `{"a": 2147483648}`}, exitUsage, "", "a: integers beyond 32 bits"},
		{"publish a list over XML-RPC", "", []string{"publish", "--xmlrpc", "http://127.0.0.1:1", "--key", "k", "a.b", `[1]`}, exitUsage, "", "expected a JSON object"},
		{"publish a bad stream", "{", []string{"publish", "--http", "http://127.0.0.1:1", "--key", "k", "a.b", "-"}, exitFailure, "", "value 1 of the standard input: expected JSON"},
		{"publish an empty stream", "", []string{"publish", "--http", "http://127.0.0.1:1", "--key", "k", "a.b", "-"}, exitOK, "", ""},

		{"subscribe with a bad match", "", []string{"subscribe", "a.b", "--match", "glob"}, exitUsage, "", "--match: expected exact, prefix or wildcard"},
		{"subscribe with last and since", "", []string{"subscribe", "a.b", "--last", "1", "--since", "1"}, exitUsage, "", "found both"},
		{"subscribe with a negative last", "", []string{"subscribe", "a.b", "--last", "-1"}, exitUsage, "", "--last: expected a number from 0"},
		{"subscribe at a bad URL", "", []string{"subscribe", "a.b", "--url", "ftp://x"}, exitUsage, "", "begins with ws://, wss://, rs://"},
		{"subscribe with a bad serializer", "", []string{"subscribe", "a.b", "--serializer", "xml"}, exitUsage, "", "--serializer: expected json, msgpack or cbor"},
		{"call with bad arguments", "", []string{"call", "a.b", "[1"}, exitUsage, "", "ARGUMENTS: expected a JSON value"},

		{"JWT", "", []string{"token", "jwt", "ada", "--config", good, "--role", "member"}, exitOK, "eyJ", "token for ada, roles: member"},
		{"JWT without a key", "", []string{"token", "jwt", "ada", "--config", noJWT}, exitConfig, "", "the gateway accepts no JWT"},
		{"JWT of another algorithm", "", []string{"token", "jwt", "ada", "--config", good, "--algorithm", "none"}, exitUsage, "", "--algorithm: expected one of"},
		{"JWT for a realm that is not there", "", []string{"token", "jwt", "ada", "--config", good, "--realm", "none"}, exitUsage, "", `--realm: expected one of the realms ["realm1"], found "none"`},
		{"JWT for a realm, where JWTs name none", "", []string{"token", "jwt", "ada", "--config", good, "--realm", "realm1"}, exitUsage, "", "there is no auth.jwt.realm_claim"},
		{"JWT with a bad ttl", "", []string{"token", "jwt", "ada", "--config", good, "--ttl", "soon"}, exitUsage, "", "such as 10m, 24h or 7d"},
		{"session token without a key", "", []string{"token", "session", "ada"}, exitUsage, "", "--key: an ingest key is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t, tt.stdin, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("wireroom %s\ncode %d, want %d\nstdout %q, want %q\nstderr %q, want %q",
					strings.Join(tt.args, " "), code, tt.code, stdout, tt.stdout, stderr, tt.stderr)
			}
			if strings.Contains(stdout+stderr, "only-for-these-tests") {
				t.Errorf("a secret is printed: %s%s", stdout, stderr)
			}
		})
	}
}

// The commands against a gateway: what is published by one is seen by another.
func TestCommandsTogether(t *testing.T) {
	file := writeConfig(t, testConfig)
	p := startProgram(t, file)
	t.Setenv("WIREROOM_URL", p.ws())
	t.Setenv("WIREROOM_KEY", testKey)
	steps := []struct {
		name           string
		stdin          string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"over WAMP", "", []string{"publish", "demo.message", `{"room": "a", "text": "1"}`}, exitOK, "published\n", ""},
		{"over XML-RPC", "", []string{"publish", "--xmlrpc", p.base, "--id", "two", "demo.message", `{"room": "a", "text": "2", "<&>": {"n": 7}}`}, exitOK, "two\n", ""},
		{"over HTTP", "", []string{"publish", "--http", p.base, "--id", "three", "-o", "json", "demo.message", `{"room": "a", "text": "3", "<&>": {"n": 9007199254740993}}`}, exitOK, `{"published":true,"id":"three"}`, ""},
		{"a stream", `{"room": "a", "text": "4"} {"room": "a", "text": "5"}`, []string{"publish", "demo.message", "-"}, exitOK, "published\npublished\n", ""},
		{"a stream with a bad value", `{"room": "a", "text": "6"} {"room": "a"}`, []string{"publish", "--http", p.base, "demo.message", "-"}, exitRefused, "", "value 2 of the standard input: publish demo.message: demo.message: text: expected"},
		{"refused", "", []string{"publish", "demo.message", `{"room": "a"}`}, exitRefused, "", "wireroom: demo.message: field text: expected a string of at most 500 characters, found nothing (wireroom.error.invalid_event)"},
		{"refused key", "", []string{"publish", "--http", p.base, "--key", "no", "demo.message"}, exitRefused, "", "401"},
		{"all of them", "", []string{"subscribe", "demo.message", "--since", "0", "-n", "6"}, exitOK, ` demo.message {"room":"a","text":"5"} (offset=5 replayed=true)`, "subscribed to demo.message"},
		{"large integers", "", []string{"subscribe", "demo.message", "--last", "4", "-n", "1", "-o", "json"}, exitOK, `"<&>":{"n":9007199254740993}`, ""},
		{"in JSON text", "", []string{"subscribe", "demo.message", "--last", "1", "-n", "1", "-o", "json", "--serializer", "json"}, exitOK, `"topic":"demo.message","kwargs":{"room":"a","text":"6"}`, ""},
		{"in MessagePack", "", []string{"subscribe", "demo.message.a", "--last", "1", "-n", "1", "--serializer", "msgpack"}, exitOK, `"text":"6"`, ""},
		{"refused subscription", "", []string{"subscribe", "order.created"}, exitRefused, "", "wamp.error.not_authorized"},
		{"call", "", []string{"call", "wireroom.class.list"}, exitOK, `"name":"demo.message"`, ""},
		{"call in JSON", "", []string{"call", "wireroom.class.list", "-o", "json"}, exitOK, `{"kwargs":{"classes":[`, ""},
		{"call nobody", "", []string{"call", "wireroom.nobody"}, exitRefused, "", "wamp.error.no_such_procedure"},
		{"unknown realm", "", []string{"call", "a.b", "--realm", "other"}, exitRefused, "", "wamp.error.no_such_realm"},
		{"wrong path", "", []string{"call", "a.b", "--url", p.ws() + "x"}, exitUnreachable, "", "hint: check the path of the URL"},
		{"bad ticket", "", []string{"call", "a.b", "--ticket", "nonsense"}, exitRefused, "", "wamp.error.authentication_failed"},
		{"session token", "", []string{"token", "session", "ada", "--xmlrpc", p.base, "--role", "member", "--ttl", "1h"}, exitOK, "wr_", "token for ada"},
		{"session token of a foreign role", "", []string{"token", "session", "ada", "--xmlrpc", p.base, "--role", "staff"}, exitRefused, "", "may not ask for a token with the roles staff"},
		{"session token for nobody", "", []string{"token", "session", "a\nb", "--xmlrpc", p.base, "--role", "member"}, exitRefused, "", "cannot be printed"},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t, tt.stdin, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("wireroom %s\ncode %d, want %d\nstdout %q, want %q\nstderr %q, want %q",
					strings.Join(tt.args, " "), code, tt.code, stdout, tt.stdout, stderr, tt.stderr)
			}
		})
	}
}

// Tokens that the command line makes are good for what they say.
func TestTokensOfTheCommandLine(t *testing.T) {
	file := writeConfig(t, testConfig)
	p := startProgram(t, file)
	for name, args := range map[string][]string{
		"JWT":           {"token", "jwt", "ada", "--config", file, "--role", "member", "-o", "json"},
		"session token": {"token", "session", "ada", "--xmlrpc", p.base, "--key", testKey, "--role", "member", "-o", "json"},
	} {
		_, stdout, stderr := runCommand(t, "", args...)
		var made struct{ Token string }
		if err := json.Unmarshal([]byte(stdout), &made); err != nil {
			t.Fatalf("%s: %q %v\n%s", name, stdout, err, stderr)
		}
		c := join(t, p, made.Token)
		if d := c.RealmDetails(); d["authid"] != "ada" || d["authrole"] != "member" {
			t.Errorf("%s: joined as %v %v, want ada and member", name, d["authid"], d["authrole"])
		}
	}
}

// A client of the gateway that offers a procedure is called, and what it says
// is printed.
func TestCallOfAClient(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	callee := join(t, p, ticketFor(t, "ada", "member"))
	if err := callee.Register("app.answer", answerWith("text", int64(1)<<60, 1.5), nil); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCommand(t, "", "call", "app.answer", "[1]", "--url", p.ws(), "--ticket", ticketFor(t, "bob", "staff"))
	if want := "text\n1152921504606846976\n1.5\n"; code != exitOK || stdout != want {
		t.Errorf("call: code %d, %q, want %q\n%s", code, stdout, want, stderr)
	}
}

// serve without any file serves the demonstration, where it says.
func TestServeTheDemonstration(t *testing.T) {
	t.Chdir(t.TempDir())
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	p := startProgram(t, "", "--listen", "127.0.0.1:0")
	greeting := p.stdout.String()
	for _, want := range []string{
		"its store is " + filepath.Join(state, "wireroom", "demo.db"),
		p.base + "/\n",
		`xmlrpc.client.ServerProxy("` + p.base + `/RPC2").event.publish("demo", "demo.message", {"room": "lobby", "text": "hello"})`,
	} {
		if !strings.Contains(greeting, want) {
			t.Errorf("the greeting lacks %q:\n%s", want, greeting)
		}
	}
	if _, err := os.Stat(filepath.Join(state, "wireroom", "demo.db")); err != nil {
		t.Error(err)
	}
	events := join(t, p, "").listen(t, "demo.message", nil)
	pub := must(newXMLRPCPublisher(p.base, "demo", patience))(t)
	defer pub.close()
	if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": "lobby", "text": "hello"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := jsonText(next(t, events).ArgumentsKw), `{"room":"lobby","text":"hello"}`; got != want {
		t.Errorf("the event has the data %s, want %s", got, want)
	}
}

// A key that everybody knows is warned of where others can use it.
func TestWarningOfPublicKeys(t *testing.T) {
	demo, problems := config.Demo("demo.db")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	own, problems := config.Parse("wireroom.yaml", []byte(testConfig))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tests := []struct {
		name  string
		cfg   *config.Config
		ip    string
		warns bool
	}{
		{config.DemoName, demo, "127.0.0.1", false},
		{config.DemoName, demo, "127.8.8.8", false},
		{config.DemoName, demo, "::1", false},
		{config.DemoName, demo, "0.0.0.0", true},
		{config.DemoName, demo, "::", true},
		{config.DemoName, demo, "192.0.2.7", true},
		{"wireroom.yaml", own, "0.0.0.0", false},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		greet(&out, tt.cfg, tt.name, &net.TCPAddr{IP: net.ParseIP(tt.ip), Port: 8080}, nil)
		want := "WARNING: anyone who reaches " + net.JoinHostPort(tt.ip, "8080") + ` can post events with the public key "demo"`
		if got := strings.Contains(out.String(), want); got != tt.warns || !tt.warns && strings.Contains(out.String(), "WARNING") {
			t.Errorf("%s at %s: the greeting warns: %v, want %v\n%s", tt.name, tt.ip, got, tt.warns, &out)
		}
	}
}

// A folder with a wireroom.yaml is served by it.
func TestServeTheFileOfTheFolder(t *testing.T) {
	t.Chdir(filepath.Dir(writeConfig(t, testConfig)))
	p := startProgram(t, "")
	if greeting := p.stdout.String(); strings.Contains(greeting, "demonstration") {
		t.Errorf("the demonstration is served beside a wireroom.yaml:\n%s", greeting)
	}
	join(t, p, "")
}
