package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

// clearScreen erases the screen of a terminal.
const clearScreen = "\x1b[2J"

func TestPrintable(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{`"quoted" \ text`, `"quoted" \ text`},
		{"Grüße, 世界, שלום, नमस्ते", "Grüße, 世界, שלום, नमस्ते"},
		{"no\u00a0break", "no\u00a0break"},
		{"👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"},
		{clearScreen, `"\x1b[2J"`},
		{"é" + clearScreen, `"é\x1b[2J"`},
		{"two\nlines", `"two\nlines"`},
		{"\u009b2J", `"\u009b2J"`},
		{"\x7f", `"\x7f"`},
		{"right \u202e to left", `"right \u202e to left"`},
		{"bad \xff UTF-8", `"bad \xff UTF-8"`},
	}
	for _, tt := range tests {
		if got := printable(tt.text); got != tt.want {
			t.Errorf("printable(%+q) = %+q, want %+q", tt.text, got, tt.want)
		}
	}
}

// JSON for people and for programs is plain text, and keeps its meaning.
func TestJSONIsPlain(t *testing.T) {
	v := map[string]any{"a\x7f": "\u009b2J \x1b é <&> 👩\u200d💻 \u202e \U000e0001"}
	want := `{"a\u007f":"\u009b2J \u001b é <&> 👩` + "\u200d" + `💻 \u202e \udb40\udc01"}`
	if got := jsonText(v); got != want {
		t.Errorf("jsonText = %+q, want %+q", got, want)
	}
	var out bytes.Buffer
	if err := printJSON(&out, v); err != nil || out.String() != want+"\n" {
		t.Errorf("printJSON writes %+q, %v; want %+q", out.String(), err, want)
	}
	back, err := parseJSON(want)
	if err != nil || jsonText(back) != want || back.(map[string]any)["a\x7f"] != v["a\x7f"] {
		t.Errorf("parsed again it is %+q, %v; want %+q", back, err, v)
	}
}

// What others chose cannot move the cursor of whoever watches.
func TestNoTerminalEscapes(t *testing.T) {
	event := &wamp.Event{
		ArgumentsKw: wamp.Dict{"text": clearScreen + "\u009b2J"},
		Details:     wamp.Dict{"_offset": clearScreen, "_replayed": true, "_missed": 3, "_other": clearScreen},
	}
	cmd := &cobra.Command{}
	var results bytes.Buffer
	cmd.SetOut(&results)
	if err := printResult(cmd, outputText, &wamp.Result{Arguments: wamp.List{clearScreen, []any{clearScreen}}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, got, want string }{
		{"event", eventLine("demo."+clearScreen, event), ` "demo.\x1b[2J" {"text":"\u001b[2J\u009b2J"} (offset="\u001b[2J" replayed=true missed=3)`},
		{"result", results.String(), `"\x1b[2J"` + "\n" + `["\u001b[2J"]` + "\n"},
		{"refusal", (&refusal{URI: "a.b", Text: clearScreen}).Error(), `"\x1b[2J" (a.b)`},
		{"refusal without text", (&refusal{URI: "a." + clearScreen}).Error(), `"a.\x1b[2J"`},
	}
	for _, tt := range tests {
		if !strings.HasSuffix(tt.got, tt.want) || strings.ContainsAny(tt.got, "\x1b\u009b") {
			t.Errorf("%s: %+q, want %+q at the end", tt.name, tt.got, tt.want)
		}
	}
}
