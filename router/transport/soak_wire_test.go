package transport_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A soakWire is the client's end of one WebSocket or RawSocket: it writes what
// is queued in a goroutine of its own, so that whoever queues never waits for
// the server, and reads frame by frame.
type soakWire struct {
	conn net.Conn     // over TLS, if the place has it
	raw  *brittleConn // under TLS
	br   *bufio.Reader
	text bool // data frames are text
	buf  []byte

	deflate bool // permessage-deflate was negotiated
	bare    bool // a RawSocket; frames are told of as those of WebSocket

	mu     sync.Mutex // guards the following
	wake   sync.Cond
	out    []byte
	masked uint32 // the last key
	closed bool   // nothing more is to be written
	wg     sync.WaitGroup
}

// maxSoakFrame is the largest frame that a server may send here.
const maxSoakFrame = 1 << 20

// upgrade asks for a WebSocket over conn.
func upgrade(conn net.Conn, raw *brittleConn, subprotocol string, text, deflate bool) (*soakWire, error) {
	w := &soakWire{conn: conn, raw: raw, br: bufio.NewReaderSize(conn, 4<<10), text: text}
	offer := ""
	if deflate {
		offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	w.wake.L = &w.mu
	if err := conn.SetDeadline(time.Now().Add(patientlyWaited)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, handshake+offer+"Sec-WebSocket-Protocol: "+subprotocol+"\r\n\r\n"); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(w.br, nil)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("upgrade answered with %s", resp.Status)
	}
	granted := resp.Header.Get("Sec-WebSocket-Extensions")
	if w.deflate = granted != ""; w.deflate != deflate {
		return nil, fmt.Errorf("%q was answered with %q", offer, granted)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	w.wg.Go(w.write)
	return w, nil
}

// greet opens a RawSocket over conn.
func greet(conn net.Conn, raw *brittleConn, ser wamp.Serializer) (*soakWire, error) {
	w := &soakWire{conn: conn, raw: raw, br: bufio.NewReaderSize(conn, 4<<10), text: ser == wamp.JSON, bare: true}
	w.wake.L = &w.mu
	if err := conn.SetDeadline(time.Now().Add(patientlyWaited)); err != nil {
		return nil, err
	}
	greeting := [4]byte{0x7f, 0xf0 | byte(ser) + 1} // messages of up to 16 MiB, and the serializer
	if _, err := conn.Write(greeting[:]); err != nil {
		return nil, err
	}
	var answer [4]byte
	if _, err := io.ReadFull(w.br, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 0x7f || answer[1]&0x0f != greeting[1]&0x0f {
		return nil, fmt.Errorf("%x was answered with %x", greeting, answer)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	w.wg.Go(w.write)
	return w, nil
}

// write writes what is queued until the connection is closed.
func (w *soakWire) write() {
	var spare []byte
	for {
		w.mu.Lock()
		for len(w.out) == 0 && !w.closed {
			w.wake.Wait()
		}
		if w.closed {
			w.mu.Unlock()
			return
		}
		out := w.out
		w.out = spare[:0]
		w.mu.Unlock()
		if _, err := w.conn.Write(out); err != nil {
			w.stop() // the reader finds out why
			return
		}
		spare = out
	}
}

// stop has nothing more written.
func (w *soakWire) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake.Signal()
}

// pending returns how many bytes wait to be written.
func (w *soakWire) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

// queue frames payload, masked, with the first byte as given. A RawSocket has
// messages, pings and pongs only.
func (w *soakWire) queue(first byte, payload []byte) {
	if w.bare {
		w.queueRaw(bareFrame(first, string(payload)))
		return
	}
	w.mu.Lock()
	w.out = append(w.out, first)
	switch n := len(payload); {
	case n <= 125:
		w.out = append(w.out, 0x80|byte(n))
	case n < 1<<16:
		w.out = append(w.out, 0x80|126, byte(n>>8), byte(n))
	default:
		w.out = append(w.out, 0x80|127)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(n))
	}
	w.masked += 0x9e3779b9
	var key [4]byte
	binary.BigEndian.PutUint32(key[:], w.masked)
	w.out = append(w.out, key[:]...)
	at := len(w.out)
	w.out = append(w.out, payload...)
	for i, masked := 0, w.out[at:]; i < len(masked); i++ {
		masked[i] ^= key[i&3]
	}
	w.mu.Unlock()
	w.wake.Signal()
}

// bareFrame returns a frame of a RawSocket that does what one of a WebSocket
// would.
func bareFrame(first byte, payload string) string {
	kind := map[byte]byte{ping: 1, pong: 2}[first&0x0f] // 0: a message
	return string(binary.BigEndian.AppendUint32(nil, uint32(kind)<<24|uint32(len(payload)))) + payload
}

// queueRaw queues bytes that may be no frame at all.
func (w *soakWire) queueRaw(b string) {
	w.mu.Lock()
	w.out = append(w.out, b...)
	w.mu.Unlock()
	w.wake.Signal()
}

// data returns the opcode of a message.
func (w *soakWire) data() byte {
	if w.text {
		return text
	}
	return bin
}

// next reads a frame, which is valid until the next call.
func (w *soakWire) next() (first byte, payload []byte, err error) {
	var head [10]byte
	if w.bare {
		return w.nextBare()
	}
	if _, err := io.ReadFull(w.br, head[:2]); err != nil {
		return 0, nil, err
	}
	first, n := head[0], uint64(head[1])
	if n&0x80 != 0 {
		return first, nil, errors.New("the server masked a frame")
	}
	switch n {
	case 126:
		_, err = io.ReadFull(w.br, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(w.br, head[:8])
		n = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return first, nil, cutShort(err)
	}
	payload, err = w.body(n)
	return first, payload, err
}

// nextBare reads a frame of a RawSocket.
func (w *soakWire) nextBare() (first byte, payload []byte, err error) {
	var head [4]byte
	if n, err := io.ReadFull(w.br, head[:]); err != nil {
		if n > 0 {
			err = cutShort(err)
		}
		return 0, nil, err
	}
	kinds := []byte{w.data(), ping, pong}
	if int(head[0]) >= len(kinds) {
		return 0, nil, fmt.Errorf("a frame that begins with %x", head)
	}
	payload, err = w.body(uint64(binary.BigEndian.Uint32(head[:]) & 0xff_ffff))
	return fin | kinds[head[0]], payload, err
}

// body reads the n bytes of a payload.
func (w *soakWire) body(n uint64) ([]byte, error) {
	if n > maxSoakFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	if uint64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	_, err := io.ReadFull(w.br, w.buf[:n])
	return w.buf[:n], cutShort(err)
}

// A soakFlate compresses and inflates messages, for one client at a time.
type soakFlate struct {
	mu  sync.Mutex // guards the following
	w   *flate.Writer
	r   io.ReadCloser
	out bytes.Buffer
	in  bytes.Buffer
}

var soakDeflate soakFlate

// flateTail is what a compressed message ends with and is sent without
// (RFC 7692, 7.2.1), and a final block, so that a reader finds the end.
const flateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// deflate returns msg compressed.
func (f *soakFlate) deflate(msg []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out.Reset()
	var err error
	if f.w == nil {
		f.w, err = flate.NewWriter(&f.out, flate.BestSpeed)
	} else {
		f.w.Reset(&f.out)
	}
	if err == nil {
		_, err = f.w.Write(msg)
	}
	if err == nil {
		err = f.w.Flush()
	}
	return bytes.Clone(bytes.TrimSuffix(f.out.Bytes(), []byte(flateTail[:4]))), err
}

// inflate appends the message that packed stands for to dst.
func (f *soakFlate) inflate(dst, packed []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in.Reset()
	f.in.Write(packed)
	f.in.WriteString(flateTail)
	var err error
	if f.r == nil {
		f.r = flate.NewReader(&f.in)
	} else {
		err = f.r.(flate.Resetter).Reset(&f.in, nil)
	}
	for err == nil {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, 512)
		}
		var n int
		n, err = f.r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
	}
	if err == io.EOF {
		err = nil
	}
	return dst, err
}

// cutShort tells the end within a frame from the end between two.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A cut is how a client takes down its connection.
type cut int

const (
	cutFIN  cut = iota // in good order, as far as TCP is concerned
	cutRST             // with a reset
	cutHalf            // only the client's direction; the reader goes on
)

// cut takes the connection down. What is queued may be lost.
func (w *soakWire) cut(how cut) {
	w.stop()
	switch how {
	case cutRST:
		_ = w.raw.SetLinger(0) // of a socket that may be closed
	case cutHalf:
		w.wg.Wait()            // for a write that is under way
		_ = w.raw.CloseWrite() // of a socket that may be closed
		return
	}
	w.raw.Close()
}

// release closes whatever is open and waits for the writer.
func (w *soakWire) release() {
	w.stop()
	w.raw.Close()
	w.wg.Wait()
}
