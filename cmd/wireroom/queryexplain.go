package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
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
share, its structure, the keys by which an event finds it, and what it costs.
With --class it is checked against an event class.`,
		Example: `  wireroom query explain 'total > 100 && !("test" in tags)'
  wireroom query explain 'total > 100' --class order.created -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			q, _, err := of.read(cmd, argv[0])
			if err != nil {
				return err
			}
			hash := q.Hash()
			x := queryExplanation{
				Query: q.String(), Normal: q.Normal(), Hash: fmt.Sprintf("%x", hash[:]), Class: of.class, Tree: q.Tree(),
				Keys: q.Keys(), Fields: q.Fields(), Cost: costOf(q),
			}
			slices.Sort(x.Fields)
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
	Keys   []string   `json:"keys"`   // conditions, one of which an event has that matches; null: any event may
	Fields []string   `json:"fields"` // of the data, that it is about
	Cost   queryCost  `json:"cost"`
}

// A queryCost is a [query.Estimate] in JSON.
type queryCost struct {
	Anchored bool    `json:"anchored"`
	Share    float64 `json:"share"`
	Work     int     `json:"work"`
	Cost     float64 `json:"cost"` // what budgets count
}

func costOf(q *query.Query) queryCost {
	e := q.Estimate()
	return queryCost{Anchored: e.Anchored, Share: e.Share, Work: e.Work, Cost: float64(e.Cost) / query.Unit}
}

// say says in words what a query costs.
func (c *queryCost) say(keys []string) string {
	which := "events with one of the keys are"
	switch {
	case !c.Anchored:
		which = "every event of the class is"
	case len(keys) == 0:
		return "0: it is never true, and no event is compared with it"
	case len(keys) == 1:
		which = "events with the key are"
	}
	if c.Anchored {
		which = fmt.Sprintf("only %s compared with it, taken for 1 in %s", which, roundShare(c.Share))
	} else {
		which += " compared with it"
	}
	return fmt.Sprintf("%s: %s; %s each", strconv.FormatFloat(c.Cost, 'f', -1, 64), which, count(c.Work, "comparison", "comparisons"))
}

// roundShare writes one divided by a share, as exactly as it is known.
func roundShare(share float64) string {
	n := 1 / share
	if n < 10 {
		return strconv.FormatFloat(n, 'g', 2, 64)
	}
	return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
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
	if len(x.Keys) > 0 {
		b.WriteString("keys\n")
		for _, key := range x.Keys {
			fmt.Fprintln(&b, "  "+printable(key))
		}
	}
	fmt.Fprintf(&b, "cost    %s\n", x.Cost.say(x.Keys))
	_, err := io.WriteString(w, b.String())
	return err
}
