//go:build linux

package bench

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gammazero/nexus/v3/router"
	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

// newNexusServer returns the hidden subcommand that is nexus's router over
// WebSocket, with its own defaults. It does not log: a peer that is measured
// should not pay for what nobody reads.
func newNexusServer() *cobra.Command {
	var listen, realm string
	cmd := &cobra.Command{
		Use:    "nexus-server",
		Short:  "Serve nexus's router until the standard input ends",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveNexus(listen, realm, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	cmd.Flags().StringVar(&realm, "realm", defaultRealm, "realm to serve")
	return cmd
}

// serveNexus serves until in ends.
func serveNexus(listen, realm string, in io.Reader, out io.Writer) error {
	r, err := router.NewRouter(&router.Config{
		RealmConfigs: []*router.RealmConfig{{URI: wamp.URI(realm), AnonymousAuth: true, AllowDisclose: true}},
	}, log.New(io.Discard, "", 0))
	if err != nil {
		return err
	}
	defer r.Close()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: router.NewWebsocketServer(r), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	fmt.Fprintf(out, "listening %s\n", ln.Addr())
	_, _ = io.Copy(io.Discard, in)
	// The sessions end with the process; closing thousands in good order
	// would only make the next round wait.
	_ = srv.Close()
	<-served
	return nil
}
