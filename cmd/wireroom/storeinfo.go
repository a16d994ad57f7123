package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
)

func newStoreInfo() *cobra.Command {
	var f storeFlags
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Say what is in a store, and how safe it is there",
		Long: `Say what is in a store: of each log its class, realm, epoch, first and last offset,
size and age; how many tokens and persistent subscriptions there are; and of Redis
how much of what it acknowledged it may lose, and which gateways use it, with which
configuration. Nothing is written.`,
		Example: `  wireroom store info
  wireroom store info --store redis://127.0.0.1:6379 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = s.Close() }()
			p := newStoreProgress(cmd.ErrOrStderr(), "read")
			p.quiet = true
			now := time.Now()
			info, err := storetool.Describe(cmd.Context(), s, plainSlot, isOwnToken, now, p)
			p.end()
			if err != nil {
				return storeError(cmd.Context(), err)
			}
			info.Store = cfg.Store.Name()
			if output == outputJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			return printInfo(cmd.OutOrStdout(), &info, now)
		},
	}
	f.addTo(cmd)
	output.addTo(cmd)
	return cmd
}

// printInfo prints what is in a store for a person.
func printInfo(w io.Writer, i *storetool.Info, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "store          %s\n", printable(i.Store))
	if f := i.File; f != nil {
		fmt.Fprintf(&b, "file           %s, of which %s are free; format %d; last written %s ago\n", sizeText(f.Bytes), sizeText(f.Free), f.Format, agoText(now, f.Modified))
	}
	if r := i.Redis; r != nil {
		printRedis(&b, r)
	}
	printGateways(&b, i)
	fmt.Fprintf(&b, "tokens         %d live, of %s; %d expired\n", i.Tokens.Live, count(int(i.Tokens.Users), "user", "users"), i.Tokens.Expired)
	if len(i.Subscriptions) == 0 {
		fmt.Fprintf(&b, "subscriptions  none are persistent\n")
	}
	if len(i.Logs) == 0 {
		fmt.Fprintf(&b, "logs           none\n")
	}
	if len(i.Logs) > 0 {
		t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "\nLOG OF\tREALM\tEPOCH\tOFFSETS\tEVENTS\tSIZE\tOLDEST\tNEWEST")
		stale := false
		for _, l := range i.Logs {
			offsets := "none yet"
			switch {
			case l.Events > 0:
				offsets = fmt.Sprintf("%d to %d", l.First, l.Last)
			case l.Last > 0:
				offsets = fmt.Sprintf("gone up to %d", l.Last)
			}
			mark := ""
			if l.Stale {
				mark, stale = "*", true
			}
			fmt.Fprintf(t, "%s\t%s\t%s%s\t%s\t%d\t%s\t%s\t%s\n", printable(l.Class), printable(l.Realm), printable(l.Epoch), mark, offsets, l.Events,
				sizeText(l.Bytes), timeText(l.Oldest), timeText(l.Newest))
		}
		_ = t.Flush() // into memory
		if stale {
			fmt.Fprintln(&b, "* Redis may have lost the end of this log: the next gateway begins a new epoch in it.")
		}
	}
	if len(i.Subscriptions) > 0 {
		t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "\nSUBSCRIPTIONS TO\tREALM\tLIVE\tEXPIRED\tFURTHEST BEHIND")
		for _, s := range i.Subscriptions {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", printable(s.Class), printable(s.Realm), s.Live, s.Expired, count(int(s.Behind), "event", "events"))
		}
		_ = t.Flush() // into memory
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printRedis(b *strings.Builder, r *storetool.RedisInfo) {
	if r.Server != "" {
		limit := "no limit"
		if r.MaxMemory > 0 {
			limit = "a limit of " + sizeText(r.MaxMemory)
		}
		fmt.Fprintf(b, "server         %s, %s with %s\n", printable(r.Server), printable(r.Role), count(r.Replicas, "replica", "replicas"))
		fmt.Fprintf(b, "memory         %s in use, with %s; maxmemory-policy %s\n", sizeText(r.Memory), limit, printable(r.Policy))
	}
	fmt.Fprintf(b, "safety         %s\n", r.Promise)
}

// printGateways prints which gateways use a store in Redis, and with which
// configuration.
func printGateways(b *strings.Builder, i *storetool.Info) {
	if i.Redis == nil {
		return
	}
	if len(i.Gateways) == 0 {
		fmt.Fprintln(b, "gateways       none use it now")
		return
	}
	fmt.Fprintf(b, "gateways       %s; epoch %d of the configuration\n\n", count(len(i.Gateways), "uses it", "use it"), i.Epoch)
	t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "GATEWAY\tNODE\tSINCE\tEPOCH\tCONFIGURATION")
	for _, g := range i.Gateways {
		name, epoch := g.Name, strconv.FormatUint(g.Epoch, 10)
		if name == "" {
			name = "-" // of an older version, or it has just come
		}
		if g.Epoch == 0 {
			epoch = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", printable(name), printable(g.Node), timeText(g.Since), epoch, g.Configuration)
	}
	_ = t.Flush() // into memory
	fmt.Fprintln(b)
}

// sizeText returns a number of bytes for people.
func sizeText(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	v, unit := float64(n), 0
	for v >= 1024 && unit < 4 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", v, " KMGT"[unit])
}

// timeText returns a time for people, or a dash.
func timeText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// agoText returns how long ago a time is.
func agoText(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
