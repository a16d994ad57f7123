package embedded_test

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// tryOpen opens a file with little patience.
func tryOpen(path string) (*embedded.Store, error) {
	config := embedded.DefaultConfig()
	config.LockTimeout = 50 * time.Millisecond
	return embedded.Open(path, config, slog.New(slog.DiscardHandler))
}

// fill makes a store file with some content, and closes it.
func fill(t *testing.T, path string) {
	t.Helper()
	s, err := tryOpen(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		mustAppend(t, s, strings.Repeat("x", 1000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// bucket changes a bbolt file by its own means.
func bucket(t *testing.T, path, name, key string, value []byte) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), value)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite puts garbage into a file.
func overwrite(t *testing.T, path string, from, n int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("#", int(n))), from); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	page := int64(os.Getpagesize())
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // after "store file <path>: "
	}{
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file but d---------"},
		{"a short text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("hello\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a store of wireroom, or is damaged: invalid database"},
		{"a long text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("hello\n", 10_000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a store of wireroom, or is damaged: invalid database"},
		{"of another program", func(t *testing.T, path string) {
			bucket(t, path, "users", "joe", nil)
		}, "is a bbolt file of another program"},
		{"of a newer version", func(t *testing.T, path string) {
			fill(t, path)
			bucket(t, path, "wireroom", "format", binary.BigEndian.AppendUint32(nil, 7))
		}, "is of the format 7, and this version of wireroom knows formats up to 2: use a newer wireroom"},
		{"without a version", func(t *testing.T, path string) {
			fill(t, path)
			bucket(t, path, "wireroom", "format", nil)
		}, "is damaged: it has no format version"},
		{"with version 0", func(t *testing.T, path string) {
			fill(t, path)
			bucket(t, path, "wireroom", "format", make([]byte, 4))
		}, "is damaged: it has the format version 0"},
		{"without its beginning", func(t *testing.T, path string) {
			fill(t, path)
			overwrite(t, path, 0, 2*page)
		}, "is not a store of wireroom, or is damaged: invalid database"},
		{"with garbage in the middle", func(t *testing.T, path string) {
			fill(t, path)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, 2*page, info.Size()-2*page)
		}, "is damaged: "},
		{"cut off", func(t *testing.T, path string) {
			fill(t, path)
			if err := os.Truncate(path, 2*page); err != nil {
				t.Fatal(err)
			}
		}, "is damaged: "},
		{"cut off near the end", func(t *testing.T, path string) {
			fill(t, path)
			if err := os.Truncate(path, 20*page); err != nil {
				t.Fatal(err)
			}
		}, "is damaged: "},
		{"open already", func(t *testing.T, path string) {
			s, err := tryOpen(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
		}, "another process has it open"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wireroom.db")
			test.make(t, path)
			s, err := tryOpen(path)
			if err == nil {
				s.Close()
				t.Fatal("Open succeeds")
			}
			if want := "store file " + path + ": " + test.want; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Open: %v\nwant: %s", err, want)
			}
		})
	}
}

func TestOpenNowhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	path := filepath.Join(dir, "wireroom.db")
	_, err := tryOpen(path)
	if want := "store file " + path + ": the directory " + dir + " does not exist"; err == nil || err.Error() != want {
		t.Errorf("Open: %v, want %s", err, want)
	}
}

// An empty file is what a crash leaves that comes before the first write.
func TestOpenEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, path)
}

func TestOpenBadConfig(t *testing.T) {
	_, err := embedded.Open(filepath.Join(t.TempDir(), "x"), embedded.Config{}, nil)
	if want := "batch_records: must be at least 1, not 0"; err == nil || err.Error() != want {
		t.Errorf("Open: %v, want %s", err, want)
	}
}

// A record that was damaged later is an error, not a crash, and those who
// have nothing to do with it go on.
func TestDamagedRecord(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	mustAppend(t, s, "x")
	err := s.Damage(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("classes")).Bucket([]byte("c")).Bucket([]byte("log")).
			Put(binary.BigEndian.AppendUint64(nil, 1), []byte{0})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "is damaged"
	if _, err := s.Read(t.Context(), events.Range{Class: "c", Through: 9, Limit: 1, Bytes: 1}); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Read: %v, want %s", err, want)
	}
	if err := appendTo(s, "c", "y"); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Append: %v, want %s", err, want)
	}
	if err := appendTo(s, "other", "y"); err != nil {
		t.Errorf("Append to another log: %v", err)
	}
}

// A file that is cut off while it is open fails those who need it, and ends
// nothing.
func TestCutOffWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	fill(t, path)
	s, err := tryOpen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	want := "store file " + path + ": is damaged: "
	if _, err := s.Read(t.Context(), events.Range{Class: "c", Through: 99, Limit: 99, Bytes: 1 << 20}); !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), want) {
		t.Errorf("Read: %v, want %s", err, want)
	}
	for range 2 {
		if err := appendTo(s, "c", "x"); !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("Append: %v, want %s", err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
