package embedded_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/storetest"
)

func open(t testing.TB, dir string) *embedded.Store {
	t.Helper()
	config := embedded.DefaultConfig()
	config.Patience = time.Millisecond
	s, err := embedded.Open(filepath.Join(dir, "wireroom.db"), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestLog(t *testing.T) {
	storetest.RunLog(t, func(t *testing.T, dir string) storetest.Log { return open(t, dir) })
}

func TestTokens(t *testing.T) {
	storetest.RunTokens(t, func(t *testing.T, dir string) storetest.Tokens { return open(t, dir) })
}

func TestPersistents(t *testing.T) {
	storetest.RunPersistents(t, func(t *testing.T, dir string) storetest.Persistents { return open(t, dir) })
}
