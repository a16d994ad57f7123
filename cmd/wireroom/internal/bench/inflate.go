//go:build linux

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
	"github.com/klauspost/compress/flate"
)

// offerDeflate is what the generator offers with --deflate: messages that are
// compressed each by itself, so that neither side keeps anything between them.
// It may send its own uncompressed, and does.
var offerDeflate = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}.Option()

// checkDeflate reports whether a server agreed to what was offered.
func checkDeflate(agreed []httphead.Option) error {
	for _, e := range agreed {
		if string(e.Name) != wsflate.ExtensionName {
			continue
		}
		if _, ok := e.Parameters.Get("server_no_context_takeover"); !ok {
			return errors.New("the server agreed to permessage-deflate without server_no_context_takeover")
		}
		return nil
	}
	return errors.New("the server did not agree to permessage-deflate")
}

// deflateTail is what a sender leaves out at the end of each message (RFC 7692,
// 7.2.1), and a last block, so that the reader knows the end.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// An inflater inflates messages. All subscribers of a server that compresses
// once receive the same bytes, and a real client has its own processor; so the
// inflater remembers some messages, and inflates what came again only once. The
// zero value is ready. It is not safe for concurrent use.
type inflater struct {
	seed   maphash.Seed
	known  []inflated // by hash; nil before the first message
	reader io.ReadCloser
	source bytes.Reader
	packed []byte // with its tail
	plain  bytes.Buffer
}

// An inflated is a message that was inflated before.
type inflated struct {
	packed, plain []byte
}

// The messages that an inflater remembers, and how long they may be.
const (
	inflatedKnown = 256
	inflatedMax   = 16 << 10
)

// inflate returns the message, valid until the next call.
func (in *inflater) inflate(packed []byte) ([]byte, error) {
	if in.known == nil {
		in.seed, in.known = maphash.MakeSeed(), make([]inflated, inflatedKnown)
	}
	k := &in.known[maphash.Bytes(in.seed, packed)%inflatedKnown]
	if len(packed) > 0 && bytes.Equal(k.packed, packed) {
		return k.plain, nil
	}
	in.packed = append(append(in.packed[:0], packed...), deflateTail...)
	in.source.Reset(in.packed)
	if in.reader == nil {
		in.reader = flate.NewReader(&in.source)
	} else if err := in.reader.(flate.Resetter).Reset(&in.source, nil); err != nil {
		return nil, err
	}
	in.plain.Reset()
	n, err := io.Copy(&in.plain, io.LimitReader(in.reader, maxFrame+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("a compressed message: %w", err)
	case n > maxFrame:
		return nil, fmt.Errorf("a compressed message of more than %d bytes", maxFrame)
	case n <= inflatedMax && len(packed) <= inflatedMax:
		k.packed = append(k.packed[:0], packed...)
		k.plain = append(k.plain[:0], in.plain.Bytes()...)
	}
	return in.plain.Bytes(), nil
}

// inflaters serve sessions that no loop reads yet.
var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflateOnce returns the message, which the caller owns.
func inflateOnce(packed []byte) ([]byte, error) {
	in := inflaters.Get().(*inflater)
	defer inflaters.Put(in)
	plain, err := in.inflate(packed)
	return bytes.Clone(plain), err
}

// unpack hands a compressed message to the receiver.
func (p *peer) unpack(packed []byte, now int64) {
	p.loop.packed++
	msg, err := p.loop.inflater.inflate(packed)
	if err != nil {
		p.end(err)
		return
	}
	p.deliver(msg, now)
}
