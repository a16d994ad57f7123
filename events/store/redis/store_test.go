package redis_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/events/store/storetest"
)

func open(t testing.TB, url string, change ...func(c *redis.Config)) *redis.Store {
	t.Helper()
	config := redis.DefaultConfig()
	config.URL = url
	for _, fn := range change {
		fn(&config)
	}
	s, err := redis.OpenPatient(t.Context(), config, slog.New(slog.DiscardHandler), time.Minute)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func named(name string) func(c *redis.Config) {
	return func(c *redis.Config) { c.Prefix = name }
}

func TestLog(t *testing.T) {
	sv := start(t)
	storetest.RunLog(t, func(t *testing.T, dir string) storetest.Log { return open(t, sv.url(), named(prefix(dir))) })
}

func TestTokens(t *testing.T) {
	sv := start(t)
	storetest.RunTokens(t, func(t *testing.T, dir string) storetest.Tokens { return open(t, sv.url(), named(prefix(dir))) })
}

func TestPersistents(t *testing.T) {
	sv := start(t)
	storetest.RunPersistents(t, func(t *testing.T, dir string) storetest.Persistents {
		return open(t, sv.url(), named(prefix(dir)))
	})
}
