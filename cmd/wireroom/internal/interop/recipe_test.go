package interop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The recipes of docs/auth.md by which a page keeps what it has joined with good
// do so, word for word, with autobahn-js in a browser.
func TestRenewalRecipes(t *testing.T) {
	t.Parallel()
	node := needBrowser(t, autobahnInBrowser)
	g := startConfigured(t, `
auth: {jwt: {secret: a-secret-that-is-only-for-these-tests, leeway: 0s}}
roles:
  anonymous: {call: ["wireroom.*"]}
  member: {call: ["wireroom.*"]}
`)
	args := []string{
		g.url("http", "/"), t.ArtifactDir(), filepath.Join(node.modules, autobahnInBrowser),
		recipe(t, "const stay ="), recipe(t, "function keep("), g.jwt(t, "ada", "--ttl", "1h"), g.jwt(t, "ada", "--ttl", "48h"),
	}
	drive(t, node, "renewal.mjs", args, nil)
}

// recipe returns the one block of JavaScript in docs/auth.md that has the text. It
// is for a page of its own origin, which has no TLS here.
func recipe(t *testing.T, text string) (found string) {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/auth.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(page), "\n```") {
		code, js := strings.CutPrefix(part, "js\n")
		switch {
		case i%2 == 0 || !js || !strings.Contains(code, text):
		case found != "":
			t.Fatalf("docs/auth.md has two blocks of JavaScript with %q", text)
		default:
			found = strings.ReplaceAll(code, `"wss://"`, `"ws://"`)
		}
	}
	if found == "" {
		t.Fatalf("docs/auth.md has no block of JavaScript with %q", text)
	}
	return found
}
