package dynamic

import "time"

// Config says how long procedures are waited for, and how much of what they
// answer is kept. Start from [DefaultConfig].
type Config struct {
	Timeout      time.Duration // of one question: 10ms to 1m
	CacheEntries int           // of one realm: 0 to 10,000,000
	CacheBytes   int           // of one realm, about: 0 to 1 GiB
	CacheTTL     time.Duration // how long an answer is good: 1s to 24h
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Timeout: 5 * time.Second, CacheEntries: 100_000, CacheBytes: 64 << 20, CacheTTL: 5 * time.Minute}
}
