package transport

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// batchedSuffix makes a subprotocol one of those in which a WebSocket message
// holds several of WAMP (WAMP, "Message Batching").
const batchedSuffix = ".batched"

const (
	batchEnd    = 0x1e // what ends each message of a batch in JSON
	batchLength = 4    // bytes of the length in front of each of any other
)

// WebSocketBatched frames messages as [WebSocket] does, each as a batch of one,
// so that frames can be shared and leave at once.
var WebSocketBatched = &router.Framing{Index: 3, Headroom: headroom + batchLength, Seal: sealBatch, Open: openBatch}

func sealBatch(buf []byte, s wamp.Serializer) []byte {
	if !s.Binary() {
		return seal(append(buf[batchLength:], batchEnd), s)
	}
	binary.BigEndian.PutUint32(buf[headroom:], uint32(len(buf)-headroom-batchLength))
	return seal(buf, s)
}

func openBatch(frame []byte) []byte {
	batch := open(frame)
	if opcode(frame[0]&0x0f) == opText {
		return batch[:len(batch)-1]
	}
	return batch[batchLength:]
}

// subprotocolOf returns what a subprotocol stands for.
func subprotocolOf(name string) (s wamp.Serializer, batched, ok bool) {
	name, batched = strings.CutSuffix(name, batchedSuffix)
	s, ok = wamp.SerializerOf(name)
	return s, batched, ok
}

// appendToBatch appends one more message to a batch.
func appendToBatch(batch, msg []byte, s wamp.Serializer) []byte {
	if !s.Binary() {
		return append(append(batch, msg...), batchEnd)
	}
	return append(binary.BigEndian.AppendUint32(batch, uint32(len(msg))), msg...)
}

// firstOfBatch takes the first message out of a batch.
func firstOfBatch(batch []byte, data opcode) (msg, rest []byte, bad *violation) {
	switch {
	case len(batch) == 0:
		return nil, nil, violates(closeProtocol, "a batch holds no message")
	case data == opText:
		end := bytes.IndexByte(batch, batchEnd)
		if end < 0 {
			return nil, nil, violates(closeProtocol, "a message of a batch does not end with the byte %#02x", batchEnd)
		}
		return batch[:end:end], batch[end+1:], nil
	case len(batch) < batchLength:
		return nil, nil, violates(closeProtocol, "a batch ends in the length of a message")
	}
	n := binary.BigEndian.Uint32(batch)
	batch = batch[batchLength:]
	if uint64(n) > uint64(len(batch)) {
		return nil, nil, violates(closeProtocol, "a message of a batch has %d bytes, and only %d are there", n, len(batch))
	}
	return batch[:n:n], batch[n:], nil
}

// receiveBatch hands the messages of a batch to the session, up to what is no
// message.
func (c *conn) receiveBatch(batch []byte) {
	for {
		msg, rest, bad := firstOfBatch(batch, c.asm.data)
		if bad != nil {
			c.fail(bad)
			return
		}
		if c.sess.Receive(msg) != nil {
			c.leave()
			return
		}
		if len(rest) == 0 {
			return
		}
		c.shard.messagesIn.Add(1) // the last one is counted with its frame
		batch = rest
	}
}
