// Package config reads the configuration file of the gateway.
//
// Every room of the house declares, defaults and validates its own part and
// knows nothing of files. This package reads one YAML file into these parts,
// strictly: a key that it does not know, a key that is there twice, a value of
// another type or out of its range are problems, and so is everything that the
// parts' Validate methods report. All problems are found at once, each with
// the line and column that it stands at ([Problem]).
//
// Every key that names a file, as secret_file does, has a twin without _file
// that holds the value itself. Values of secrets are never printed.
//
// The package starts no goroutine. The calls of an object's getters are the
// schema; [Keys] lists it, and a test compares docs/configuration.md with it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/transport"
)

// DefaultFile is the file that is read when none is named.
const DefaultFile = "wireroom.yaml"

// maxFile is how many bytes a configuration file may have.
const maxFile = 4 << 20

// A Config is what a configuration file says. Every part of it is valid.
type Config struct {
	Listen Listen
	Store  Store
	Realms []Realm // in the order of the file; at least one

	Sessions   auth.SessionConfig
	Persistent events.KeeperConfig
	JWT        *auth.JWTConfig // nil: no JWT is accepted
	Dynamic    dynamic.Config
	Keys       auth.KeysConfig // each of one of Realms
	Origins    []string        // as [auth.NewOrigins] takes them

	Queries events.QueryConfig // of all realms, without Roles

	Presence presence.Config // of all realms, but MaxEvents, which is that of Router.MaxMetaEvents

	Ingest    Ingest
	Bridge    *Bridge // nil: none
	Webhooks  []Webhook
	Router    router.Config
	Transport transport.Config         // without Origins and Identify
	LongPoll  transport.LongPollConfig // without what others decide, and Identify

	EventSource transport.EventSourceConfig // likewise, without Realm and Position

	Shutdown time.Duration // for everything to come to an end

	certificates certificatePlaces
}

// An Ingest bounds what web applications post.
type Ingest struct {
	MaxBody   int           // bytes of one request
	MaxDepth  int           // of nested arrays and objects
	MaxEvents int           // of one request
	Timeout   time.Duration // for a request to arrive
}

// A Store is where tokens and event logs are kept.
type Store struct {
	Path  string       // of the embedded store's file
	Redis redis.Config // without a URL, the store is that file
}

// Name says where the store is, without a password.
func (s Store) Name() string {
	if s.Redis.URL != "" {
		return redis.Redacted(s.Redis.URL)
	}
	return s.Path
}

// Use has the store at place, which is a URL of Redis or the name of a file.
// The error says what is wrong with the URL.
func (s *Store) Use(place string) error {
	if redis.IsURL(place) {
		s.Redis.URL = place
		return redis.CheckURL(place)
	}
	s.Redis.URL, s.Path = "", place
	return nil
}

// Load reads a configuration file. Relative names of files in it are relative
// to its folder. With any problem the Config is nil.
func Load(path string) (*Config, Problems) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Problems{{File: path, Text: "the configuration cannot be read: " + cause(err)}}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, Problems{{File: path, Text: "the configuration cannot be read: " + cause(err)}}
	}
	return Parse(path, data)
}

// Parse reads the contents of a configuration file. Problems name the file as
// name does, and relative names of files are relative to name's folder. With
// any problem the Config is nil.
func Parse(name string, data []byte) (*Config, Problems) {
	if len(data) > maxFile {
		return nil, Problems{{File: name, Text: fmt.Sprintf("expected at most %s, found more", formatSize(maxFile))}}
	}
	return parse(name, data, false)
}

func parse(name string, data []byte, builtIn bool) (*Config, Problems) {
	d := &decoder{file: name, dir: filepath.Dir(name), builtIn: builtIn, at: map[string]*yaml.Node{}, skip: map[string]bool{}}
	c := Default()
	if root := d.parse(data); root != nil {
		d.at[""] = root
		d.object(root, "", func(o *object) { c.read(o) })
	}
	if problems := d.all(); len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// Keys lists every key that a configuration file may have, in the order in
// which they are read.
func Keys() []Key {
	d := &decoder{describe: true, skip: map[string]bool{}}
	d.object(nil, "", func(o *object) { Default().read(o) })
	return d.keys
}

// parse returns the root of the one document, or nil with a problem.
func (d *decoder) parse(data []byte) *yaml.Node {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		d.syntax(data, err)
		return nil
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF), err == nil && first.Kind != yaml.DocumentNode, err == nil && len(first.Content) == 0:
		d.problems = append(d.problems, Problem{File: d.file, Line: 1, Column: 1, Text: "expected a mapping (key: value), found an empty file"})
		return nil
	case err != nil:
		d.syntax(data, err)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0]
	case err != nil:
		d.syntax(data, err)
	default:
		d.reportf(&second, "", "expected one YAML document, found another")
	}
	return nil
}

// syntax reports an error of the YAML parser.
func (d *decoder) syntax(data []byte, err error) {
	p := Problem{File: d.file, Line: 1, Column: 1, Text: "expected YAML: " + err.Error()}
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(all.Errors) > 0 {
		err = all.Errors[0]
	}
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		p.Text = "expected YAML: " + e.Message
		if e.ContextMsg != "" {
			p.Text += " " + e.ContextMsg
		}
		switch {
		case e.Mark.Line > 0:
			p.Line, p.Column = e.Mark.Line, max(1, e.Mark.Column)
		case e.Mark.Index > 0 && e.Mark.Index <= len(data):
			before := data[:e.Mark.Index]
			p.Line = 1 + bytes.Count(before, []byte("\n"))
			p.Column = 1 + len(bytes.Runes(before[bytes.LastIndexByte(before, '\n')+1:]))
		}
		// The parser quotes the file, which may hold secrets; and people
		// write subscribe: [*] and wonder.
		if strings.Contains(e.Message, "anchor") || strings.Contains(e.ContextMsg, "alias") || strings.Contains(e.ContextMsg, "anchor") {
			p.Text = `expected YAML: a value that begins with * or & must be in quotes, as "*"`
		}
	}
	d.problems = append(d.problems, p)
}

// cause says why a file cannot be read without repeating its name.
func cause(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}
