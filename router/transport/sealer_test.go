package transport_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A sealer makes TLS 1.3 records of a client, as RFC 8446, 5.2 and 7 say, for
// what crypto/tls cannot be asked for. It takes over from the tls.Conn of a
// client, which can only be read from then on.
type sealer struct {
	t      testing.TB
	secret []byte
	seq    uint64
}

// Content types of records (RFC 8446, 5.1).
const (
	contentAlert     = 21
	contentHandshake = 22
	contentData      = 23
)

// keyUpdate asks for one of the other side, too (RFC 8446, 4.6.3).
const keyUpdate = "\x18\x00\x00\x01\x01"

// seal returns content as one record.
func (s *sealer) seal(kind byte, content string) string {
	block, err := aes.NewCipher(s.expand("key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		s.t.Fatal(err)
	}
	nonce := s.expand("iv", aead.NonceSize())
	for i, b := range binary.BigEndian.AppendUint64(nil, s.seq) {
		nonce[len(nonce)-8+i] ^= b
	}
	s.seq++
	plain := append([]byte(content), kind)
	header := binary.BigEndian.AppendUint16([]byte{contentData, 3, 3}, uint16(len(plain)+aead.Overhead()))
	return string(aead.Seal(header, nonce, plain, header))
}

// update changes to the keys that follow a key update.
func (s *sealer) update() { s.secret, s.seq = s.expand("traffic upd", sha256.Size), 0 }

func (s *sealer) expand(label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	label = "tls13 " + label
	info = append(info, byte(len(label)))
	info = append(append(info, label...), 0)
	out, err := hkdf.Expand(sha256.New, s.secret, string(info), n)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// A secretConn is the socket of a client; it counts the records that the
// client sends and notes how long those are that it gets.
type secretConn struct {
	net.Conn
	mu   sync.Mutex // guards the following
	sent uint64     // records with application data
	got  bytes.Buffer
}

func (c *secretConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	for b := p; len(b) >= 5; b = b[5+int(binary.BigEndian.Uint16(b[3:5])):] {
		if b[0] == contentData {
			c.sent++
		}
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *secretConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.got.Write(p[:n])
	c.mu.Unlock()
	return n, err
}

// records returns the lengths of the records that came, without headers.
func (c *secretConn) records() (sizes []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := c.got.Bytes(); len(b) >= 5; {
		n := int(binary.BigEndian.Uint16(b[3:5]))
		sizes = append(sizes, n)
		b = b[min(5+n, len(b)):]
	}
	return sizes
}

// connectSealed upgrades a connection over TLS 1.3 and returns a sealer that
// goes on after it.
func (h *house) connectSealed(l *secureListener) (*peer, *sealer, *secretConn) {
	h.t.Helper()
	var keys strings.Builder
	sc := &secretConn{}
	h.dial = func() (net.Conn, error) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		sc.Conn = conn
		return tls.Client(sc, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &keys, MinVersion: tls.VersionTLS13}), nil
	}
	p := h.connect("wamp.2.json", "")
	if suite := p.conn.(*tls.Conn).ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		h.t.Skipf("the cipher suite is %s", tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(keys.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				h.t.Fatal(err)
			}
			// The last record of the handshake, Finished, has other keys.
			return p, &sealer{t: h.t, secret: secret, seq: sc.sent - 1}, sc
		}
	}
	h.t.Fatal("the client has no secret")
	return nil, nil, nil
}

// sendRaw sends bytes below TLS.
func (p *peer) sendRaw(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn.(*tls.Conn).NetConn().(*secretConn).Conn, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}
