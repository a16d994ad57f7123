//go:build linux

package bench

import (
	"crypto/tls"
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
	var n nexusServer
	cmd := &cobra.Command{
		Use:    "nexus-server",
		Short:  "Serve nexus's router until the standard input ends",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return n.serve(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.listen, "listen", "127.0.0.1:0", "address to listen on")
	f.StringVar(&n.realm, "realm", defaultRealm, "realm to serve")
	f.StringVar(&n.cert, "cert", "", "file with a certificate, for TLS")
	f.StringVar(&n.key, "key", "", "file with its key")
	f.BoolVar(&n.deflate, "deflate", false, "agree to permessage-deflate")
	return cmd
}

// A nexusServer is the flags of that subcommand.
type nexusServer struct {
	listen, realm string
	cert, key     string // files; empty: no TLS
	deflate       bool
}

// serve serves until in ends.
func (n *nexusServer) serve(in io.Reader, out io.Writer) error {
	r, err := router.NewRouter(&router.Config{
		RealmConfigs: []*router.RealmConfig{{URI: wamp.URI(n.realm), AnonymousAuth: true, AllowDisclose: true}},
	}, log.New(io.Discard, "", 0))
	if err != nil {
		return err
	}
	defer r.Close()
	ln, err := net.Listen("tcp", n.listen)
	if err != nil {
		return err
	}
	if n.cert != "" {
		pair, err := tls.LoadX509KeyPair(n.cert, n.key)
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	h := router.NewWebsocketServer(r)
	h.Upgrader.EnableCompression = n.deflate
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
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
