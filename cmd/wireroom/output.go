package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

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
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// jsonText returns v as compact JSON, for a person to read.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
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
