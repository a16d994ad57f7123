package embedded_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/storetest"
)

func TestImports(t *testing.T) {
	path := func(dir string) string { return filepath.Join(dir, "wireroom.db") }
	storetest.RunImports(t, storetest.Imports{
		Open: func(t *testing.T, dir string) storetest.Whole { return open(t, dir) },
		View: func(t *testing.T, dir string) (storetest.View, error) {
			v, err := embedded.OpenView(path(dir), time.Second)
			if err != nil {
				return nil, err
			}
			return v, nil
		},
		Import: func(t *testing.T, dir string) storetest.Import { return openImport(t, path(dir)) },
	})
}

func openImport(t *testing.T, path string) *embedded.Import {
	t.Helper()
	m, err := embedded.OpenImport(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// While a file is looked at or replaced, no gateway can open it, and the other
// way round; and somebody is named.
func TestViewLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	if _, err := embedded.OpenView(path, time.Millisecond); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenView of no file: %v, want ErrNotExist", err)
	}
	fill(t, path)
	v, err := embedded.OpenView(path, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(path); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("Open beside a view: %v, want ErrLocked", err)
	}
	v.Close()
	m := openImport(t, path)
	if _, err := tryOpen(path); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("Open beside an import: %v, want ErrLocked", err)
	}
	if err := m.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	s, err := tryOpen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := embedded.OpenView(path, time.Millisecond); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("OpenView beside a store: %v, want ErrLocked", err)
	}
	if _, err := embedded.OpenImport(path, time.Millisecond); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("OpenImport beside a store: %v, want ErrLocked", err)
	}
}

// What an import replaces stays until the new store is whole; what a killed one
// left is in nobody's way, and of two at the same time only one goes on.
func TestImportReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "wireroom.db")
	fill(t, path)
	if err := os.WriteFile(path+".importing", []byte("what was left"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, second := openImport(t, path), openImport(t, path)
	for _, step := range []func() error{
		func() error { return m.Begin(t.Context()) },
		func() error { return m.Log(t.Context(), "c", events.Bounds{Epoch: "new", First: 4, Next: 4}) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), "another import") {
		t.Errorf("a second import begins: %v", err)
	}
	if err := second.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := m.Old().Bounds(t.Context(), "c"); err != nil || b.Next != 101 {
		t.Errorf("the old store has %+v, %v", b, err)
	}
	if err := m.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	if b, err := s.Bounds(t.Context(), "c"); err != nil || b != (events.Bounds{Epoch: "new", First: 4, Next: 4}) {
		t.Errorf("the new store has %+v, %v", b, err)
	}
	if left, _ := filepath.Glob(path + ".importing*"); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}

// A store that a gateway made while an import ran is not replaced.
func TestImportBesideNewStore(t *testing.T) {
	dir := t.TempDir()
	m := openImport(t, filepath.Join(dir, "wireroom.db"))
	if err := m.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	if err := m.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "a gateway has made it") {
		t.Errorf("Commit: %v", err)
	}
	if err := m.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whatever is damaged is found, and told where it is.
func TestVerifyFinds(t *testing.T) {
	class := func(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket([]byte("classes")).Bucket([]byte("c")) }
	key := func(offset byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, offset} }
	first := func(b *bolt.Bucket) (k, v []byte) { return b.Cursor().First() }
	for _, test := range []struct {
		name string
		do   func(tx *bolt.Tx) error
		want []string
	}{
		{"nothing", func(*bolt.Tx) error { return nil }, nil},
		{
			"a record is gone", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("log")).Delete(key(7)) },
			[]string{"log c, offset 8: expected the offset 7", "ids of c: \"id-7\" stands for the offset 7, where no record is"},
		},
		{
			"the last record is gone", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("log")).Delete(key(20)) },
			[]string{"log c: ends with the offset 19, and should with 20", "channels of c: \"room\" has the offset 20"},
		},
		{
			"a record is cut", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("log")).Put(key(8), []byte{1, 2}) },
			[]string{"log c, offset 8: the record cannot be decoded", "channels of c: \"room\" has the offset 8"},
		},
		{
			"an offset is no offset", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("log")).Put([]byte("x"), []byte("y")) },
			[]string{"log c: has a key of 1 bytes"},
		},
		{"a record is from before", func(tx *bolt.Tx) error {
			log := class(tx).Bucket([]byte("log"))
			return log.Put(key(10), log.Get(key(4)))
		}, []string{"log c, offset 10: has the time", "log c, offset 10: its id \"id-4\" is not in the index"}},
		{
			"an id is not in the index", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("ids")).Delete([]byte("id-7")) },
			[]string{"log c, offset 7: its id \"id-7\" is not in the index of ids"},
		},
		{
			"an id stands for another", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("ids")).Put([]byte("id-7"), key(9)) },
			[]string{"log c, offset 7: its id \"id-7\" is not", "ids of c: \"id-7\" stands for the offset 9, where the id is \"id-9\""},
		},
		{
			"an id too many", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("ids")).Put([]byte("more"), key(99)) },
			[]string{"ids of c: \"more\" stands for the offset 99, where no record is"},
		},
		{"a channel is not in the index", func(tx *bolt.Tx) error {
			return class(tx).Bucket([]byte("channels")).Delete(append([]byte("room\x00"), key(8)...))
		}, []string{"log c, offset 8: is not in the index of channels"}},
		{"a channel too many", func(tx *bolt.Tx) error {
			return class(tx).Bucket([]byte("channels")).Put(append([]byte("room\x00"), key(7)...), nil)
		}, []string{"channels of c: \"room\" has the offset 7, where no record of it is"}},
		{
			"a channel is none", func(tx *bolt.Tx) error { return class(tx).Bucket([]byte("channels")).Put([]byte("x"), nil) },
			[]string{"channels of c: \"x\" is no channel"},
		},
		{"no epoch", func(tx *bolt.Tx) error { return class(tx).Delete([]byte("epoch")) }, []string{"log c: has no epoch"}},
		{"no log", func(tx *bolt.Tx) error { return class(tx).DeleteBucket([]byte("log")) }, []string{"log c: has no records, not even a place"}},
		{
			"a class is no bucket", func(tx *bolt.Tx) error { return tx.Bucket([]byte("classes")).Put([]byte("d"), []byte("x")) },
			[]string{"log \"d\": is a value"},
		},
		{"a token is cut", func(tx *bolt.Tx) error {
			k, v := first(tx.Bucket([]byte("tokens")))
			return tx.Bucket([]byte("tokens")).Put(k, v[:5])
		}, []string{": cannot be decoded", "which is not there or cannot be decoded"}},
		{"a token would not expire", func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("expiry")))
			return tx.Bucket([]byte("expiry")).Delete(k)
		}, []string{"is not in the index by expiry, and so would never be removed"}},
		{"a token is gone", func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("tokens")))
			return tx.Bucket([]byte("tokens")).Delete(k)
		}, []string{"index of tokens by expiry: has the token"}},
		{
			"an expiry is none", func(tx *bolt.Tx) error { return tx.Bucket([]byte("expiry")).Put([]byte("x"), nil) },
			[]string{"index of tokens by expiry: has a key of 1 bytes"},
		},
		{"a subscription is cut", func(tx *bolt.Tx) error {
			k, v := first(tx.Bucket([]byte("subscriptions")))
			return tx.Bucket([]byte("subscriptions")).Put(k, v[:5])
		}, []string{": cannot be decoded"}},
		{"a subscription would not expire", func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("lapse")))
			return tx.Bucket([]byte("lapse")).Delete(k)
		}, []string{"subscription \"name\" of \"owner\": is not in the index by expiry"}},
		{"a subscription is gone", func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("subscriptions")))
			return tx.Bucket([]byte("subscriptions")).Delete(k)
		}, []string{"index of persistent subscriptions by expiry: has the subscription"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wireroom.db")
			sample(t, path)
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(test.do); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			wantFindings(t, verify(t, path), test.want)
		})
	}
}

// sample makes a store with a bit of everything.
func sample(t *testing.T, path string) {
	t.Helper()
	m := openImport(t, path)
	now := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	var records []events.Record
	for i := range 20 {
		r := events.Record{
			Class: "c", Offset: uint64(i + 1), ID: "id-" + string(rune('0'+(i+1)%10)), Time: now.Add(time.Duration(i) * time.Second),
			Data: []byte(`{"text":"` + strings.Repeat("x", 900) + `"}`), IDGiven: i < 9,
		}
		if i%2 == 1 {
			r.Channel = "room"
		}
		records = append(records, r)
	}
	for _, step := range []func() error{
		func() error { return m.Begin(t.Context()) },
		func() error { return m.Log(t.Context(), "c", events.Bounds{Epoch: "e", First: 1, Next: 21}) },
		func() error { return m.Records(t.Context(), "c", records) },
		func() error { return m.PutToken(t.Context(), &auth.Token{Client: "client", Expires: now}) },
		func() error {
			return m.PutPersistent(t.Context(), &events.Persistent{Owner: "owner", Name: "name", Class: "c", Created: now, Seen: now, Expires: now})
		},
		func() error { return m.Commit(t.Context()) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t *testing.T, path string) (findings []string) {
	t.Helper()
	v, err := embedded.OpenView(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Verify(t.Context(), func(where, what string) { findings = append(findings, where+": "+what) }, func(*events.Record) {}); err != nil {
		t.Fatal(err)
	}
	return findings
}

// wantFindings checks that each wanted text is in a finding, and that there are
// none if none is wanted.
func wantFindings(t *testing.T, findings, want []string) {
	t.Helper()
	all := strings.Join(findings, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("not found: %s\nbut: %s", w, all)
		}
	}
	if len(want) == 0 && len(findings) > 0 {
		t.Errorf("found: %s", all)
	}
}

// A byte that is another one in the file never ends the program, and is found
// where anything refers to it.
func TestVerifyFlippedBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	sample(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, tries := 0, 0
	for at := 16; at < len(whole); at += 13 {
		if whole[at] == 0 || whole[at] == 'x' { // a page that is not used, or the text of an event
			continue
		}
		tries++
		flipped := append([]byte(nil), whole...)
		flipped[at] ^= 0xff
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := embedded.OpenView(path, time.Second)
		if err != nil {
			found++
			continue
		}
		n := 0
		if err := v.Verify(t.Context(), func(string, string) { n++ }, func(*events.Record) {}); err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		v.Close()
		if n > 0 {
			found++
		}
	}
	// The others are in pages that are free.
	if found < tries/3 {
		t.Errorf("%d of %d were found", found, tries)
	}
	t.Logf("%d of %d were found", found, tries)
}
