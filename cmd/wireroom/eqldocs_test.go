package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

// blocks returns the code blocks of a text that are in a language.
func blocks(text, language string) (list []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// onlyBlock returns the one code block in a language.
func onlyBlock(t *testing.T, text, language string) string {
	t.Helper()
	list := blocks(text, language)
	if len(list) != 1 {
		t.Fatalf("docs/eql.md has %d blocks of %s, want 1", len(list), language)
	}
	return list[0]
}

// Every query of docs/eql.md says what the comment behind it says: of the event
// above it what it is, or why it is refused.
func TestQueriesOfTheDocumentation(t *testing.T) {
	doc := readDoc(t, "eql.md")
	cfg, problems := config.Parse("wireroom.yaml", []byte(onlyBlock(t, doc, "yaml")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	comment := regexp.MustCompile(`^(.*?\S)\s*// (.*)$`)
	said := map[string]int{}
	for _, block := range blocks(doc, "eql") {
		var class *events.Class
		var sample *query.Sample
		var session *query.Session
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			if name, ok := strings.CutPrefix(line, "// class "); ok {
				class = must(findClass(cfg, "", name))(t)
				continue
			}
			if data, ok := strings.CutPrefix(line, "// event "); ok {
				sample = docSample(t, class, data)
				continue
			}
			if data, ok := strings.CutPrefix(line, "// session "); ok {
				session = docSession(t, data)
				continue
			}
			text, want := line, ""
			if m := comment.FindStringSubmatch(line); m != nil {
				text, want = m[1], m[2]
			}
			options := query.DefaultOptions()
			options.Session = session != nil
			q, err := query.Parse(text, options)
			if err == nil && session != nil {
				q, err = q.Bind(session)
			}
			if err == nil && class != nil {
				err = q.Check(class.Schema())
			}
			got := ""
			switch {
			case err != nil:
				got = err.Error()
				said["refused"]++
			case sample != nil:
				got = q.Eval(sample).String()
				said[got]++
			}
			if got != want {
				t.Errorf("%s\nis %s\nwant %s", text, got, want)
			}
		}
	}
	for _, kind := range []string{"true", "false", "error", "refused"} {
		if said[kind] < 10 {
			t.Errorf("%d examples are %s, want some", said[kind], kind)
		}
	}
}

func docSample(t *testing.T, class *events.Class, data string) *query.Sample {
	t.Helper()
	meta := query.Meta{Time: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	if class == nil {
		return must(query.NewSample(meta, []byte(data)))(t)
	}
	if _, err := class.Check([]byte(data)); err != nil {
		t.Fatal(err)
	}
	return must(class.Schema().NewSample(meta, []byte(data)))(t)
}

func docSession(t *testing.T, data string) *query.Session {
	t.Helper()
	var s struct {
		AuthID, Role string
		Claims       json.RawMessage
	}
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		t.Fatal(err)
	}
	return &query.Session{AuthID: s.AuthID, Role: s.Role, Claims: s.Claims}
}

// Every command that docs/eql.md shows prints what is shown below it.
func TestCommandsOfTheDocumentation(t *testing.T) {
	doc := readDoc(t, "eql.md")
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"wireroom.yaml": onlyBlock(t, doc, "yaml"), "events.jsonl": onlyBlock(t, doc, "jsonl")} {
		if err := os.WriteFile(filepath.Join(".", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shown := 0
	for _, block := range blocks(doc, "console") {
		first, want, _ := strings.Cut(block, "\n")
		words := strings.Split(strings.TrimPrefix(first, "$ wireroom "), "'")
		if len(words) != 3 {
			t.Fatalf("%s: want one argument in '…'", first)
		}
		args := append(append(strings.Fields(words[0]), words[1]), strings.Fields(words[2])...)
		_, stdout, stderr := runCommand(t, "", args...)
		if got := stdout + stderr; got != want {
			t.Errorf("%s\nprints %s\nwant %s", first, got, want)
		}
		shown++
	}
	if shown < 4 {
		t.Errorf("docs/eql.md shows %d commands", shown)
	}
}
