package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/storetest"
	"github.com/wireroom/wireroom/router/wamp"
)

func openTestStore(t *testing.T, dir string) *embedded.Store {
	t.Helper()
	return must(embedded.Open(filepath.Join(dir, "wireroom.db"), embedded.DefaultConfig(), slog.New(slog.DiscardHandler)))(t)
}

// The part of a store that one realm sees is a store.
func TestLogsOfARealm(t *testing.T) {
	storetest.RunLog(t, func(t *testing.T, dir string) storetest.Log {
		store := openTestStore(t, dir)
		return struct {
			events.Store
			closer
		}{realmLogs(store, "shop.example", "school.example"), store}
	})
}

type closer interface{ Close() error }

// The realm that was first when a store was opened for the first time has its
// logs under plain names, whichever realm is first later.
func TestPlainRealm(t *testing.T) {
	dir := t.TempDir()
	for _, first := range []wamp.URI{"shop.example", "school.example"} {
		store := openTestStore(t, dir)
		if got, err := plainRealm(t.Context(), store, first); got != "shop.example" || err != nil {
			t.Errorf("with %s as the first, the realm with the plain names is %s, %v", first, got, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := plainRealm(t.Context(), &brokenStore{read: broken}, "shop.example"); !errors.Is(err, broken) {
		t.Errorf("a store that fails: %v", err)
	}
}
