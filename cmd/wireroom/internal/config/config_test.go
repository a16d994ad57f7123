package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

var update = flag.Bool("update", false, "write what is found as what is wanted")

const separator = "----------\n"

// Each file in testdata is a configuration, a line of dashes, and what is
// wrong with the configuration.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/*.txt: %v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			yaml, want, _ := strings.Cut(string(text), separator)
			_, problems := config.Parse("testdata/wireroom.yaml", []byte(yaml))
			got := strings.ReplaceAll(problems.Error(), "testdata/", "") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(yaml+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is printed:\n%s", got)
			}
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, problems := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if len(problems) != 1 || !strings.Contains(problems.Error(), "no such file") {
		t.Errorf("Load of a missing file: %v", problems)
	}
}

func TestLoadHugeFile(t *testing.T) {
	_, problems := config.Parse("x.yaml", bytes.Repeat([]byte("#"), 5<<20))
	if len(problems) != 1 || !strings.Contains(problems.Error(), "at most 4MiB") {
		t.Errorf("Parse of 5 MiB: %v", problems)
	}
}

// Names of files are relative to the folder of the file that names them.
func TestRelativeFiles(t *testing.T) {
	dir := t.TempDir()
	secret := strings.Repeat("s", 40)
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("jwt.key", secret+"\n")
	file := write("wireroom.yaml", `
store: file:data.db
roles: {anonymous: {subscribe: ["*"]}}
auth: {jwt: {secret_file: jwt.key}}
`)
	c, problems := config.Load(file)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := c.Store.Path, filepath.Join(dir, "data.db"); got != want {
		t.Errorf("store = %s, want %s", got, want)
	}
	if string(c.JWT.Secret) != secret {
		t.Errorf("secret has %d bytes, want those of the file without its line end", len(c.JWT.Secret))
	}
}

func TestDemo(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	c, problems := config.Demo("")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := c.Store.Path, "/state/wireroom/demo.db"; got != want {
		t.Errorf("store = %s, want %s", got, want)
	}
	if len(c.Realms[0].Classes) != 3 || c.Realms[0].Classes[0].Name != "demo.message" || c.Realms[0].Classes[0].Channel != "room" {
		t.Errorf("classes = %+v, want demo.message with channels and two more", c.Realms[0].Classes)
	}
	if len(c.Keys) != 1 || string(c.Keys[0].Secret) != "demo" {
		t.Errorf("keys = %+v, want one with the secret demo", c.Keys)
	}
}

// A weak key is for the demonstration only.
func TestDemoKeyInAFile(t *testing.T) {
	_, problems := config.Parse("wireroom.yaml", []byte(config.DemoYAML()))
	if len(problems) != 1 || problems[0].Path != "ingest.keys[0].secret" {
		t.Errorf("the demonstration as a file: %v, want only its weak key refused", problems)
	}
	// What is printed for a file can be one, with a key that no other has.
	seen := map[string]bool{"demo": true}
	for range 3 {
		c, problems := config.Parse("wireroom.yaml", []byte(config.DemoFile()))
		if len(problems) > 0 {
			t.Fatalf("the printed demonstration: %v", problems)
		}
		if key := string(c.Keys[0].Secret); seen[key] || len(key) < 16 {
			t.Errorf("it has the ingest key %q", key)
		} else {
			seen[key] = true
		}
	}
	if strings.Contains(config.DemoFile(), "16 characters") {
		t.Error("what is printed asks for another key than it has")
	}
}

func TestKeys(t *testing.T) {
	want := map[string]config.Key{
		"listen.http":                {Kind: "string", Default: "127.0.0.1:8080"},
		"sessions.ttl":               {Kind: "duration", Default: "30d"},
		"ingest.keys[].name":         {Kind: "string", Required: true},
		"ingest.keys[].secret_file":  {Kind: "file with the secret"},
		"queue.bytes":                {Kind: "size", Default: "1MiB"},
		"roles":                      {Kind: "mapping of <role>", Required: true},
		"roles.<role>.publish":       {Kind: "list of patterns"},
		"classes.<class>.retain.for": {Kind: "duration", Default: "0s"},
		"classes.<class>.fields.<field>.type": {
			Kind: "one of string, int, number, bool, time, object, array", Required: true,
		},
	}
	seen := map[string]bool{}
	for _, k := range config.Keys() {
		if seen[k.Path] {
			t.Errorf("Keys has %s twice", k.Path)
		}
		seen[k.Path] = true
		w, ok := want[k.Path]
		if !ok {
			continue
		}
		delete(want, k.Path)
		w.Path = k.Path
		if k != w {
			t.Errorf("Keys has %+v, want %+v", k, w)
		}
	}
	for path := range want {
		t.Errorf("Keys lacks %s", path)
	}
}
