package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// What the pages of a bbolt file look like, all in the order of bytes of the
// machine that wrote it:
//
//	page     id (8 bytes), flags (2), number of elements (2), further pages that belong to it (4)
//	branch   elements: position of the key, from the element (4), its length (4), page (8)
//	leaf     elements: flags (4), position of the key, from the element (4), its length (4), that of the value (4)
//	bucket   the value of a leaf's element with the flag 1: page of its root (8), sequence (8);
//	         if the page is 0, a whole page follows
const (
	pageHeader    = 16
	elementLen    = 16
	bucketHeader  = 16
	flagBranch    = 1
	flagLeaf      = 2
	elementBucket = 1
	maxDepth      = 128 // of pages below one another
)

// A pageCheck reads the tree of a file page by page, without bbolt, which does
// not bear what is no tree: it would read memory that is not there, or go round
// in circles.
type pageCheck struct {
	file  io.ReaderAt
	size  uint64 // of a page
	pages uint64 // how many the file has
	seen  map[uint64]bool
	stop  func(n int) bool
	n     int
}

// checkPages returns what is wrong with the tree, or nil.
func (c *verifier) checkPages(tx *bolt.Tx) error {
	file, err := os.Open(c.s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	size := uint64(tx.DB().Info().PageSize)
	p := &pageCheck{file: file, size: size, pages: uint64(tx.Size()) / size, seen: make(map[uint64]bool), stop: c.stop}
	root, err := p.root()
	if err != nil {
		return err
	}
	return p.page(root, 0)
}

// root returns the page of the root, as the newer of the two meta pages says.
// They have checksums, which bbolt has looked at.
func (p *pageCheck) root() (root uint64, err error) {
	var newest uint64
	for id := range uint64(2) {
		b := make([]byte, pageHeader+64)
		if _, err := p.file.ReadAt(b, int64(id*p.size)); err != nil {
			return 0, err
		}
		// magic, version, page size, flags (4 each), root, sequence, free pages, pages, transaction, checksum (8 each)
		meta := b[pageHeader:]
		if tx := binary.NativeEndian.Uint64(meta[48:]); tx >= newest && binary.NativeEndian.Uint64(meta[56:]) == checksum(meta[:56]) {
			newest, root = tx, binary.NativeEndian.Uint64(meta[16:])
		}
	}
	return root, nil
}

// checksum is FNV-1a, as bbolt has it.
func checksum(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// page checks a page and what is below it.
func (p *pageCheck) page(id uint64, depth int) error {
	if p.n++; p.stop(p.n) {
		return nil
	}
	if id < 2 || id >= p.pages {
		return fmt.Errorf("a page is said to be the page %d, and the file has %d", id, p.pages)
	}
	head := make([]byte, pageHeader)
	if _, err := p.file.ReadAt(head, int64(id*p.size)); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if own := binary.NativeEndian.Uint64(head); own != id || more >= p.pages-id {
		return fmt.Errorf("page %d says that it is the page %d, with %d more, of %d", id, own, more, p.pages)
	}
	for i := id; i <= id+more; i++ {
		if p.seen[i] {
			return fmt.Errorf("page %d is in the tree twice", i)
		}
		p.seen[i] = true
	}
	b := make([]byte, (more+1)*p.size)
	if _, err := p.file.ReadAt(b, int64(id*p.size)); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if err := p.elements(b, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements checks the elements of a page.
func (p *pageCheck) elements(b []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is more than %d pages deep", maxDepth)
	}
	flags, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf {
		return fmt.Errorf("has the flags %#x, expected those of a branch or a leaf", flags)
	}
	if pageHeader+count*elementLen > len(b) {
		return fmt.Errorf("has %d elements, for which it is too small", count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*elementLen
		e := b[at : at+elementLen]
		var pos, keyLen, valueLen, kind uint32
		if flags == flagBranch {
			pos, keyLen = binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:])
		} else {
			kind, pos = binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:])
			keyLen, valueLen = binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
		}
		begin := uint64(at) + uint64(pos)
		end := begin + uint64(keyLen) + uint64(valueLen)
		if int(pos) < (count-i)*elementLen || end > uint64(len(b)) {
			return fmt.Errorf("the element %d goes from %d to %d, and the page has %d bytes", i, begin, end, len(b))
		}
		key, value := b[begin:begin+uint64(keyLen)], b[begin+uint64(keyLen):end]
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("the key of the element %d does not come after the one before it", i)
		}
		last = key
		switch {
		case flags == flagBranch:
			if err := p.page(binary.NativeEndian.Uint64(e[8:]), depth+1); err != nil {
				return err
			}
		case kind > elementBucket:
			return fmt.Errorf("the element %d has the flags %#x, expected 0 or 1", i, kind)
		case kind == elementBucket:
			if err := p.bucket(value, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket checks the bucket that an element is.
func (p *pageCheck) bucket(value []byte, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("a bucket has %d bytes, expected at least %d", len(value), bucketHeader)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return p.page(root, depth+1)
	}
	if len(value) < bucketHeader+pageHeader {
		return fmt.Errorf("a bucket without a page has %d bytes, expected at least %d", len(value), bucketHeader+pageHeader)
	}
	return p.elements(value[bucketHeader:], depth+1)
}
