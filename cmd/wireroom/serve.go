package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
)

// A serveFlags is how serve was called.
type serveFlags struct {
	file      string
	listen    string
	store     string
	logFormat string
	logLevel  string
	printDemo bool
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway until SIGINT or SIGTERM; a second signal ends it at once.

The configuration is wireroom.yaml in the current folder, or the file given with
--config. Without either, a complete demonstration is served, with its store in
$XDG_STATE_HOME/wireroom (by default ~/.local/state/wireroom).`,
		Example: `  wireroom serve
  wireroom serve --config /etc/wireroom/wireroom.yaml --log-format json
  wireroom serve --print-demo > wireroom.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "configuration `file`")
	flags.StringVar(&f.listen, "listen", "", "`host:port` to listen on, in place of listen.http")
	flags.StringVar(&f.store, "store", "", "`file` of the embedded store or URL of Redis, in place of store")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.BoolVar(&f.printDemo, "print-demo", false, "print the configuration of the demonstration, with a new ingest key, and end")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions(
		[]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(
		[]cobra.Completion{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func serve(cmd *cobra.Command, f *serveFlags) error {
	if f.printDemo {
		_, err := io.WriteString(cmd.OutOrStdout(), config.DemoFile())
		return err
	}
	log, err := newLogger(cmd.ErrOrStderr(), f)
	if err != nil {
		return err
	}
	cfg, name, err := f.load(cmd)
	if err != nil {
		return err
	}
	raiseHeap(os.Getenv)
	g, err := newGateway(cmd.Context(), cfg, log)
	if err != nil {
		return startError(cmd.Context(), err)
	}
	greet(cmd.OutOrStdout(), cfg, name, g.listener.Addr(), g.raw)
	log.Info("serving",
		"http", g.listener.Addr().String(), "tls", cfg.Listen.TLS != nil, "realms", realmNames(cfg),
		"config", name, "store", cfg.Store.Name(), "classes", countClasses(cfg), "version", readVersion().Version)
	return g.run(cmd.Context())
}

// load reads the configuration that the flags ask for, and returns its name.
func (f *serveFlags) load(cmd *cobra.Command) (*config.Config, string, error) {
	name, read := f.file, config.Load
	if name == "" {
		name = config.DefaultFile
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			name = config.DemoName
			read = func(string) (*config.Config, config.Problems) { return config.Demo(f.store) }
		}
	}
	cfg, problems := read(name)
	if len(problems) > 0 {
		return nil, name, configError(cmd, outputText, name, problems, nil)
	}
	if f.store != "" {
		if err := cfg.Store.Use(f.store); err != nil {
			return nil, name, usageErrorf("--store: %v", err)
		}
	}
	if f.listen != "" {
		if _, _, err := net.SplitHostPort(f.listen); err != nil {
			return nil, name, usageErrorf("--listen: expected host:port, found %q", f.listen)
		}
		cfg.Listen.HTTP = f.listen
	}
	return cfg, name, nil
}

// newLogger returns the logger that the flags ask for.
func newLogger(w io.Writer, f *serveFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usageErrorf("--log-level: expected debug, info, warn or error, found %q", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usageErrorf("--log-format: expected text or json, found %q", f.logFormat)
}

// startError adds what may help to why the gateway cannot start.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted // while it waited for something
	}
	e := &exitError{code: exitFailure, err: err}
	ofRedis, isRedis := errors.AsType[*redis.Error](err)
	ofStore := strings.HasPrefix(err.Error(), "store file") || strings.HasPrefix(err.Error(), "make the folder of the store")
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && strings.HasPrefix(err.Error(), "listen.rawsocket"):
		e.hint = "another program listens there; give another address at listen.rawsocket"
	case errors.Is(err, syscall.EADDRINUSE):
		e.hint = "another program listens there; give another address with --listen"
	case errors.Is(err, syscall.EACCES) && strings.HasPrefix(err.Error(), "listen"):
		e.hint = "ports below 1024 need a privilege; give another address with --listen"
	case errors.Is(err, embedded.ErrLocked):
		e.hint = "a store file is for one gateway; stop the other one, or give another place with --store"
	case ofStore && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
		e.hint = "the gateway must be able to write the store's file and its folder; give another place at store or with --store"
	case isRedis:
		e.code, e.hint = redisHint(ofRedis)
	}
	return e
}

// greet tells a person what to do next.
func greet(w io.Writer, cfg *config.Config, name string, addr net.Addr, raw []net.Listener) {
	base := baseURL(cfg, addr)
	what := "realm"
	if len(cfg.Realms) > 1 {
		what = "realms"
	}
	fmt.Fprintf(w, "\nWireroom is serving the %s %s.\n\n", what, strings.Join(realmNames(cfg), ", "))
	if name == config.DemoName {
		fmt.Fprintf(w, "  This is the demonstration; its store is %s\n", cfg.Store.Name())
	}
	warnWeakKeys(w, cfg, addr)
	fmt.Fprintf(w, "  Open    %s/\n", base)
	fmt.Fprintf(w, "  WAMP    %s/ws\n", strings.Replace(base, "http", "ws", 1))
	for _, ln := range raw {
		fmt.Fprintf(w, "  WAMP    %s (RawSocket)\n", rawURL(cfg, ln.Addr()))
	}
	fmt.Fprintf(w, "  Post    %s/RPC2 (XML-RPC), %s/events (HTTP)\n", base, base)
	if name == config.DemoName {
		fmt.Fprintf(w, `
Paste this into a Python prompt, and see the event appear on the page:

    import xmlrpc.client
    xmlrpc.client.ServerProxy("%s/RPC2").event.publish("demo", "demo.message", {"room": "lobby", "text": "hello"})

`, base)
		return
	}
	fmt.Fprintln(w)
}

// realmNames returns the names of the realms in the order of the file.
func realmNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Realms))
	for i := range cfg.Realms {
		names[i] = string(cfg.Realms[i].Name)
	}
	return names
}

// countClasses returns how many event classes all realms have.
func countClasses(cfg *config.Config) (n int) {
	for i := range cfg.Realms {
		n += len(cfg.Realms[i].Classes)
	}
	return n
}

// rawURL returns the URL at which the command finds a RawSocket of the gateway.
func rawURL(cfg *config.Config, addr net.Addr) string {
	scheme := "rs"
	switch {
	case addr.Network() == "unix":
		return "unix:" + addr.String()
	case cfg.Listen.TLS != nil:
		scheme = "rss"
	}
	return scheme + "://" + addr.String()
}

// warnWeakKeys warns of keys that everybody knows, at an address that others
// can reach.
func warnWeakKeys(w io.Writer, cfg *config.Config, addr net.Addr) {
	host, _, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsLoopback() {
		return
	}
	for _, key := range cfg.Keys {
		if key.AllowWeak {
			fmt.Fprintf(w, "  WARNING: anyone who reaches %s can post events with the public key %q.\n"+
				"           Listen on 127.0.0.1, or serve a file with keys of your own.\n", addr, string(key.Secret))
		}
	}
}

// baseURL returns the URL at which a browser on this machine finds the gateway.
func baseURL(cfg *config.Config, addr net.Addr) string {
	scheme := "http"
	if cfg.Listen.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
