package redis

import (
	"context"
	"log/slog"
	"time"
)

// OpenPatient opens a store that is not led astray by a machine on which it gets
// no processor for seconds. It waits for other nodes to know of it only so long.
func OpenPatient(ctx context.Context, config Config, log *slog.Logger, wait time.Duration) (*Store, error) {
	t := defaultTempo
	t.answer, t.still, t.wait = 20*time.Second, 40*time.Second, wait
	return open(ctx, config, log, t)
}

// Crash ends everything of a store, and says nothing to anybody, as when its
// process is killed.
func (s *Store) Crash() {
	s.closing.Do(func() {
		s.queue.Close()
		s.committer.Wait()
		s.speaker.close()
		s.ear.close()
		s.owned.Wait()
		s.closed.Store(true)
		s.closeErr = s.client.Close()
	})
}

// Explain says what an error means that was made at the URL of a store, and
// whether it may be gone in a moment.
func Explain(url, op string, err error) (e *Error, again bool) {
	p, wrong := parseURL(url)
	if wrong != nil {
		panic(wrong)
	}
	return (&Store{place: p}).fault(op, p.find(err), err), p.passes(err)
}

// The script that appends, without its general case and without the usual one.
var (
	AppendPlain   = compose("appendplain")
	AppendGeneral = newScript("append")
)
