package events

import (
	"fmt"
	"time"
)

// A Config says how a [Hub] treats events. Start from [DefaultConfig].
type Config struct {
	MaxBytes int // of an event's data: 2 to 67,108,864
	MaxBatch int // events in one PublishMany: 1 to 100,000

	// PendingEvents and PendingBytes bound what is between acceptance and
	// delivery. Beyond either, publishers wait. 1 to 1,048,576 events and
	// 1 to 1,073,741,824 bytes; a larger batch is let in alone.
	PendingEvents int
	PendingBytes  int

	// Of classes that are not retained, the ids that publishers give are
	// remembered, to tell an event that is sent again: so many for each
	// class, 0 to 1,000,000, and so long, at least 1s.
	DuplicateIDs int
	DuplicateFor time.Duration

	SweepEvery time.Duration // how often logs are trimmed by age, at least 1s

	// Rest, if not nil, is what replays give way by: each calls it at the end of
	// its turn, which it still has, and it may wait for a moment. It is called
	// concurrently.
	Rest func()
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		MaxBytes:      1 << 20,
		MaxBatch:      10_000,
		PendingEvents: 16_384,
		PendingBytes:  64 << 20,
		DuplicateIDs:  10_000,
		DuplicateFor:  10 * time.Minute,
		SweepEvery:    time.Minute,
	}
}

// Validate reports each field that is out of its range, named in lower case
// with underscores, as "max_bytes".
func (c Config) Validate(report func(path string, err error)) {
	within := func(path string, v, lo, hi int) {
		if v < lo || v > hi {
			report(path, fmt.Errorf("must be in %d to %d, not %d", lo, hi, v))
		}
	}
	within("max_bytes", c.MaxBytes, 2, 64<<20)
	within("max_batch", c.MaxBatch, 1, 100_000)
	within("pending_events", c.PendingEvents, 1, 1<<20)
	within("pending_bytes", c.PendingBytes, 1, 1<<30)
	within("duplicate_ids", c.DuplicateIDs, 0, 1_000_000)
	if c.DuplicateFor < time.Second {
		report("duplicate_for", fmt.Errorf("must be at least 1s, not %v", c.DuplicateFor))
	}
	if c.SweepEvery < time.Second {
		report("sweep_every", fmt.Errorf("must be at least 1s, not %v", c.SweepEvery))
	}
}
