package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// docs/configuration.md has every key with its type and default, and no other.
func TestConfigurationReference(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\| (.*?) ?\\| .* \\|$")
	type entry struct{ kind, def string }
	documented := map[string]entry{}
	for _, m := range row.FindAllStringSubmatch(readDoc(t, "configuration.md"), -1) {
		documented[m[1]] = entry{strings.ReplaceAll(m[2], "`", ""), m[3]}
	}
	for _, k := range config.Keys() {
		want := entry{k.Kind, k.Default}
		if k.Required {
			want.def = "required"
		}
		got, ok := documented[k.Path]
		switch {
		case !ok:
			t.Errorf("docs/configuration.md lacks %s", k.Path)
		case got != want:
			t.Errorf("docs/configuration.md says of %s: value %q, default %q; want %q, %q", k.Path, got.kind, got.def, want.kind, want.def)
		}
		delete(documented, k.Path)
	}
	for path := range documented {
		t.Errorf("docs/configuration.md has %s, which is no key", path)
	}
}

// The examples of docs/configuration.md that are whole files are valid, but
// for the files that they name.
func TestConfigurationExamples(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDoc(t, "configuration.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/configuration.md has no example")
	}
	for _, b := range blocks {
		dir := t.TempDir()
		for _, key := range []string{"jwt.key", "shop.key"} {
			if err := os.WriteFile(filepath.Join(dir, key), []byte(key+strings.Repeat("-", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, problems := config.Parse(filepath.Join(dir, "wireroom.yaml"), []byte(b[1])); len(problems) > 0 {
			t.Errorf("%v\n%s", problems, b[1])
		}
	}
}

// docs/cli.md has every command, every flag and every exit code.
func TestCommandReference(t *testing.T) {
	doc := readDoc(t, "cli.md")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || strings.HasPrefix(c.CommandPath(), "wireroom bench ") {
			return // docs/benchmarks.md has the commands of bench
		}
		if c.HasParent() && !strings.Contains(doc, "`"+c.CommandPath()) {
			t.Errorf("docs/cli.md lacks the command %s", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(doc, "`--"+f.Name) {
				t.Errorf("docs/cli.md lacks the flag --%s of %s", f.Name, c.CommandPath())
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	for _, code := range []string{"| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 5 |", "| 130 |"} {
		if !strings.Contains(doc, code) {
			t.Errorf("docs/cli.md lacks the exit code %s", strings.Trim(code, "| "))
		}
	}
}
