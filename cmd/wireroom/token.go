package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token for a user",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	cmd.AddCommand(newTokenJWT(), newTokenSession())
	return cmd
}

// A durationFlag is a duration that may be in days: "7d".
type durationFlag time.Duration

// String, Set and Type make a durationFlag a flag's value.
func (d *durationFlag) String() string {
	if *d == 0 {
		return ""
	}
	return config.FormatDuration(time.Duration(*d))
}

// Set accepts what [config.ParseDuration] does, above zero.
func (d *durationFlag) Set(s string) error {
	v, err := config.ParseDuration(s)
	if err != nil || v <= 0 {
		return fmt.Errorf("expected a duration above 0, such as 10m, 24h or 7d")
	}
	*d = durationFlag(v)
	return nil
}

// Type is what the help shows as the value.
func (d *durationFlag) Type() string { return "duration" }

func newTokenSession() *cobra.Command {
	var (
		output  outputFlag
		xmlrpc  string
		key     string
		roles   []string
		ttl     durationFlag
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "session USER",
		Short: "Ask a gateway for a session token",
		Long: `Ask a gateway for a session token, as a web application does for its users.

The token is good at the gateway's /session (Authorization: Bearer), which gives
a cookie for it, and as a WAMP ticket.`,
		Example: `  wireroom token session ada --role member --ttl 1h --key demo`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			c, err := newXMLRPCClient(xmlrpc, envFlag(key, "WIREROOM_KEY"), timeout)
			if err != nil {
				return err
			}
			defer c.http.CloseIdleConnections()
			list := make([]any, len(roles))
			for i, r := range roles {
				list[i] = r
			}
			params := []any{argv[0], list}
			if ttl != 0 {
				params = append(params, max(1, int(time.Duration(ttl)/time.Second)))
			}
			var token string
			if err := c.call(cmd.Context(), &token, "session.token", params...); err != nil {
				return err
			}
			return printToken(cmd, output, token, argv[0], roles)
		},
	}
	output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&xmlrpc, "xmlrpc", "http://127.0.0.1:8080/RPC2", "`URL` of the gateway's XML-RPC")
	flags.StringVar(&key, "key", "", "ingest `key` (or $WIREROOM_KEY)")
	flags.StringSliceVar(&roles, "role", nil, "`role` of the user; more than once, or a,b")
	flags.Var(&ttl, "ttl", "how long the token is good for; the gateway's own time if not given")
	flags.DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	return cmd
}

func printToken(cmd *cobra.Command, output outputFlag, token, user string, roles []string) error {
	if output == outputJSON {
		return printJSON(cmd.OutOrStdout(), struct {
			Token string   `json:"token"`
			User  string   `json:"user"`
			Roles []string `json:"roles,omitempty"`
		}{token, user, roles})
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "token for %s, roles: %s\n", user, strings.Join(roles, ", "))
	_, err := fmt.Fprintln(cmd.OutOrStdout(), token)
	return err
}
