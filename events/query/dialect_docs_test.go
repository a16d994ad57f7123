package query_test

import (
	"os"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

// dialects are the sections of the documentation, and who reads their examples.
var dialects = map[string]func([]byte, query.Options) (*query.Query, error){
	"A JSON tree":          query.ParseJSON,
	"CloudEvents filters":  without(query.ParseCloudEvents),
	"CloudEvents SQL":      without(query.ParseCESQL),
	"EventBridge patterns": without(query.ParseEventBridge),
	"Telegraphy's lookups": without(query.ParseLookups),
}

// without returns a parser of events of which nobody knows what they have.
func without(parse func([]byte, *query.Schema, query.Options) (*query.Query, error)) func([]byte, query.Options) (*query.Query, error) {
	return func(text []byte, options query.Options) (*query.Query, error) { return parse(text, nil, options) }
}

// Every example of docs/eql-dialects.md becomes the EQL below it, or is refused
// with the text below it.
func TestDialectDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/eql-dialects.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		parse := dialects[title]
		if parse == nil {
			t.Errorf("who reads the examples of %q?", title)
			continue
		}
		blocks := strings.Split(rest, "```")
		for i := 1; i+2 < len(blocks); i += 4 {
			_, source, _ := strings.Cut(blocks[i], "\n")
			kind, want, _ := strings.Cut(blocks[i+2], "\n")
			want = strings.TrimSpace(want)
			q, err := parse([]byte(source), query.DefaultOptions())
			var got string
			switch {
			case kind == "eql" && err == nil:
				got = q.String()
			case kind == "text" && err != nil:
				got = err.Error()
			default:
				t.Errorf("%s%s: %v", source, kind, err)
				continue
			}
			if got != want {
				t.Errorf("%sis %s\nwant %s", source, got, want)
			}
			seen[title]++
		}
	}
	for title := range dialects {
		if seen[title] < 2 {
			t.Errorf("%q has %d examples, want 2 at least", title, seen[title])
		}
	}
}
