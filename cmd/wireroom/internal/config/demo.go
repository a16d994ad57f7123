package config

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// demoYAML is the demonstration: a complete configuration, and the example
// that the documentation explains.
//
//go:embed demo.yaml
var demoYAML []byte

// DemoName is what the built-in demonstration goes by in messages.
const DemoName = "(built-in demonstration)"

// Demo returns the configuration of the built-in demonstration. Its store is
// at the given place, as [Store.Use] takes it, or if that is empty, in a file
// where [StateDir] says.
func Demo(store string) (*Config, Problems) {
	c, problems := parse(DemoName, demoYAML, true)
	if len(problems) > 0 {
		return nil, problems
	}
	if store == "" {
		dir, err := StateDir()
		if err != nil {
			return nil, Problems{{File: DemoName, Text: fmt.Sprintf("there is no place for the store: %v; give one with --store", err)}}
		}
		store = filepath.Join(dir, "demo.db")
	}
	if err := c.Store.Use(store); err != nil {
		return nil, Problems{{File: DemoName, Text: fmt.Sprintf("the store: %v", err)}}
	}
	return c, nil
}

// DemoYAML returns the text of the built-in demonstration.
func DemoYAML() string { return string(demoYAML) }

// DemoFile returns the demonstration as the start of a configuration file: as it is,
// but with an ingest key that nobody knows, as a file must not have a weak one.
func DemoFile() string {
	return strings.NewReplacer(
		"secret: demo,", "secret: "+rand.Text()+",",
		"the ingest key must then have at least 16 characters.", "the ingest key there is one that nobody else has.",
	).Replace(string(demoYAML))
}

// StateDir returns the folder where a program without a configuration keeps
// what must survive a restart: $XDG_STATE_HOME/wireroom, by default
// ~/.local/state/wireroom. The folder need not exist yet.
func StateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "wireroom"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "wireroom"), nil
}
