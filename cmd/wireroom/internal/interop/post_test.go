package interop_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// postXMLRPC posts an event as a Python program does, and returns its id.
func (g *gateway) postXMLRPC(t *testing.T, class string, data map[string]any) string {
	t.Helper()
	const program = `
import json, sys, xmlrpc.client
url, key, cls, data = sys.argv[1:]
print(xmlrpc.client.ServerProxy(url).event.publish(key, cls, json.loads(data)))`
	return output(t, exec.CommandContext(t.Context(), python(t), "-c", program,
		g.url("http", "/RPC2"), key, class, encode(t, data)))
}

// postHTTP posts an event with curl, and returns what the gateway answered.
func (g *gateway) postHTTP(t *testing.T, class string, data map[string]any) string {
	t.Helper()
	return output(t, exec.CommandContext(t.Context(), need(t, "curl"),
		"--silent", "--show-error", "--fail-with-body", "--noproxy", "*",
		"--header", "Authorization: Bearer "+key, "--header", "Content-Type: application/json",
		"--data", encode(t, map[string]any{"class": class, "data": data}), g.url("http", "/events")))
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
