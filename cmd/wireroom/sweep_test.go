package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// A persistent subscription that has expired a moment ago may be one that a session
// has, and that is about to be written again: it is not removed yet.
func TestSweepPersistent(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	store := must(embedded.Open(filepath.Join(t.TempDir(), "wireroom.db"), embedded.DefaultConfig(), log))(t)
	t.Cleanup(func() { _ = store.Close() })
	now := time.Now()
	for name, ago := range map[string]time.Duration{"lives": -time.Hour, "a moment ago": 50 * time.Minute, "long ago": 70 * time.Minute} {
		p := &events.Persistent{Owner: "ada", Name: name, Class: "log", Seen: now.Add(-2 * time.Hour), Expires: now.Add(-ago), For: time.Hour}
		if err := store.PutPersistent(t.Context(), p, 10); err != nil {
			t.Fatal(err)
		}
	}
	g := &gateway{log: log, store: store, sessions: auth.NewSessions(auth.DefaultSessionConfig(), store, nil, nil, log)}
	ctx, cancel := context.WithCancel(t.Context())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { g.sweepTokens(ctx) })
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := store.Persistent(t.Context(), "ada", "long ago"); errors.Is(err, events.ErrNotPersistent) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what has expired long ago is there still")
		}
	}
	cancel()
	sweeping.Wait()
	for _, name := range []string{"lives", "a moment ago"} {
		if _, err := store.Persistent(t.Context(), "ada", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
