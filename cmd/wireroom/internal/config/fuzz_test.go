package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// Whatever the file, Parse either returns a configuration or problems, each of
// them at a place that the file has.
func FuzzParse(f *testing.F) {
	f.Add([]byte(config.DemoYAML()))
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		yaml, _, _ := strings.Cut(string(text), separator)
		f.Add([]byte(yaml))
	}
	// YAML ends lines in more ways than one.
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := config.Parse("wireroom.yaml", data)
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("Parse returns %v and %d problems", c, len(problems))
		}
		lines := strings.Split(breaks.Replace(string(data)), "\n")
		for i, p := range problems {
			if p.File != "wireroom.yaml" {
				break // of a file with users, which come last
			}
			if p.Line < 1 || p.Line > len(lines)+1 || p.Column < 1 || p.Column > len(data)+2 {
				t.Errorf("problem %s is outside of the %d lines", p, len(lines))
			}
			if i > 0 && problems[i-1].Line > p.Line {
				t.Errorf("problem %s comes after %s", p, problems[i-1])
			}
			if p.Text == "" || strings.ContainsAny(p.Text, "\n") {
				t.Errorf("problem %q should be one line", p.Text)
			}
		}
	})
}
