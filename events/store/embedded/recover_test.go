package embedded_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// openBytes opens a store whose journal has a length.
func openBytes(t testing.TB, path string, journal int, log *slog.Logger) *embedded.Store {
	t.Helper()
	config := embedded.DefaultConfig()
	config.JournalBytes, config.JournalAge, config.LockTimeout = journal, time.Hour, 50*time.Millisecond
	s, err := embedded.Open(path, config, log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// killed makes the files of a gateway that was killed with n records in its
// journal, of which the first few are in the store's file, too.
func killed(t *testing.T, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "wireroom.db")
	live := filepath.Join(t.TempDir(), "wireroom.db")
	s := openBytes(t, live, 1<<20, slog.New(slog.DiscardHandler))
	defer s.Close()
	mustAppend(t, s, "first")
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	for range n {
		mustAppend(t, s, "x")
	}
	// A process that is killed leaves its files as they are.
	for _, suffix := range []string{"", ".journal"} {
		copyFile(t, live+suffix, path+suffix)
	}
	return path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// What a gateway that was killed had in its journal is there for the next one,
// and for a command that only reads, and a gateway that ends in order leaves one
// file.
func TestJournalRecovery(t *testing.T) {
	for _, test := range []struct {
		name string
		open func(t *testing.T, path string) (last uint64)
	}{
		{"by a gateway", func(t *testing.T, path string) uint64 {
			s := openBytes(t, path, 1<<20, slog.New(slog.DiscardHandler))
			defer s.Close()
			return uint64(len(offsets(t, s)))
		}},
		{"by one without a journal", func(t *testing.T, path string) uint64 {
			s := openBytes(t, path, 0, slog.New(slog.DiscardHandler))
			defer s.Close()
			return uint64(len(offsets(t, s)))
		}},
		{"by a command", func(t *testing.T, path string) uint64 {
			v, err := embedded.OpenView(path, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			b, err := v.Bounds(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			return b.Next - 1
		}},
		{"twice", func(t *testing.T, path string) uint64 {
			before := path + ".before"
			copyFile(t, path+".journal", before)
			openBytes(t, path, 0, slog.New(slog.DiscardHandler)).Close()
			if err := os.Rename(before, path+".journal"); err != nil { // as if its removal had been lost
				t.Fatal(err)
			}
			s := openBytes(t, path, 1<<20, slog.New(slog.DiscardHandler))
			defer s.Close()
			return uint64(len(offsets(t, s)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := killed(t, 10)
			if got := test.open(t, path); got != 11 {
				t.Errorf("%d records are there, want 11", got)
			}
			if there(path + ".journal") {
				t.Error("the journal is still there")
			}
		})
	}
}

// A journal that does not belong to the store's file, or is damaged, is not
// passed over: it may have events that are nowhere else.
func TestJournalRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"of another file", func(t *testing.T, path string) {
			copyFile(t, killed(t, 3)+".journal", path+".journal")
		}, "belongs to another store file and has 3 batches of events that are not in it: put the file there that it belongs to, or move the journal away to go on without them"},
		{"of a file that ended in order", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".journal", path+".kept"); err != nil {
				t.Fatal(err)
			}
			fill(t, path)
			if err := os.Rename(path+".kept", path+".journal"); err != nil {
				t.Fatal(err)
			}
		}, "belongs to another store file"},
		{"of no store", func(t *testing.T, path string) {
			if err := os.WriteFile(path+".journal", []byte(strings.Repeat("hello\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a journal of wireroom, or is damaged"},
		{"empty", func(t *testing.T, path string) {
			if err := os.Truncate(path+".journal", 0); err != nil {
				t.Fatal(err)
			}
		}, "is not a journal of wireroom, or is damaged"},
		{"with another beginning", func(t *testing.T, path string) {
			overwrite(t, path+".journal", 20, 1)
		}, "is damaged: the checksum of its first block is wrong"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Remove(path + ".journal"); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path+".journal", 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file but d---------"},
		{"too long", func(t *testing.T, path string) {
			if err := os.Truncate(path+".journal", 1<<30); err != nil {
				t.Fatal(err)
			}
		}, "has 1073741824 bytes, expected at most 67108864"},
		{"for other logs", func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("classes")).DeleteBucket([]byte("c")) })
			if err != nil {
				t.Fatal(err)
			}
		}, "is damaged: the journal has the offset 2 of the log c, where the store's file goes on with 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := killed(t, 3)
			test.make(t, path)
			for _, open := range []func() error{
				func() error {
					s, err := tryOpen(path)
					if err == nil {
						s.Close()
					}
					return err
				},
				func() error {
					v, err := embedded.OpenView(path, 50*time.Millisecond)
					if err == nil {
						v.Close()
					}
					return err
				},
			} {
				if err := open(); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "store file "+path) {
					t.Errorf("it says: %v\nwant: %s", err, test.want)
				}
			}
		})
	}
}

// Whoever has moved the journal away is told, and goes on.
func TestJournalMissing(t *testing.T) {
	path := killed(t, 3)
	if err := os.Remove(path + ".journal"); err != nil {
		t.Fatal(err)
	}
	v, err := embedded.OpenView(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	v.Close()
	var said strings.Builder
	s := openBytes(t, path, 1<<20, slog.New(slog.NewTextHandler(&said, nil)))
	defer s.Close()
	if n := len(offsets(t, s)); n != 1 {
		t.Errorf("%d records are there, want the one of the store's file", n)
	}
	if want := "the journal of the store file is not there"; !strings.Contains(said.String(), want) {
		t.Errorf("it says %q, want %q", said.String(), want)
	}
}

// What is only in the journal gets into the store's file after a time, though
// nobody asks for it.
func TestJournalAge(t *testing.T) {
	config := embedded.DefaultConfig()
	config.JournalAge = 10 * time.Millisecond
	s, err := embedded.Open(filepath.Join(t.TempDir(), "wireroom.db"), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustAppend(t, s, "x") // makes the log
	before := s.Stats().Commits
	mustAppend(t, s, "x")
	for s.Stats().Commits == before {
		runtime.Gosched()
	}
}

// If the journal cannot be written, the store's file is, and the other way
// round: nothing that was acknowledged is lost, and it can be read.
func TestJournalFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	var said strings.Builder
	s := openBytes(t, path, 1<<20, slog.New(slog.NewTextHandler(&said, nil)))
	defer func() { s.Close() }()
	want := 0
	add := func() {
		t.Helper()
		mustAppend(t, s, "x")
		want++
		if got := len(offsets(t, s)); got != want {
			t.Errorf("%d records can be read, and %d were acknowledged", got, want)
		}
	}
	add()
	mend := s.BreakJournal(syscall.EIO)
	add()
	add()
	mend()
	add()
	if got := strings.Count(said.String(), "cannot write the journal"); got != 1 {
		t.Errorf("it says %d times that the journal cannot be written, want once:\n%s", got, said.String())
	}

	// Now the store's file cannot grow.
	mustAppend(t, s, "x")
	want++
	s.SetMaxSize(1)
	big := strings.Repeat("x", 100_000)
	for {
		err := appendTo(s, "c", big)
		if err == nil {
			want++
			continue
		}
		if !errors.Is(err, events.ErrFull) {
			t.Fatalf("%v, want ErrFull", err)
		}
		break
	}
	if got := len(offsets(t, s)); got != want {
		t.Errorf("on a full disk %d records can be read, and %d were acknowledged", got, want)
	}
	mend = s.BreakJournal(syscall.EIO)
	if err := appendTo(s, "c", "x"); !errors.Is(err, events.ErrFull) {
		t.Errorf("when nothing can be written: %v, want ErrFull", err)
	}
	mend()
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "they are safe in its journal "+path+".journal") {
		t.Errorf("it is closed with %v", err)
	}
	s = openBytes(t, path, 1<<20, slog.New(slog.DiscardHandler))
	if got := len(offsets(t, s)); got != want {
		t.Errorf("later %d records are there, and %d were acknowledged", got, want)
	}
	add()
}

// A commit may fail when everything is written, so that it can be seen. It is
// not to be trusted, nor carried out twice.
func TestJournalUncertain(t *testing.T) {
	for _, inJournal := range []int{0, 5} {
		t.Run(fmt.Sprint(inJournal, " in the journal"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wireroom.db")
			s := openBytes(t, path, 1<<20, slog.New(slog.DiscardHandler))
			defer s.Close()
			mustAppend(t, s, "first")
			for range inJournal {
				mustAppend(t, s, "x")
			}
			before := s.Stats()
			if err := s.FailCommit(&events.Record{Class: "c", ID: "refused", Time: time.Now(), Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, s, "x")
			after := s.Stats()
			if after.Batches != before.Batches || after.Commits != before.Commits+1 {
				t.Errorf("%d batches and %d commits follow, want a commit", after.Batches-before.Batches, after.Commits-before.Commits)
			}
			mustAppend(t, s, "x")
			if last := s.Stats(); last.Batches != after.Batches+1 {
				t.Errorf("%d batches follow it, want one", last.Batches-after.Batches)
			}
			want := inJournal + 4
			if n := len(offsets(t, s)); n != want {
				t.Errorf("%d records are there, want %d", n, want)
			}
			copied := filepath.Join(t.TempDir(), "wireroom.db")
			copyFile(t, path, copied)
			copyFile(t, path+".journal", copied+".journal")
			other := openBytes(t, copied, 1<<20, slog.New(slog.DiscardHandler))
			defer other.Close()
			if n := len(offsets(t, other)); n != want {
				t.Errorf("after a kill %d records are there, want %d", n, want)
			}
		})
	}
}
