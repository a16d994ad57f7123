//go:build linux

package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// startSync prepares a file on the disk of the stores, which nobody serves.
func startSync(_ context.Context, o *options) (*server, error) {
	dir, err := os.MkdirTemp(o.dir, "wireroom-bench-*")
	if err != nil {
		return nil, err
	}
	s := &server{
		note:    "write(2) of 4 KiB and fdatasync(2), on " + fsName(dir),
		stop:    func() { _ = os.RemoveAll(dir) },
		explain: func(err error) error { return err },
	}
	s.load = func(ctx context.Context, _ ingestLoad, say progress) (sample, error) {
		say("writing and syncing for %v", o.duration)
		rate, err := syncRate(ctx, filepath.Join(dir, "file"), o.duration)
		return sample{keySyncs: rate}, err
	}
	return s, nil
}

// syncRate returns how many times a second a page can be written to a file
// and be put on the disk, one after the other. The file has its size already,
// as the store's file mostly has.
func syncRate(ctx context.Context, file string, d time.Duration) (float64, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	const page, pages = 4 << 10, 1024
	if _, err := f.Write(make([]byte, page*pages)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	buf := make([]byte, page)
	began := time.Now()
	for n := 0; ; n++ {
		if took := time.Since(began); took >= d {
			return float64(n) / took.Seconds(), nil
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		buf[0] = byte(n)
		if _, err := f.WriteAt(buf, int64(n%pages)*page); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
	}
}

// Where bbolt's file has the number of its last transaction that wrote: in the
// first two pages, in turn, behind a page's head and a mark.
const (
	metaMarkAt = 16
	metaTxAt   = 64
	metaMark   = 0xED0CDAED
)

// Where each batch in the journal of the store's file has its number: at the
// beginning of a block, behind a mark and a length.
const (
	batchMark     = "wrjb"
	batchNumberAt = 8
	journalBlock  = 4096
)

// written is what an embedded store wrote since it was opened. Two readings
// around a span of time give what it wrote in that.
type written struct {
	commits uint64 // transactions of its file
	batches uint64 // of its journal
}

// writtenTo returns what was written to an embedded store, as its files say.
func writtenTo(file string) (w written, err error) {
	f, err := os.Open(file)
	if err != nil {
		return w, err
	}
	defer f.Close()
	page := int64(os.Getpagesize())
	for i := range int64(2) {
		var head [metaTxAt + 8]byte
		if _, err := f.ReadAt(head[:], i*page); err != nil {
			return w, err
		}
		if binary.NativeEndian.Uint32(head[metaMarkAt:]) != metaMark {
			return w, errors.New("the store's file does not begin as one of bbolt does")
		}
		w.commits = max(w.commits, binary.NativeEndian.Uint64(head[metaTxAt:]))
	}
	journal, err := os.ReadFile(file + ".journal")
	if errors.Is(err, os.ErrNotExist) {
		return w, nil
	}
	for len(journal) >= journalBlock {
		if string(journal[:len(batchMark)]) == batchMark {
			w.batches = max(w.batches, binary.LittleEndian.Uint64(journal[batchNumberAt:]))
		}
		journal = journal[journalBlock:]
	}
	return w, err
}
