package embedded

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A journal is a file beside the store's file, with the batches that are
// acknowledged and not yet in a transaction of the store's file. It consists of
// blocks. The first one says whose it is; each batch begins at one:
//
//	first block  "wireroom journal", version (4 bytes), id (16), checksum of these (4)
//	batch        "wrjb", length of the payload (4), number (8), checksum of these, the id and the payload (4), the payload
//
// All numbers are little endian, checksums are CRC-32C. The numbers of batches
// go up by one. When everything in the journal is in the store's file, which
// says up to which number it has them, the next batch goes to the beginning
// again, and leaves out a number. What stands behind the last batch is of a round before, which its
// lower number shows, or a batch that was never acknowledged.
//
// Since batches have their own blocks, a block with something that was
// acknowledged is not written again as long as it is needed.
type journal struct {
	file journalFile
	id   journalID
	size int64
	end  int64  // where the next batch goes
	last uint64 // number of the last batch
	buf  []byte // what is being written
}

// A journalFile is what a journal needs of a file.
type journalFile interface {
	io.WriterAt

	// Sync makes what was written durable, but not what the system keeps of
	// a file whose length stays the same.
	Sync() error
	Close() error
}

// A journalID tells journals apart. A journal gets a new one when it is made.
type journalID [16]byte

const (
	journalMark    = "wireroom journal"
	journalVersion = 1
	journalBlock   = 4096 // bytes
	journalHead    = len(journalMark) + 4 + len(journalID{}) + 4

	batchMark = "wrjb"
	batchHead = len(batchMark) + 4 + 8 + 4
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [journalBlock]byte
)

// journalPath returns where the journal of a store's file is.
func journalPath(path string) string { return path + ".journal" }

// makeJournal makes an empty journal of so many bytes, in the place of one that
// may be there. Either it is there in the end, whole and durable, or nothing
// changed.
func makeJournal(path string, size int64) (*journal, error) {
	j := &journal{size: size, end: journalBlock}
	if _, err := rand.Read(j.id[:]); err != nil {
		return nil, err
	}
	making := path + ".new"
	f, err := os.OpenFile(making, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	// Blocks that were written once have their place on the disk: writing them
	// again needs no room, and changes nothing but them.
	_, err = f.Write(append(j.first(), make([]byte, size-journalBlock)...))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(making, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(making))
	}
	j.file = dataFile{f}
	return j, nil
}

// first returns the first block.
func (j *journal) first() []byte {
	b := append(make([]byte, 0, journalBlock), journalMark...)
	b = binary.LittleEndian.AppendUint32(b, journalVersion)
	b = append(b, j.id[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:journalBlock]
}

// fits reports whether there is room for a batch with so many bytes.
func (j *journal) fits(payload int) bool {
	return int64(batchHead+payload) <= j.size-j.end
}

// append writes a batch, which must fit, and returns when it is durable. After
// an error the batch may be in the file or not, and is as long as nothing else
// is written.
func (j *journal) append(payload []byte) error {
	number := j.last + 1
	b := append(j.buf[:0], batchMark...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint32(b, j.id.checksum(b, payload))
	b = append(b, payload...)
	b = append(b, zeros[:-len(b)&(journalBlock-1)]...)
	j.buf = b
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.end += int64(len(b))
	j.last = number
	return nil
}

// reach returns the number up to which no batch is needed any more once
// everything that was asked for is in the store's file. It is one more than the
// last one has: a batch with that number may be in the journal, and its writing
// have failed, and each commit of the store's file is told from the one before.
func (j *journal) reach() uint64 { return j.last + 1 }

// rewind has the next batch written at the beginning, as everything up to reach
// is in the store's file.
func (j *journal) rewind() {
	j.last = j.reach()
	j.end = journalBlock
}

func (id *journalID) checksum(head, payload []byte) uint32 {
	sum := crc32.Checksum(head[:len(batchMark)+12], castagnoli)
	sum = crc32.Update(sum, castagnoli, id[:])
	return crc32.Update(sum, castagnoli, payload)
}

// A journalContent is what is in a journal.
type journalContent struct {
	id       journalID
	from     uint64   // number of the first batch
	payloads [][]byte // of batches with numbers that go up by one
}

// readJournal reads the journal at a path. It returns nil if there is none.
func readJournal(path string) (*journalContent, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is not a regular file but %s", info.Mode().Type())
	}
	if info.Size() > maxJournalBytes {
		return nil, fmt.Errorf("has %d bytes, expected at most %d", info.Size(), maxJournalBytes)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, bare(err)
	}
	return parseJournal(b)
}

// parseJournal takes a journal apart. The payloads are within b.
func parseJournal(b []byte) (*journalContent, error) {
	if len(b) < journalBlock || string(b[:len(journalMark)]) != journalMark {
		return nil, errors.New("is not a journal of wireroom, or is damaged")
	}
	at := len(journalMark)
	version := binary.LittleEndian.Uint32(b[at:])
	if binary.LittleEndian.Uint32(b[journalHead-4:]) != crc32.Checksum(b[:journalHead-4], castagnoli) {
		return nil, fmt.Errorf("%w: the checksum of its first block is wrong", errDamaged)
	}
	if version != journalVersion {
		return nil, fmt.Errorf("is of the version %d, and this version of wireroom knows only %d: use the other wireroom", version, journalVersion)
	}
	c := &journalContent{id: journalID(b[at+4:])}
	for rest := b[journalBlock:]; len(rest) >= batchHead && string(rest[:len(batchMark)]) == batchMark; {
		length := binary.LittleEndian.Uint32(rest[len(batchMark):])
		number := binary.LittleEndian.Uint64(rest[len(batchMark)+4:])
		if uint64(length) > uint64(len(rest)-batchHead) {
			break
		}
		payload := rest[batchHead : batchHead+int(length)]
		if binary.LittleEndian.Uint32(rest[batchHead-4:]) != c.id.checksum(rest, payload) {
			break
		}
		if len(c.payloads) == 0 {
			c.from = number
		} else if number != c.from+uint64(len(c.payloads)) {
			break // of a round before
		}
		c.payloads = append(c.payloads, payload)
		n := batchHead + int(length)
		rest = rest[min(len(rest), n+-n&(journalBlock-1)):]
	}
	return c, nil
}

// since returns the payloads of the batches after a number. They are none if the
// journal has none of these. ok is false if batches between are missing.
func (c *journalContent) since(number uint64) (payloads [][]byte, ok bool) {
	switch {
	case len(c.payloads) == 0:
		return nil, true
	case c.from > number+1:
		return nil, false
	case number-c.from+1 >= uint64(len(c.payloads)):
		return nil, true
	}
	return c.payloads[number+1-c.from:], true
}
