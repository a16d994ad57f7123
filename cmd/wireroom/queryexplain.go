package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/events/query"
)

func newQueryExplain() *cobra.Command {
	var of queryFlags
	cmd := &cobra.Command{
		Use:   "explain EXPR",
		Short: "Show how a query is read",
		Long: `Show how a query is read: its normal form, which queries that say the same
share, and its structure. With --class it is checked against an event class.`,
		Example: `  wireroom query explain 'total > 100 && !("test" in tags)'
  wireroom query explain 'total > 100' --class order.created -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			q, _, err := of.read(cmd, argv[0])
			if err != nil {
				return err
			}
			hash := q.Hash()
			x := queryExplanation{Query: q.String(), Normal: q.Normal(), Hash: fmt.Sprintf("%x", hash[:]), Class: of.class, Tree: q.Tree()}
			if of.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), x)
			}
			return x.print(cmd.OutOrStdout())
		},
	}
	of.addTo(cmd)
	return cmd
}

// A queryExplanation is what query explain answers.
type queryExplanation struct {
	Query  string     `json:"query"`
	Normal string     `json:"normal"`
	Hash   string     `json:"hash"` // of the normal form
	Class  string     `json:"class,omitempty"`
	Tree   query.Node `json:"tree"`
}

func (x *queryExplanation) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "query   %s\nnormal  %s\nhash    %s\n", printable(x.Query), printable(x.Normal), x.Hash)
	if x.Class != "" {
		fmt.Fprintf(&b, "class   %s: it fits\n", x.Class)
	}
	b.WriteString("tree\n")
	var walk func(n *query.Node, indent string)
	walk = func(n *query.Node, indent string) {
		text := n.Op
		if n.Op == "leaf" || n.Op == "exists" {
			text = printable(n.Text)
		}
		fmt.Fprintln(&b, indent+text)
		for i := range n.Kids {
			walk(&n.Kids[i], indent+"  ")
		}
	}
	walk(&x.Tree, "  ")
	_, err := io.WriteString(w, b.String())
	return err
}
