package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the README promises: without a configuration, the page shows two lines
// of Python, and the event that they post.
func TestDemonstration(t *testing.T) {
	node := needBrowser(t)
	python := python(t)
	g := startDemonstration(t)

	var seen string
	s := startClient(t, node.env, node.path, "testdata/demonstration.mjs", g.url("http", "/"), t.ArtifactDir())
	for name, rest := range s.steps(t) {
		switch name {
		case "python":
			want := `import xmlrpc.client
xmlrpc.client.ServerProxy("` + g.url("http", "/RPC2") + `").event.publish("demo", "demo.message", {"room": "lobby", "text": "hello"})`
			if rest["code"] != want {
				t.Errorf("the page shows\n%s\nwant\n%s", rest["code"], want)
			}
			s.answer(t, func() { paste(t, python, want) })
		case "seen":
			seen, _ = rest["text"].(string)
		}
	}
	if !strings.Contains(seen, "lobby") || !strings.Contains(seen, "hello") {
		t.Errorf("the page shows the event as %q", seen)
	}
}

// paste runs lines as a Python prompt does.
func paste(t *testing.T, python, lines string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-")
	cmd.Stdin = strings.NewReader(lines)
	output(t, cmd)
}

// The page is used in Chromium as a person would use it; the script names what
// it checks. Its screenshots are kept with go test -artifacts.
func TestConsole(t *testing.T) {
	node := needBrowser(t, "autobahn", autobahnInBrowser)
	python := python(t)
	g := startGateway(t)
	network := newCable(t, g.addr)

	checked := 0
	s := startClient(t, node.env, node.path, "testdata/console.mjs", "http://"+network.addr+"/", t.ArtifactDir())
	for name, rest := range s.steps(t) {
		code, _ := rest["code"].(string)
		code = strings.ReplaceAll(code, "YOUR-KEY", key)
		switch name {
		case "passed":
			checked++
			t.Logf("%v", rest["name"])
		case "done":
			if want := rest["count"]; float64(checked) != want {
				t.Errorf("%d steps passed, want %v", checked, want)
			}
		case "python":
			s.answer(t, func() { paste(t, python, code) })
		case "receive":
			curl := strings.ReplaceAll(rest["post"].(string), "YOUR-KEY", key)
			s.answer(t, func() { receiveWithSnippet(t, node, code, curl) })
		case "post":
			data, _ := rest["data"].(map[string]any)
			s.answer(t, func() { g.postXMLRPC(t, rest["class"].(string), data) })
		case "crash":
			s.answer(t, func() {
				network.cut()
				g.kill(t)
			})
		case "recover":
			s.answer(t, func() {
				g.run(t, "serve", "--config", g.config)
				for _, text := range rest["missed"].([]any) {
					g.postHTTP(t, "demo.message", map[string]any{"room": "lobby", "text": text})
				}
				network.mend(t)
			})
		case "restart":
			s.answer(t, func() {
				g.stop(t)
				g.run(t, "serve", "--config", g.config)
			})
		default:
			t.Fatalf("the script asks for %q", name)
		}
	}
}

// receiveWithSnippet runs the page's JavaScript in Node until it has received
// the event that the page's curl line posts.
func receiveWithSnippet(t *testing.T, node nodeJS, javascript, curl string) {
	t.Helper()
	need(t, "curl")
	program := filepath.Join(t.TempDir(), "snippet.cjs")
	// The snippet says nothing when it has subscribed, so the program around
	// it does.
	const wrap = `
const autobahn = require("module").createRequire(process.env.NODE_CLIENTS + "/")("autobahn");
const subscribe = autobahn.Session.prototype.subscribe;
autobahn.Session.prototype.subscribe = function (...args) {
  return subscribe.apply(this, args).then((s) => { say({ step: "subscribed" }); return s; });
};
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
console.log = (topic, data) => { say({ step: "received", topic, data }); process.exit(); };
`
	if err := os.WriteFile(program, []byte(wrap+javascript), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startClient(t, node.env, node.path, program)
	received := ""
	for name, rest := range s.steps(t) {
		switch name {
		case "subscribed":
			output(t, exec.CommandContext(t.Context(), "sh", "-c", curl))
		case "received":
			delete(rest, "step")
			received = encode(t, rest)
		}
	}
	want, err := json.Marshal(map[string]any{"topic": "demo.message", "data": map[string]any{"room": "lobby", "text": "hello"}})
	if err != nil {
		t.Fatal(err)
	}
	if received != string(want) {
		t.Errorf("the JavaScript snippet received %s, want %s", received, want)
	}
}
