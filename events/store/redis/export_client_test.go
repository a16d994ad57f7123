package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// Shared is how many connections reading and the like may use.
const Shared = connections - reserved

// Try runs fn as everything is run but appending.
func (s *Store) Try(ctx context.Context, fn func(ctx context.Context, client goredis.UniversalClient) error) error {
	return s.try(ctx, "test", func(ctx context.Context) error { return fn(ctx, s.client) })
}
