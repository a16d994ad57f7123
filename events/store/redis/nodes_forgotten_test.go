package redis_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/store/redis"
)

// forget removes what Redis has of a node, as when its lease is over: at once, so
// that the node does not join again in the midst of it.
func (sv *server) forget(s *redis.Store) {
	sv.do("EVAL", `
redis.call('ZREM', '{wireroom}:1:nodes', ARGV[1])
for _, field in ipairs({'seq:', 'sent:', 'seen:'}) do redis.call('HDEL', '{wireroom}:writer', field .. ARGV[1]) end
for i = 0, 15 do redis.call('HDEL', '{wireroom}:writer', ARGV[1] .. ':' .. i) end
return 1`, 0, s.Node())
}

// A node that is forgotten, and has nobody beside it who would tell it so, comes
// back by itself: it appends in the log that it had, is in the list of nodes, and
// is known to who comes later.
func TestNodesForgottenAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other bool // there is another one, which ends then
	}{
		{"it was always alone", false},
		{"the other one has ended", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sv := start(t)
			a := openFor(t, sv.url(), time.Minute)
			var other *redis.Store
			if tt.other {
				other = openFor(t, sv.url(), time.Minute)
			}
			before := mustPost(t, a, record(1))[0]
			sv.forget(a)
			if tt.other {
				if err := other.Close(); err != nil {
					t.Fatal(err)
				}
			}
			// Nothing was on its way when it was forgotten, so nothing may fail:
			// whoever posts does not notice it.
			after := mustPost(t, a, record(2))[0]
			if after.Epoch != before.Epoch || after.Offset != before.Offset+1 {
				t.Errorf("Append gives %+v, and before it was forgotten %+v", after, before)
			}
			await(t, "it is in the list of nodes", func() error {
				if there := sv.do("ZRANGE", "{wireroom}:1:nodes", 0, -1).([]any); !slices.Contains(there, any(a.Node())) {
					return fmt.Errorf("there are %v", there)
				}
				return a.Heard()
			})

			c := openFor(t, sv.url(), time.Minute)
			var f follower
			c.Follow(&f)
			f.has(t, "join "+a.Node())
			mustPost(t, a, record(3))
			f.has(t, fmt.Sprintf("%s: c 3 given-3 true  %q", a.Node(), record(3).Data))
			if n := len(all(t, c)); n != 3 {
				t.Errorf("the log has %d records, want 3", n)
			}
		})
	}
}

// Who opens a store beside a gateway that was killed is told for whom it waits.
func TestNodesWaitedFor(t *testing.T) {
	sv := start(t)
	c := redis.DefaultConfig()
	c.URL, c.Timeout = sv.url(), time.Minute
	await(t, "the log says for whom it waits", func() error {
		killed, err := redis.OpenPatient(t.Context(), c, slog.New(slog.DiscardHandler), time.Millisecond)
		if err != nil {
			return err
		}
		killed.Crash()
		var log bytes.Buffer
		next, err := redis.OpenPatient(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)), time.Second)
		if err != nil {
			return err
		}
		// On a machine that stands still for long enough, the lease of the one that
		// was killed ends before, and nobody has to be waited for.
		if err := next.Close(); err != nil {
			return err
		}
		text := log.String()
		if !strings.Contains(text, `msg="waiting for other gateways, which were killed or do not hear Redis" gateways=`) || !strings.Contains(text, killed.Node()) {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
}
