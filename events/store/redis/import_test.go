package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/events/store/storetest"
)

func configOf(url, prefix string) redis.Config {
	c := redis.DefaultConfig()
	c.URL, c.Prefix = url, prefix
	return c
}

func openImport(t *testing.T, config redis.Config) *redis.Import {
	t.Helper()
	m, err := redis.OpenImport(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openView(t *testing.T, config redis.Config) *redis.View {
	t.Helper()
	v, err := redis.OpenView(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestImports(t *testing.T) {
	sv := start(t)
	storetest.RunImports(t, storetest.Imports{
		Open: func(t *testing.T, dir string) storetest.Whole { return open(t, sv.url(), named(prefix(dir))) },
		View: func(t *testing.T, dir string) (storetest.View, error) {
			v, err := redis.OpenView(t.Context(), configOf(sv.url(), prefix(dir)))
			if err != nil {
				return nil, err
			}
			return v, nil
		},
		Import: func(t *testing.T, dir string) storetest.Import {
			return openImport(t, configOf(sv.url(), prefix(dir)))
		},
	})
}

// sample makes a store with a bit of everything, as somebody who imports it.
func sample(t *testing.T, config redis.Config) {
	t.Helper()
	m := openImport(t, config)
	now := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	var records []events.Record
	for i := range 20 {
		r := events.Record{Class: "c", Offset: uint64(i + 1), ID: fmt.Sprint("id-", i+1), Time: now.Add(time.Duration(i) * time.Second), Data: []byte(`{}`), IDGiven: i < 9}
		if i%2 == 1 {
			r.Channel = "room"
		}
		records = append(records, r)
	}
	for _, step := range []func(ctx context.Context) error{
		m.Begin,
		func(ctx context.Context) error {
			return m.Log(ctx, "c", events.Bounds{Epoch: "e", First: 1, Next: 21})
		},
		func(ctx context.Context) error { return m.Records(ctx, "c", records) },
		func(ctx context.Context) error {
			return m.PutToken(ctx, &auth.Token{Client: "client", Expires: time.Now().Add(time.Hour)})
		},
		m.Commit,
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// No gateway opens a part of a store, whatever became of the import; what it
// left is in nobody's way; and where a gateway is, no import begins.
func TestImportKeepsGatewaysOff(t *testing.T) {
	sv := start(t)
	config := configOf(sv.url(), "wireroom")
	s := open(t, sv.url())
	if _, err := s.Bounds(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := redis.OpenImport(t.Context(), config); !errors.Is(err, redis.ErrInUse) {
		t.Errorf("import beside a gateway: %v, want ErrInUse", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m := openImport(t, config)
	if m.Old() == nil {
		t.Error("the import does not see the store that is there")
	}
	if err := m.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func() error{
		func() error { _, err := redis.Open(t.Context(), config, slog.New(slog.DiscardHandler)); return err },
		func() error { _, err := redis.OpenView(t.Context(), config); return err },
		func() error { _, err := redis.Attach(t.Context(), config); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "an import into it was not finished") {
			t.Errorf("a part of a store is opened: %v", err)
		}
	}
	// It is killed. Another one does not mind.
	sample(t, config)
	v := openView(t, config)
	if b, err := v.Bounds(t.Context(), "c"); err != nil || b != (events.Bounds{Epoch: "e", First: 1, Next: 21}) {
		t.Errorf("Bounds = %+v, %v", b, err)
	}
	if err := m.Commit(t.Context()); err == nil {
		t.Error("an import is committed after another one took its place")
	}
}

func appendOne(s *redis.Store, class string) error {
	done := make(chan error, 1)
	s.Append([]events.Record{{Class: class, ID: "x", Time: time.Now(), Data: []byte(`{}`)}}, func(_ []events.Appended, err error) { done <- err })
	return <-done
}

// If Redis is another process when the import ends, nobody knows what it lost.
func TestImportAcrossRestart(t *testing.T) {
	sv := start(t, "--appendonly", "yes", "--appendfsync", "always")
	config := configOf(sv.url(), "wireroom")
	m := openImport(t, config)
	if err := m.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	sv.kill()
	sv.start()
	if err := m.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "import again") {
		t.Errorf("Commit: %v", err)
	}
	if err := m.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if n := sv.do("DBSIZE"); n != int64(0) {
		t.Errorf("%v keys are left", n)
	}
}

// A log whose end Redis may have lost is told to be stale, and looking at it
// changes nothing.
func TestViewStale(t *testing.T) {
	sv := start(t, "--appendonly", "yes", "--appendfsync", "always")
	config := configOf(sv.url(), "wireroom")
	sample(t, config)
	stale := func() (is bool) {
		v := openView(t, config)
		err := v.EachLog(t.Context(), func(_ string, _ events.Bounds, s bool) error {
			is = s
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if stale() {
		t.Error("the log is stale in the same process")
	}
	sv.kill()
	sv.start()
	before := sv.do("DUMP", "{wireroom}:1:meta:c")
	if !stale() {
		t.Error("the log is not stale in another process")
	}
	if after := sv.do("DUMP", "{wireroom}:1:meta:c"); after != before {
		t.Error("looking has changed the log")
	}
}

// Trimming goes on beside a gateway, which goes on as well.
func TestAttach(t *testing.T) {
	sv := start(t)
	config := configOf(sv.url(), "wireroom")
	sample(t, config)
	s := open(t, sv.url())
	defer s.Close()
	tr, err := redis.Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if n, err := tr.TrimBefore(t.Context(), "c", 12); n != 11 || err != nil {
		t.Errorf("TrimBefore = %d, %v; want 11", n, err)
	}
	if n, err := tr.TrimBefore(t.Context(), "nothing", 12); n != 0 || err != nil {
		t.Errorf("TrimBefore of no log = %d, %v", n, err)
	}
	if n, err := tr.DeleteExpired(t.Context(), time.Now().Add(2*time.Hour)); n != 1 || err != nil {
		t.Errorf("DeleteExpired = %d, %v; want 1", n, err)
	}
	if err := appendOne(s, "c"); err != nil {
		t.Errorf("the gateway cannot go on: %v", err)
	}
	if b, err := tr.Bounds(t.Context(), "c"); err != nil || b != (events.Bounds{Epoch: "e", First: 12, Next: 22}) {
		t.Errorf("Bounds = %+v, %v", b, err)
	}
}

// Whatever is damaged is found, and told where it is.
func TestVerifyFinds(t *testing.T) {
	sv := start(t)
	const base = "{wireroom}:1:"
	tokenKey := base + "token:" + strings.Repeat("0", 64)
	for _, test := range []struct {
		name string
		do   func()
		want []string
	}{
		{"nothing", func() {}, nil},
		{
			"a record is gone", func() { sv.do("XDEL", base+"log:c", "7-"+ms(6)) },
			[]string{"log c, offset 7: is not there; the next one is 8", "ids of c: \"id-7\" stands for the offset 7"},
		},
		{
			"the end is gone", func() { sv.do("XDEL", base+"log:c", "20-"+ms(19), "19-"+ms(18)) },
			[]string{"log c, offset 19: is not there, and none up to 20", "channels of c: \"room\" has the offset 20"},
		},
		{"a record is none", func() {
			sv.do("DEL", base+"log:c")
			sv.do("XADD", base+"log:c", "1-1", "x", "y")
		}, []string{"log c, offset 1: the record cannot be decoded", "log c, offset 2: is not there, and none up to 20"}},
		{"an id is not in the index", func() { sv.do("HDEL", base+"ids:c", "id-7") }, []string{"log c, offset 7: its id \"id-7\" is not"}},
		{
			"an id stands for another", func() { sv.do("HSET", base+"ids:c", "id-7", "9") },
			[]string{"log c, offset 7: its id \"id-7\" is not", "ids of c: \"id-7\" stands for the offset 9"},
		},
		{
			"an id too many", func() { sv.do("HSET", base+"ids:c", "more", "99", "none", "x") },
			[]string{"ids of c: \"more\" stands for the offset 99", "ids of c: \"none\" stands for \"x\", expected an offset"},
		},
		{
			"a channel is not in the index", func() { sv.do("ZREM", base+"channels:c", "room\x000000000000000008") },
			[]string{"log c, offset 8: is not in the index of channels"},
		},
		{
			"a channel too many", func() { sv.do("ZADD", base+"channels:c", 0, "room\x000000000000000007", 0, "x") },
			[]string{"channels of c: \"room\" has the offset 7", "channels of c: \"x\" is no channel"},
		},
		{"what is known is damaged", func() { sv.do("HSET", base+"meta:c", "first", "x") }, []string{"log c: what is known of it cannot be decoded"}},
		{"nothing is known", func() { sv.do("DEL", base+"meta:c") }, []string{"log c: there is a key {wireroom}:1:log:c and none that says"}},
		{"a log is no stream", func() {
			sv.do("DEL", base+"log:c", base+"ids:c", base+"channels:c")
			sv.do("SET", base+"log:c", "x")
			sv.do("SET", base+"ids:c", "x")
			sv.do("SET", base+"channels:c", "x")
		}, []string{"is no stream", "is no hash", "is no sorted set"}},
		{"a token is cut", func() { sv.do("SETRANGE", tokenKey, 44, "xx") }, []string{": cannot be decoded"}},
		{"a token has another expiry", func() { sv.do("SETRANGE", tokenKey, 0, "xx") }, []string{"has another expiry or hash before it", "index of tokens by expiry: has the token 0000"}},
		{"a token is not in the index", func() { sv.do("DEL", base+"expiry") }, []string{"is not in the index by expiry"}},
		{"a token is gone", func() { sv.do("DEL", tokenKey) }, []string{"index of tokens by expiry: has the token 0000"}},
		{"an expiry is none", func() { sv.do("ZADD", base+"expiry", 0, "x") }, []string{"index of tokens by expiry: has a member of 1 bytes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sv.do("FLUSHALL")
			config := configOf(sv.url(), "wireroom")
			sample(t, config)
			test.do()
			var findings []string
			err := openView(t, config).Verify(t.Context(), func(where, what string) { findings = append(findings, where+": "+what) }, func(*events.Record) {})
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(findings, "\n")
			for _, w := range test.want {
				if !strings.Contains(all, w) {
					t.Errorf("not found: %s\nbut: %s", w, all)
				}
			}
			if len(test.want) == 0 && len(findings) > 0 {
				t.Errorf("found: %s", all)
			}
		})
	}
}

// ms is the time of a record of the sample, as it stands in the ID of its entry.
func ms(n int) string {
	return fmt.Sprint(time.Date(2026, 1, 31, 9, 30, n, 0, time.UTC).UnixMilli())
}

// What is wrong with persistent subscriptions, and with what users have, is found,
// and told where it is.
func TestVerifyFindsIndexes(t *testing.T) {
	sv := start(t)
	config := configOf(sv.url(), "wireroom")
	const (
		base   = "{wireroom}:1:"
		member = "ada\x00\x00orders"
		of     = `subscription "orders" of "ada": `
	)
	at := time.Date(2126, 1, 31, 9, 30, 0, 0, time.UTC)
	s := openFor(t, sv.url(), time.Minute)
	for _, test := range []struct {
		name string
		do   func()
		want string // nothing: nothing is wrong
	}{
		{"nothing", func() {}, ""},
		{"not by owner", func() { sv.do("ZREM", base+"subscriptions", member) }, of + "is not in the index by owner"},
		{"by owner with a score", func() { sv.do("ZADD", base+"subscriptions", "7", member) }, of + "has the score 7 in the index by owner"},
		{"not by expiry", func() { sv.do("ZREM", base+"lapse", member) }, of + "is not in the index by expiry"},
		{"another expiry", func() { sv.do("ZADD", base+"lapse", "7", member) }, of + "has the time 7 in the index by expiry, and expires at 49"},
		{"only by owner", func() { sv.do("ZADD", base+"subscriptions", "0", "eve\x00\x00x") }, `subscription "x" of "eve": is in the index by owner, and not there`},
		{"only by expiry", func() { sv.do("ZADD", base+"lapse", "7", "eve\x00\x00x") }, `subscription "x" of "eve": is in the index by expiry, and not there`},
		{"it is gone", func() { sv.do("DEL", base+"subscription:"+member) }, of + "is in the index by owner, and not there"},
		{"a field is gone", func() { sv.do("HDEL", base+"subscription:"+member, "offset") }, of + "cannot be decoded"},
		{"it is no hash", func() {
			sv.do("DEL", base+"subscription:"+member)
			sv.do("SET", base+"subscription:"+member, "x")
		}, of + "is no hash"},
		{"it has no owner", func() { sv.do("HSET", base+"subscription:nobody", "v", "1") }, `subscription "nobody": has a key that names no owner`},
		{"no index", func() { sv.do("SET", base+"subscriptions", "x") }, "index of persistent subscriptions: the key {wireroom}:1:subscriptions is no sorted set"},
		{"a user's token is not in the index", func() {
			for _, key := range sv.do("KEYS", base+"user:*").([]any) {
				sv.do("DEL", key)
			}
		}, "token 0700000000000000000000000000000000000000000000000000000000000000: is not in the index of its user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, key := range sv.do("KEYS", base+"*").([]any) {
				if k := fmt.Sprint(key); strings.Contains(k, ":subscription") || strings.HasSuffix(k, ":lapse") {
					sv.do("DEL", key)
				}
			}
			for _, name := range []string{"orders", "parcels"} {
				p := &events.Persistent{
					Owner: "ada", Name: name, Class: "c", Created: at, Seen: at, Expires: at.Add(time.Hour), For: time.Hour, Position: events.Position{Epoch: "E"},
				}
				if err := s.PutPersistent(t.Context(), p, 10); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.PutToken(t.Context(), &auth.Token{Hash: [32]byte{7}, Client: "client", User: "ada", Expires: at}); err != nil {
				t.Fatal(err)
			}
			test.do()
			var findings []string
			err := openView(t, config).Verify(t.Context(), func(where, what string) { findings = append(findings, where+": "+what) }, func(*events.Record) {})
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(findings, "\n")
			if test.want == "" && found != "" || !strings.Contains(found, test.want) {
				t.Errorf("found:\n%s\nwant %q", found, test.want)
			}
		})
	}
}
