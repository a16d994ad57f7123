package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// An outputFlag is the format that a command answers in.
type outputFlag string

const (
	outputText outputFlag = "text"
	outputJSON outputFlag = "json"
)

// addTo adds the flag -o, --output to a command.
func (o *outputFlag) addTo(cmd *cobra.Command) {
	*o = outputText
	cmd.Flags().VarP(o, "output", "o", "text, or json: one JSON value a line")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]cobra.Completion{string(outputText), string(outputJSON)}, cobra.ShellCompDirectiveNoFileComp))
}

// String, Set and Type make an outputFlag a flag's value.
func (o *outputFlag) String() string { return string(*o) }

// Set accepts "text" and "json".
func (o *outputFlag) Set(s string) error {
	switch v := outputFlag(s); v {
	case outputText, outputJSON:
		*o = v
		return nil
	}
	return fmt.Errorf(`expected "text" or "json"`)
}

// Type is what the help shows as the value.
func (o *outputFlag) Type() string { return "text|json" }

// printJSON writes v as one line of JSON.
func printJSON(w io.Writer, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// jsonText returns v as compact JSON, for a person to read.
func jsonText(v any) string {
	b, err := marshal(v)
	if err != nil {
		return printable(fmt.Sprint(v))
	}
	return string(b)
}

// marshal returns v as compact JSON. What a terminal might take for a command
// is escaped: encoding/json leaves DEL and the control characters beyond ASCII
// as they are.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if !bytes.ContainsFunc(text, func(r rune) bool { return !isPlain(r) }) {
		return text, nil
	}
	var escaped []byte
	for _, r := range string(text) { // valid UTF-8, as encoding/json writes it
		switch {
		case isPlain(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped, nil
}

// printable returns text that somebody else wrote as it may go to a terminal:
// as it is, or, if a part of it is no plain text, in quotes with that escaped.
func printable(s string) string {
	if !utf8.ValidString(s) {
		return strconv.QuoteToGraphic(s)
	}
	for _, r := range s {
		if !isPlain(r) {
			return strconv.QuoteToGraphic(s)
		}
	}
	return s
}

// isPlain reports whether a terminal shows the character and does nothing
// else. The two joiners of scripts and emoji are the only invisible ones that
// are ordinary text; marks that reverse the direction of writing are not.
func isPlain(r rune) bool {
	return strconv.IsGraphic(r) || r == '\u200c' || r == '\u200d'
}

// isTerminal reports whether w is a terminal that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
