package httpapi_test

import (
	"os"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest"
)

// The reference has a section for every type of problem, which is where the
// type's URL leads.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"malformed-json", "method-not-allowed", "unsupported-media-type"}
	for _, kind := range ingest.Kinds {
		names = append(names, kind.String())
	}
	for _, name := range names {
		if !strings.Contains(string(text), "\n### "+name+"\n") {
			t.Errorf("docs/ingest.md has no section %s", name)
		}
	}
}
