package config

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

// demoYAML is the demonstration: a complete configuration, and the example
// that the documentation explains.
//
//go:embed demo.yaml
var demoYAML []byte

// DemoName is what the built-in demonstration goes by in messages.
const DemoName = "(built-in demonstration)"

// Demo returns the configuration of the built-in demonstration. Its store is
// the given file, or if that is empty, one where [StateDir] says.
func Demo(store string) (*Config, Problems) {
	c, problems := parse(DemoName, demoYAML, true)
	if len(problems) > 0 {
		return nil, problems
	}
	if store != "" {
		c.Store.Path = store
		return c, nil
	}
	dir, err := StateDir()
	if err != nil {
		return nil, Problems{{File: DemoName, Text: fmt.Sprintf("there is no place for the store: %v; give one with --store", err)}}
	}
	c.Store.Path = filepath.Join(dir, "demo.db")
	return c, nil
}

// DemoYAML returns the text of the built-in demonstration.
func DemoYAML() string { return string(demoYAML) }

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
