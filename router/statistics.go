package router

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Statistics say when what has gone over a session is told on
// wamp.session.on_stats, as crossbar does: after so many messages, or so long
// after the first one that was not told of, whichever comes first, and at the
// end. The zero value is never, and then nothing is counted.
type Statistics struct {
	Messages  int           // rated ones, both ways: 1 to 1,000,000,000; 0: not by number
	Interval  time.Duration // 1s to 24h; 0: not by time
	RatedSize int           // bytes of one rated message: 1 to 1 MiB. A longer one counts as several
}

func (c *Statistics) on() bool { return c.Messages > 0 || c.Interval > 0 }

// rated returns as how many messages one of so many bytes counts.
func (c *Statistics) rated(bytes int) int { return max(1, (bytes+c.RatedSize-1)/c.RatedSize) }

// A traffic counts what goes over one connection. An idle session has no timer,
// and counts on while nobody wants to know.
type traffic struct {
	// Fixed at construction.
	session *Session
	cfg     *Statistics

	monitor atomic.Int32 // subscriptions that tell the session of traffic

	mu      sync.Mutex // guards the following
	now     tally      // since it was told last
	since   time.Time  // when that was, or when the peer connected
	cycle   int        // how often it was told
	control []*byte    // where queued frames begin that are not to be counted
	timer   *time.Timer
	armed   bool // timer runs
	over    bool // the session has left
}

// A tally is what was counted.
type tally struct{ messages, rated, bytes int }

func (t *tally) add(o tally) {
	t.messages += o.messages
	t.rated += o.rated
	t.bytes += o.bytes
}

// A trafficReport is what is told.
type trafficReport struct {
	tally
	at       time.Time
	duration time.Duration
	cycle    int
	last     bool
}

func newTraffic(s *Session, cfg *Statistics) *traffic {
	if !cfg.on() {
		return nil
	}
	return &traffic{session: s, cfg: cfg, since: time.Now()}
}

// received counts a message from the peer.
func (t *traffic) received(bytes int) { t.count(tally{1, t.cfg.rated(bytes), bytes}) }

// sent counts framed messages that are about to be written.
func (t *traffic) sent(frames [][]byte) {
	var all tally
	t.mu.Lock()
	for _, f := range frames {
		if len(t.control) > 0 && len(f) > 0 {
			if i := slices.Index(t.control, &f[0]); i >= 0 {
				t.control = slices.Delete(t.control, i, i+1)
				continue
			}
		}
		all.add(tally{1, t.cfg.rated(len(f)), len(f)})
	}
	t.mu.Unlock()
	if all.messages > 0 {
		t.count(all)
	}
}

// ignore has a frame of the link's own, such as a ping, not counted when it is
// written: an idle session is one, however often it is pinged. It is
// called before the frame is queued. A nil traffic counts nothing anyway.
func (t *traffic) ignore(frame []byte) {
	if t == nil || len(frame) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.control) < maxControl {
		t.control = append(t.control, &frame[0])
	}
}

// maxControl is how many frames can be ignored at a time; more are counted.
const maxControl = 64

// watches notes that the session has begun to watch a subscription, or has
// ended with n -1. Sessions that are told of traffic are not told of: what they
// are told would be traffic again, and they would keep each other busy.
func (t *traffic) watches(sub *subscription, n int32) {
	if t != nil && sub.filter == nil && mayFitMeta(sub.topic, sub.match) && fitsURI(sub.topic, sub.match, metaTopics[sessionTraffic]) {
		t.monitor.Add(n)
	}
}

func (t *traffic) count(n tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.add(n)
	s := t.session
	if t.over || !s.joined.Load() || !t.wanted() {
		return
	}
	switch {
	case t.cfg.Messages > 0 && t.now.rated >= t.cfg.Messages:
		t.tellLocked(false)
	case t.cfg.Interval == 0 || t.armed:
	case t.timer == nil:
		t.armed = true
		t.timer = time.AfterFunc(t.cfg.Interval, t.lapse)
	default:
		t.armed = true
		t.timer.Reset(t.cfg.Interval)
	}
}

// wanted reports whether anybody is to be told.
func (t *traffic) wanted() bool {
	return t.session.realm.meta.wants(sessionTraffic) && t.monitor.Load() == 0
}

// lapse is called when the interval is over.
func (t *traffic) lapse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
	if !t.over && t.now.messages > 0 {
		t.tellLocked(false)
	}
}

// end tells of the rest. A nil traffic has none.
func (t *traffic) end() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	stopTimer(t.timer)
	if !t.session.silent.Load() {
		t.tellLocked(true)
	}
}

// tellLocked notes what was counted for publication, and begins anew.
func (t *traffic) tellLocked(last bool) {
	s := t.session
	if !t.wanted() {
		return
	}
	now := time.Now()
	r := &trafficReport{tally: t.now, at: now, duration: now.Sub(t.since), cycle: t.cycle + 1, last: last}
	t.now, t.since = tally{}, now
	t.cycle++
	if t.armed { // the next interval begins with the next message
		t.timer.Stop()
		t.armed = false
	}
	s.realm.meta.note(metaEvent{topic: sessionTraffic, session: s, traffic: r})
}

// describe returns the statistics as crossbar has them: times in nanoseconds.
func (r *trafficReport) describe(s *Session) map[string]any {
	return map[string]any{
		"timestamp":      r.at.UnixNano(),
		"duration":       r.duration.Nanoseconds(),
		"cycle":          r.cycle,
		"messages":       r.messages,
		"rated_messages": r.rated,
		"bytes":          r.bytes,
		"serializer":     s.peer.Serializer.String(),
		"first":          r.cycle == 1,
		"last":           r.last,
	}
}
