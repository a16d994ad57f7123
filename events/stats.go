package events

import "sync/atomic"

// Stats counts what a hub did since it was made.
type Stats struct {
	Routed     uint64 // events handed to the router
	Duplicates uint64 // events that were acknowledged again and not routed
	Refused    uint64 // events that were invalid, of no class, or in conflict with an earlier one
	Failed     uint64 // events that the store did not take, or not for certain
	Skipped    uint64 // events in a log that were not routed, as the store could not read them; replays have them
	Waits      uint64 // times that a publisher waited for room

	Pending      int // events between acceptance and delivery now
	PendingBytes int // bytes of their data

	Followed  uint64 // events of other gateways that were routed as they came; others were read from logs
	Strange   uint64 // events of other gateways of classes that are not known here, or not retained
	Overflows uint64 // events of other gateways that came too fast, and were read from logs

	Replays  int64  // under way now
	Replayed uint64 // events sent by replays
	Gaps     uint64 // times that a replay found events gone, or live subscribers were told that some are
}

type counters struct {
	routed, duplicates, refused, failed atomic.Uint64
	replays                             atomic.Int64
	replayed, gaps, skipped             atomic.Uint64
	followed, strange                   atomic.Uint64
}

// Stats returns the counts. It is cheap.
func (h *Hub) Stats() Stats {
	s := Stats{
		Routed:     h.stats.routed.Load(),
		Duplicates: h.stats.duplicates.Load(),
		Refused:    h.stats.refused.Load(),
		Failed:     h.stats.failed.Load(),
		Skipped:    h.stats.skipped.Load(),
		Waits:      h.room.waits.Load(),
		Replays:    h.stats.replays.Load(),
		Replayed:   h.stats.replayed.Load(),
		Gaps:       h.stats.gaps.Load(),
	}
	s.Followed, s.Strange = h.stats.followed.Load(), h.stats.strange.Load()
	h.ready.mu.Lock()
	s.Overflows = h.ready.overflows
	h.ready.mu.Unlock()
	s.Pending, s.PendingBytes = h.room.load()
	return s
}
