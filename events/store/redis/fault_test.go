package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

var at = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

func record(n int) events.Record {
	return events.Record{
		Class: "c", ID: fmt.Sprintf("given-%d", n), IDGiven: true, Time: at.Add(time.Duration(n) * time.Second),
		Data: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// post appends records and waits for the result.
func post(s *redis.Store, records ...events.Record) (results []events.Appended, err error) {
	var wg sync.WaitGroup
	wg.Add(1)
	s.Append(records, func(r []events.Appended, e error) {
		results, err = append(results, r...), e
		wg.Done()
	})
	wg.Wait()
	return results, err
}

func mustPost(t *testing.T, s *redis.Store, records ...events.Record) []events.Appended {
	t.Helper()
	results, err := post(s, records...)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return results
}

func mustBounds(t *testing.T, s *redis.Store) events.Bounds {
	t.Helper()
	b, err := s.Bounds(t.Context(), "c")
	if err != nil {
		t.Fatalf("Bounds: %v", err)
	}
	return b
}

// all reads the log of the class "c".
func all(t *testing.T, s *redis.Store) (records []events.Record) {
	t.Helper()
	r := events.Range{Class: "c", Through: 1 << 40, Limit: 100, Bytes: 1 << 20}
	for {
		page, err := s.Read(t.Context(), r)
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		if len(page.Records) == 0 {
			return records
		}
		records = append(records, page.Records...)
		r.After = page.After
	}
}

func openFor(t *testing.T, url string, timeout time.Duration) *redis.Store {
	t.Helper()
	return openNamed(t, url, "", timeout)
}

// openNamed does it for a gateway with a name.
func openNamed(t *testing.T, url, name string, timeout time.Duration) *redis.Store {
	t.Helper()
	config := redis.DefaultConfig()
	config.URL, config.Node, config.Timeout = url, name, timeout
	var s *redis.Store
	await(t, "the store opens", func() (err error) { // a busy machine may be slower than the test's timeout
		s, err = redis.OpenPatient(t.Context(), config, slog.New(slog.DiscardHandler), time.Minute)
		return err
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// A wanted says what an error must be, and say.
func wantError(t *testing.T, err, kind error, texts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("the error is %v, want %v", err, kind)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

// A server that lost everything gets a new epoch, and one that lost the end of
// a log gives no offset twice in one.
func TestLostData(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 20*time.Second)
	before := mustPost(t, s, record(1), record(2))[1]
	sv.kill()
	sv.start()
	if page, err := s.Read(t.Context(), events.Range{Class: "c", Through: 2, Limit: 9, Bytes: 1 << 20}); err != nil || page.Bounds.Epoch == before.Epoch || len(page.Records) > 0 {
		t.Errorf("after all is lost: %+v, %v", page, err)
	}
	first := mustPost(t, s, record(3))[0]
	if first.Epoch == before.Epoch || first.Offset != 1 || first.Base != 0 {
		t.Errorf("after all is lost, Append gives %+v, and before it gave %+v", first, before)
	}

	mustPost(t, s, record(4))
	sv.do("SAVE")
	mustPost(t, s, record(5), record(6))
	sv.kill()
	sv.start()
	again := mustPost(t, s, record(7), record(4))
	if again[0].Epoch == first.Epoch || again[0].Offset != 3 || again[0].Base != 2 || !again[1].Duplicate || again[1].Offset != 2 {
		t.Errorf("after the end of the log is lost, Append gives %+v, and before it gave %+v", again, first)
	}
	if b := mustBounds(t, s); b.Epoch != again[0].Epoch || b.First != 1 || b.Next != 4 || b.Base != 2 || b.Line == "" {
		t.Errorf("Bounds = %+v", b)
	}
	var ids []string
	for _, r := range all(t, s) {
		ids = append(ids, r.ID)
	}
	if fmt.Sprint(ids) != "[given-3 given-4 given-7]" {
		t.Errorf("the log has %v", ids)
	}
}

// However many find at once that data was lost, one new epoch begins.
func TestLostDataFoundAtOnce(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 20*time.Second)
	before := mustPost(t, s, record(1), record(2))[1]
	for n := range 4 {
		if n%2 == 1 {
			sv.do("SAVE")
			before = mustPost(t, s, record(10*n))[0]
		}
		sv.kill()
		sv.start()
		var epochs [16]string
		var all sync.WaitGroup
		for i := range epochs {
			all.Go(func() {
				b, err := s.Bounds(t.Context(), "c")
				if err != nil {
					t.Errorf("Bounds: %v", err)
				}
				epochs[i] = b.Epoch
			})
		}
		all.Wait()
		after := mustPost(t, s, record(10*n+1))[0]
		if after.Epoch == before.Epoch {
			t.Errorf("after data is lost, the epoch is %s as before", after.Epoch)
		}
		for _, epoch := range epochs {
			if epoch != after.Epoch {
				t.Fatalf("the log has begun the epochs %q; and then %s", epochs, after.Epoch)
			}
		}
		before = after
	}
}

// A quiet log that lost its end is found by whoever reads it.
func TestLostDataFoundByReading(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 20*time.Second)
	mustPost(t, s, record(1))
	sv.do("SAVE")
	epoch := mustPost(t, s, record(2))[0].Epoch
	for _, lose := range []func() error{
		func() error {
			_, err := s.Read(t.Context(), events.Range{Class: "c", Through: 2, Limit: 9, Bytes: 1 << 20})
			return err
		},
		func() error { _, err := s.SeekTime(t.Context(), "c", 2, at); return err },
		func() error { _, err := s.SeekLast(t.Context(), "c", "", 2, 1); return err },
		func() error { _, err := s.Bounds(t.Context(), "c"); return err },
	} {
		sv.kill()
		sv.start()
		if err := lose(); err != nil {
			t.Errorf("reading: %v", err)
		}
		b := mustBounds(t, s)
		if b.Epoch == epoch || b.Next != 2 || b.Base != 1 {
			t.Errorf("Bounds = %+v, want another epoch than %s", b, epoch)
		}
		epoch = mustPost(t, s, record(2))[0].Epoch
		if epoch != b.Epoch {
			t.Errorf("the epoch is %s and then %s", b.Epoch, epoch)
		}
	}
}

// Who comes after a Redis that was started anew does not know how far a log had
// gone, so it gets a new epoch; not if either went on.
func TestEpochAfterCrashes(t *testing.T) {
	sv := start(t, "--appendonly", "yes", "--appendfsync", "always")
	s, epoch := (*redis.Store)(nil), ""
	for _, test := range []struct {
		name           string
		gateway, redis bool // which of them is started anew
		new            bool // so is an epoch begun
	}{
		{"in the beginning", true, false, true},
		{"only the gateway", true, false, false},
		{"only Redis", false, true, false},
		{"Redis again", false, true, false},
		{"the gateway after Redis", true, false, true},
		{"the gateway again", true, false, false},
		{"both", true, true, true},
	} {
		if test.redis {
			sv.kill()
			sv.start()
		}
		if test.gateway {
			if s != nil {
				s.Crash()
				sv.do("DEL", "{wireroom}:1:nodes") // as if its lease were over long since
			}
			s = openFor(t, sv.url(), 20*time.Second)
		}
		got := mustPost(t, s, record(1))[0].Epoch
		if (got != epoch) != test.new {
			t.Errorf("%s: the epoch is %s and was %s", test.name, got, epoch)
		}
		epoch = got
	}
}

// A snapshot may be older than a whole gateway that wrote after it, of which
// Redis knows nothing then. The next one must not give its offsets again.
func TestLostGateway(t *testing.T) {
	sv := start(t)
	first := openFor(t, sv.url(), 20*time.Second)
	mustPost(t, first, record(1))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	sv.do("SAVE")
	second := openFor(t, sv.url(), 20*time.Second)
	lost := mustPost(t, second, record(2))[0]
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	sv.kill()
	sv.start()
	third := openFor(t, sv.url(), 20*time.Second)
	got := mustPost(t, third, record(3))[0]
	if got.Epoch == lost.Epoch || got.Offset != 2 || got.Base != 1 {
		t.Errorf("after a gateway is lost, Append gives %+v, and it gave %+v", got, lost)
	}
}

// A node goes on when Redis has lost that it had come.
func TestLostComing(t *testing.T) {
	sv := start(t)
	first := openFor(t, sv.url(), 20*time.Second)
	mustPost(t, first, record(1))
	sv.do("SAVE")
	second := openFor(t, sv.url(), 20*time.Second)
	lost := mustPost(t, second, record(2))[0]
	sv.kill()
	sv.start()
	await(t, "Redis is heard again", func() error { return second.Ready(t.Context()) })
	if b := mustBounds(t, second); b.Epoch == lost.Epoch || b.Next != 2 || b.Base != 1 {
		t.Errorf("Bounds = %+v, and Append gave %+v", b, lost)
	}
	got := mustPost(t, second, record(3))[0]
	if got.Epoch == lost.Epoch || got.Offset != 2 || got.Base != 1 {
		t.Errorf("Append gives %+v, and it gave %+v", got, lost)
	}
	if other := mustPost(t, first, record(4))[0]; other.Epoch != got.Epoch || other.Offset != 3 {
		t.Errorf("Append of the other node gives %+v, and this one's gave %+v", other, got)
	}
}

// A log that lost its end and was not used since gets a new epoch also if the
// gateway that knew of the end went on with others, and is gone.
func TestLostEndOfQuietLog(t *testing.T) {
	sv := start(t)
	first := openFor(t, sv.url(), 20*time.Second)
	mustPost(t, first, record(1))
	sv.do("SAVE")
	lost := mustPost(t, first, record(2))[0]
	sv.kill()
	sv.start()
	other := record(3)
	other.Class = "other"
	for range 3 { // the first one finds that the connection is broken
		mustPost(t, first, other)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openFor(t, sv.url(), 20*time.Second)
	got := mustPost(t, second, record(4))[0]
	if got.Epoch == lost.Epoch || got.Offset != 2 || got.Base != 1 {
		t.Errorf("after the end is lost, Append gives %+v, and it gave %+v", got, lost)
	}
}

// A Redis that stands still is noticed. What was sent to it meanwhile is
// carried out once, or never; what was reported as failed is never behind
// something later.
func TestPaused(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 300*time.Millisecond)
	await(t, "Redis takes events", func() error { _, err := post(s, record(1)); return err })
	sv.signal(syscall.SIGSTOP)
	_, err := post(s, record(2))
	wantError(t, err, events.ErrUnavailable, "append events", sv.url(), "does not answer in time")
	_, err = s.Read(t.Context(), events.Range{Class: "c", Through: 2, Limit: 1, Bytes: 1})
	wantError(t, err, events.ErrUnavailable, "read the log c", "does not answer in time")
	_, err = post(s, record(3))
	wantError(t, err, events.ErrUnavailable)
	sv.signal(syscall.SIGCONT)
	await(t, "Redis takes events again", func() error { _, err := post(s, record(4)); return err })
	seen := map[string]bool{}
	last := 0
	for i, r := range all(t, s) {
		var n int
		fmt.Sscanf(r.ID, "given-%d", &n)
		if seen[r.ID] || r.Offset != uint64(i+1) || n < last {
			t.Errorf("record %d is %s at %d", i, r.ID, r.Offset)
		}
		seen[r.ID], last = true, n
	}
	if !seen["given-1"] || !seen["given-4"] {
		t.Errorf("the log has %v", seen)
	}
}

// A short pause is only a delay.
func TestPausedShortly(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Minute)
	mustPost(t, s, record(1))
	sv.do("CLIENT", "PAUSE", "50", "ALL")
	if got := mustPost(t, s, record(2))[0].Offset; got != 2 {
		t.Errorf("the offset is %d, want 2", got)
	}
}

// Connections that break while events are appended cost nothing and double
// nothing, whatever had arrived by then.
func TestConnectionsBreak(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Minute)
	const n = 3000
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		r := record(i)
		r.IDGiven = false // so that nothing but the store keeps them apart
		s.Append([]events.Record{r}, func(results []events.Appended, err error) {
			defer wg.Done()
			if err != nil || results[0].Offset != uint64(i+1) {
				t.Errorf("Append %d: %v, %v", i, results, err)
			}
		})
		if i%100 == 50 {
			sv.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
	}
	wg.Wait()
	if got := len(all(t, s)); got != n {
		t.Errorf("the log has %d records, want %d", got, n)
	}
}

func TestReadOnly(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Second)
	await(t, "Redis takes events", func() error { _, err := post(s, record(1)); return err })
	sv.do("REPLICAOF", "127.0.0.1", "1") // nobody is there
	_, err := post(s, record(2))
	wantError(t, err, events.ErrUnavailable, "is a replica that can only be read")
	wantError(t, s.Ready(t.Context()), events.ErrUnavailable, "is a replica that can only be read")
	sv.do("REPLICAOF", "NO", "ONE")
	await(t, "Redis takes events again", func() error { _, err := post(s, record(2)); return err })
	if got := len(all(t, s)); got != 2 {
		t.Errorf("the log has %d records, want 2", got)
	}
}

// Without memory nothing is appended, and everything else goes on; with room
// again, so does appending.
func TestFull(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 10*time.Second)
	for n := range 20 {
		mustPost(t, s, record(n))
	}
	sv.do("CONFIG", "SET", "maxmemory", "1")
	other := record(100)
	other.Class = "other"
	_, err := post(s, record(101), other)
	wantError(t, err, events.ErrFull, "has used all the memory", sv.url())
	wantError(t, s.Ready(t.Context()), events.ErrFull, "has used all the memory")
	if got := len(all(t, s)); got != 20 {
		t.Errorf("the log has %d records, want 20", got)
	}
	if n, err := s.Trim(t.Context(), "c", events.Retain{Events: 5}, at); n != 15 || err != nil {
		t.Errorf("Trim = %d, %v; want 15", n, err)
	}
	sv.do("CONFIG", "SET", "maxmemory", "0")
	if got := mustPost(t, s, record(101), other); got[0].Offset != 21 || got[1].Offset != 1 {
		t.Errorf("with room again, Append gives %+v", got)
	}
}

func TestCannotOpen(t *testing.T) {
	sv := start(t)
	sv.do("SET", "{newer}:writer", "x")
	sv.do("HSET", "{other}:writer", "format", "3")
	open := func(url, prefix string) error {
		c := redis.DefaultConfig()
		c.URL, c.Prefix, c.Timeout = url, prefix, time.Second
		if strings.Contains(url, sv.socket()) {
			c.Timeout = time.Minute // it answers at once, if not on a busy machine
		}
		s, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
		}
		return err
	}
	wantError(t, open("redis+unix:///nowhere/redis.sock", "x"), events.ErrUnavailable, "as there is no such socket", "redis+unix:///nowhere/redis.sock")
	wantError(t, open("redis://:secret@127.0.0.1:1", "x"), events.ErrUnavailable, "Redis at redis://127.0.0.1:1 refuses connections")
	wantError(t, open(sv.url(), "newer"), events.ErrUnavailable, "has keys of another program")
	wantError(t, open(sv.url(), "other"), events.ErrUnavailable, "found the format 3")
	sv.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	wantError(t, open(sv.url(), "x"), events.ErrUnavailable, "expected maxmemory-policy noeviction, found allkeys-lru")
	sv.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	sv.do("CONFIG", "SET", "requirepass", "hunter2")
	wantError(t, open(sv.url(), "x"), events.ErrUnavailable, "wants a password")
	err := open(strings.Replace(sv.url(), "//", "//:hunter3@", 1), "x")
	wantError(t, err, events.ErrUnavailable, "does not accept the user or the password")
	if strings.Contains(fmt.Sprint(err), "hunter") {
		t.Errorf("the error tells the password: %v", err)
	}
	if err := open(strings.Replace(sv.url(), "//", "//:hunter2@", 1), "x"); err != nil {
		t.Errorf("with the password: %v", err)
	}
}

// A user needs no more permissions than the documentation says, and can do
// without INFO.
func TestPermissions(t *testing.T) {
	sv := start(t)
	for user, more := range map[string]string{"gateway": "+info", "bare": "-info"} {
		sv.do("ACL", "SETUSER", user, "on", ">pass/word", "~{wireroom}:*", "+@read", "+@write", "+@scripting", "+@connection", "-@dangerous", "+client|setname", more)
		s := openFor(t, strings.Replace(sv.url(), "//", "//"+user+":pass%2Fword@", 1), 10*time.Second)
		mustPost(t, s, record(1))
		mustBounds(t, s)
		if err := s.PutToken(t.Context(), &auth.Token{Client: "c", Expires: at}); err != nil {
			t.Errorf("PutToken: %v", err)
		}
		if n, err := s.DeleteExpired(t.Context(), at); n != 1 || err != nil {
			t.Errorf("DeleteExpired = %d, %v; want 1", n, err)
		}
		if user == "bare" {
			c := redis.DefaultConfig()
			c.URL = strings.Replace(sv.url(), "//", "//bare:pass%2Fword@", 1)
			_, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
			wantError(t, err, events.ErrUnavailable, "does not tell which process it is", "may not use INFO")
			mustPost(t, s, record(2))
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	sv.do("ACL", "SETUSER", "gateway", "-@write")
	s := redis.DefaultConfig()
	s.URL = strings.Replace(sv.url(), "//", "//gateway:pass%2Fword@", 1)
	_, err := redis.Open(t.Context(), s, slog.New(slog.DiscardHandler))
	wantError(t, err, events.ErrUnavailable, "does not give this user all permissions that it needs")
}

// A store that is closed while Redis is away ends soon.
func TestCloseWhileAway(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), 200*time.Millisecond)
	sv.signal(syscall.SIGSTOP)
	var wg sync.WaitGroup
	for n := range 5000 {
		wg.Add(1)
		s.Append([]events.Record{record(n)}, func(_ []events.Appended, err error) {
			if err == nil {
				t.Errorf("Append %d succeeds", n)
			}
			wg.Done()
		})
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	if _, err := s.Bounds(context.Background(), "c"); !errors.Is(err, events.ErrClosed) {
		t.Errorf("Bounds: %v, want ErrClosed", err)
	}
	sv.signal(syscall.SIGCONT)
}
