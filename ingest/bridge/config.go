package bridge

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A Secret is the secret of a key. It is not printed.
type Secret string

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String returns "[redacted]".
func (Secret) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (Secret) GoString() string { return "[redacted]" }

// A Key is what a program proves itself with.
type Key struct {
	Secret Secret
	Principal
}

// Config says whom a bridge serves and within which bounds.
type Config struct {
	Keys      []Key      // with names and secrets of their own
	Anonymous *Principal // of requests without a key; nil: there are none

	// ClockSkew is by how much the time of a signed request may differ from
	// now, before or after: 1s to 1h. So long a request is remembered, so that
	// it is not carried out twice.
	ClockSkew time.Duration

	MaxBody     int64         // of a request, in bytes: 1 KiB to 64 MiB
	MaxDepth    int           // of nested arrays and objects, the request's own among them: 4 to 64
	ReadTimeout time.Duration // for a request's body to arrive: at least 10ms

	// CallTimeout is how long a call may take, and a publication until it is
	// safe: 10ms to 1h.
	CallTimeout time.Duration
}

// DefaultConfig returns the bounds for ordinary use, without keys: 5 minutes of
// clock skew, 1 MiB, depth 64, 30 s to read, 60 s for a call.
func DefaultConfig() Config {
	return Config{
		ClockSkew:   5 * time.Minute,
		MaxBody:     1 << 20,
		MaxDepth:    64,
		ReadTimeout: 30 * time.Second,
		CallTimeout: time.Minute,
	}
}

// Bounds of a key, in bytes.
const (
	minSecret = 16
	maxSecret = 1024
	maxName   = 64
)

// Validate reports each field that is out of its range, by the name that it has
// in a configuration file. It never prints a secret.
func (c Config) Validate(report func(field string, err error)) {
	between(report, "clock_skew", c.ClockSkew, time.Second, time.Hour)
	between(report, "max_body", c.MaxBody, 1<<10, 64<<20)
	between(report, "max_depth", c.MaxDepth, 4, 64)
	between(report, "timeout", c.ReadTimeout, 10*time.Millisecond, time.Hour)
	between(report, "call_timeout", c.CallTimeout, 10*time.Millisecond, time.Hour)
	names, secrets := map[string]int{}, map[Secret]int{}
	for i, k := range c.Keys {
		at := func(field string) string { return fmt.Sprintf("keys[%d].%s", i, field) }
		if k.Key == "" || len(k.Key) > maxName || !plain(k.Key) {
			report(at("name"), fmt.Errorf("expected 1 to %d letters, digits and signs of ASCII, found %q", maxName, k.Key))
		}
		if n := len(k.Secret); n < minSecret || n > maxSecret {
			report(at("secret"), fmt.Errorf("expected %d to %d bytes (such as: openssl rand -base64 24), found %d", minSecret, maxSecret, n))
		}
		if k.Role == "" {
			report(at("role"), errors.New("expected a role, found none"))
		}
		if first, ok := names[k.Key]; ok {
			report(at("name"), fmt.Errorf("expected a name of its own, found %q, the name of key %d", k.Key, first))
		}
		if first, ok := secrets[k.Secret]; ok && k.Secret != "" {
			report(at("secret"), fmt.Errorf("expected a secret of its own, found that of key %d (%s)", first, c.Keys[first].Key))
		}
		names[k.Key], secrets[k.Secret] = i, i
	}
}

func between[T int | int64 | time.Duration](report func(string, error), field string, v, low, high T) {
	if v < low || v > high {
		report(field, fmt.Errorf("must be in %v to %v, not %v", low, high, v))
	}
}

// plain reports whether s is printable ASCII without spaces.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
