package xmlrpc

import (
	"fmt"
	"time"
)

// Config says what a [Handler] accepts. The zero value is not valid; start
// from [DefaultConfig].
type Config struct {
	// MaxBody is how large a request may be, in bytes, from 1 KiB to 64 MiB.
	MaxBody int64

	// MaxDepth is how deep arrays and structs may be nested in the data of an
	// event, from 4 to 256; the data themselves are at depth 1. What a batch
	// or a system.multicall puts around them does not count. Other parameters
	// may be as deep as data.
	MaxDepth int

	// MaxEvents is how many events event.publish_many takes, from 1 to 100000.
	MaxEvents int

	// MaxCalls is how many calls system.multicall takes, from 1 to 100000.
	MaxCalls int

	// ReadTimeout is how long a request's body may take to arrive, at least
	// 10ms. The header is the server's affair.
	ReadTimeout time.Duration
}

// DefaultConfig returns the limits for ordinary use: 1 MiB, depth 64, 1000
// events, 1000 calls, 30 s.
func DefaultConfig() Config {
	return Config{
		MaxBody:     1 << 20,
		MaxDepth:    64,
		MaxEvents:   1000,
		MaxCalls:    1000,
		ReadTimeout: 30 * time.Second,
	}
}

// Validate reports each field that is out of its range, by the name that it
// has in a configuration file.
func (c Config) Validate(report func(field string, err error)) {
	between := func(field string, n, low, high int64) {
		if n < low || n > high {
			report(field, fmt.Errorf("must be in %d to %d, not %d", low, high, n))
		}
	}
	between("max_body", c.MaxBody, 1<<10, 64<<20)
	between("max_depth", int64(c.MaxDepth), 4, 256)
	between("max_events", int64(c.MaxEvents), 1, 100_000)
	between("max_calls", int64(c.MaxCalls), 1, 100_000)
	if c.ReadTimeout < 10*time.Millisecond {
		report("read_timeout", fmt.Errorf("must be at least 10ms, not %v", c.ReadTimeout))
	}
}
