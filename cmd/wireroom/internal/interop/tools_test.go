package interop_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// need returns the path of a program, or ends the test: with a failure where
// the clients are said to be installed, otherwise by skipping it.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program+" is not installed")
	}
	return path
}

// missing ends the test because something is not installed.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI_REAL_CLIENTS") == "1" {
		t.Fatalf("CI_REAL_CLIENTS=1, and %s", what)
	}
	t.Skipf("%s; .ci/test installs it", what)
}

// python returns Debian's Python, not another one in front of it.
func python(t *testing.T) string {
	t.Helper()
	return need(t, cmp.Or(os.Getenv("PYTHON"), "/usr/bin/python3"))
}

// pythonWith returns a Python that has the modules.
func pythonWith(t *testing.T, modules ...string) string {
	t.Helper()
	path := python(t)
	for _, m := range modules {
		if err := exec.CommandContext(t.Context(), path, "-c", "import "+m).Run(); err != nil {
			missing(t, "Python's "+m+" is not installed")
		}
	}
	return path
}

// A nodeJS is Node with the packages and the browser that our scripts use.
type nodeJS struct {
	path    string
	modules string // the folder node_modules
	env     []string
}

// needNode returns Node, if it is there with the packages.
func needNode(t *testing.T, packages ...string) nodeJS {
	t.Helper()
	path := need(t, "node")
	clients, err := filepath.Abs(cmp.Or(os.Getenv("NODE_CLIENTS"), "../../../../.ci"))
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(clients, "node_modules")
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(modules, p)); err != nil {
			missing(t, "npm's "+p+" is not installed")
		}
	}
	return nodeJS{path, modules, append(os.Environ(), "NODE_CLIENTS="+clients)}
}

// needBrowser returns Node with Chromium and what drives it.
func needBrowser(t *testing.T, packages ...string) nodeJS {
	t.Helper()
	chromium := need(t, cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"))
	node := needNode(t, append(packages, "playwright-core")...)
	node.env = append(node.env, "CHROMIUM="+chromium)
	return node
}
