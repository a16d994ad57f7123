package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
)

func newStore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look at a store, take it elsewhere, trim and verify it",
		Long: `Look at the store of a gateway, take it elsewhere, trim and verify it.

The store is that of the configuration, found as serve finds it, or the one given
with --store. The file of an embedded store can be used only while no gateway has it
open. A store in Redis can be looked at, exported, trimmed and verified beside
gateways.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreInfo(), newStoreExport(), newStoreImport(), newStoreTrim(), newStoreVerify())
	return cmd
}

// A storeFlags says which store is meant.
type storeFlags struct {
	file  string
	store string
}

func (f *storeFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "configuration `file`; if not given, wireroom.yaml or that of the demonstration")
	flags.StringVar(&f.store, "store", "", "`file` of the embedded store or URL of Redis, in place of the configuration's")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// load returns the configuration, and whether it is that of the store: the
// demonstration's is not, if the store is another one.
func (f *storeFlags) load(cmd *cobra.Command) (cfg *config.Config, itsOwn bool, err error) {
	serve := serveFlags{file: f.file, store: strings.TrimPrefix(f.store, "file:")}
	cfg, name, err := serve.load(cmd)
	if err != nil {
		return nil, false, err
	}
	stderr, timeout := cmd.ErrOrStderr(), cfg.Store.Redis.Timeout
	cfg.Store.Redis.Waiting = func(e *redis.Error) {
		fmt.Fprintf(stderr, "wireroom: waiting for Redis at %s, which %s; up to %v\n", e.Place, e.Fault(), timeout)
	}
	return cfg, name != config.DemoName || f.store == "", nil
}

// open opens the store to read it.
func (f *storeFlags) open(cmd *cobra.Command) (*config.Config, bool, storetool.Source, error) {
	cfg, itsOwn, err := f.load(cmd)
	if err != nil {
		return nil, false, nil, err
	}
	s, err := storetool.Open(cmd.Context(), cfg.Store)
	return cfg, itsOwn, s, storeError(cmd.Context(), err)
}

// storeError adds what may help to why a store cannot be used.
func storeError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	e := &exitError{code: exitFailure, err: err}
	ofRedis, isRedis := errors.AsType[*redis.Error](err)
	_, notEmpty := errors.AsType[*storetool.NotEmptyError](err)
	switch {
	case errors.Is(err, redis.ErrInUse):
		e.hint = "stop the gateways first"
	case isRedis:
		e.code, e.hint = redisHint(ofRedis)
	case notEmpty:
		e.hint = "import into an empty store, or with --replace, which removes all that is there"
	case errors.Is(err, embedded.ErrLocked):
		e.hint = "a gateway keeps its file to itself: stop it first; it trims its logs and removes what has expired without being told"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, redis.ErrNoStore):
		e.hint = "a gateway makes its store when it starts; say which one is meant with --config or --store"
	}
	return e
}

// redisHint returns the exit code of an error of Redis, and what may help.
func redisHint(e *redis.Error) (code int, hint string) {
	code, hint = exitRefused, e.Advice
	if !e.Answered {
		code, hint = exitUnreachable, strings.TrimSpace(hint+" Its place is at store, or given with --store")
	}
	return code, hint
}

// isOwnToken reports whether what a store keeps under a hash is the gateway's
// own and not a client's.
func isOwnToken(hash [32]byte) bool { return hash == plainSlot || hash == auth.DecoySlot() }

// isSecretToken reports whether what a store keeps under a hash is a secret.
func isSecretToken(hash [32]byte) bool { return hash == auth.DecoySlot() }

// logFilter returns which logs the classes name: each is a class, in whichever
// realm, or a log as "class@realm". nil: all.
func logFilter(classes []string) func(log string) bool {
	if len(classes) == 0 {
		return nil
	}
	wanted := make(map[string]bool, len(classes))
	for _, c := range classes {
		wanted[c] = true
	}
	return func(log string) bool {
		class, _, _ := strings.Cut(log, "@")
		return wanted[log] || wanted[class]
	}
}

// logClasses returns the class of each log, by the log's name, of all realms of
// the configuration.
func logClasses(ctx context.Context, s storetool.Source, cfg *config.Config) (map[string]*events.Class, error) {
	plain := string(cfg.Realms[0].Name)
	switch t, err := s.Token(ctx, plainSlot); {
	case err == nil:
		plain = t.Client
	case !errors.Is(err, auth.ErrNoToken):
		return nil, err
	}
	classes := make(map[string]*events.Class)
	for i := range cfg.Realms {
		r := &cfg.Realms[i]
		catalogue, err := events.NewCatalogue(r.Classes)
		if err != nil {
			return nil, fmt.Errorf("realm %s: %w", r.Name, err)
		}
		for _, c := range catalogue.Classes() {
			log := c.Name()
			if string(r.Name) != plain {
				log += "@" + string(r.Name)
			}
			classes[log] = c
		}
	}
	return classes, nil
}
