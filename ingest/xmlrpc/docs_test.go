package xmlrpc_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// The reference has every method and every fault code.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	listed := result(post(newHandler(checked()), request("system.listMethods")))
	for line := range strings.SplitSeq(listed, "<string>") {
		name, _, ok := strings.Cut(line, "</string>")
		if ok && !strings.Contains(doc, "| `"+name+"(") {
			t.Errorf("docs/ingest.md does not have the method %s", name)
		}
	}
	codes := []int{
		xmlrpc.CodeNotWellFormed, xmlrpc.CodeEncoding, xmlrpc.CodeCharacter, xmlrpc.CodeNotXMLRPC, xmlrpc.CodeUnknownMethod,
	}
	for _, kind := range ingest.Kinds {
		codes = append(codes, xmlrpc.Code(kind))
	}
	for _, code := range codes {
		if !strings.Contains(doc, fmt.Sprintf("\n| %d |", code)) {
			t.Errorf("docs/ingest.md does not have the fault code %d", code)
		}
	}
}
