package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong in a configuration file.
type Problem struct {
	File   string `json:"file"`             // as it was given to [Load] or [Parse]
	Line   int    `json:"line,omitempty"`   // from 1; 0: the problem is the file as a whole
	Column int    `json:"column,omitempty"` // from 1, in characters; 0 with Line
	Path   string `json:"path,omitempty"`   // the keys that lead there, such as "listen.http"; may be empty
	Text   string `json:"text"`             // what is wrong, what is allowed and what was found
}

// String returns "file:line:column: path: text", without the parts that are
// not known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems are all that is wrong in one file, in the order of the file. As an
// error it prints one problem a line.
type Problems []Problem

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems in the order of the file, each once.
func (ps Problems) sort() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}
