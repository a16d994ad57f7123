package transport_test

import (
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
	"sync/atomic"
	"testing"
)

// A traffic is one direction of TLS 1.3, as RFC 8446, 5.2 and 7 say, for what
// crypto/tls cannot be asked for.
type traffic struct {
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

const (
	closeNotify   = "\x01\x00"             // RFC 8446, 6.1
	keyUpdate     = "\x18\x00\x00\x01\x01" // asks for one of the other side, too (4.6.3)
	keyUpdateBack = "\x18\x00\x00\x01\x00"
)

// keys returns what the next record is protected with.
func (s *traffic) keys() (aead cipher.AEAD, nonce []byte) {
	block, err := aes.NewCipher(s.expand("key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	if aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	nonce = s.expand("iv", aead.NonceSize())
	for i, b := range binary.BigEndian.AppendUint64(nil, s.seq) {
		nonce[len(nonce)-8+i] ^= b
	}
	return aead, nonce
}

// seal returns content as one record.
func (s *traffic) seal(kind byte, content string) string {
	aead, nonce := s.keys()
	s.seq++
	plain := append([]byte(content), kind)
	header := binary.BigEndian.AppendUint16([]byte{contentData, 3, 3}, uint16(len(plain)+aead.Overhead()))
	return string(aead.Seal(header, nonce, plain, header))
}

// open returns the content of the next record, with keys that change when the
// record says so.
func (s *traffic) open(r io.Reader) (kind byte, content []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	for {
		aead, nonce := s.keys()
		if content, err = aead.Open(nil, nonce, body, header); err == nil {
			break
		}
		// The records that crypto/tls read before were not counted.
		if s.seq++; s.seq > 10 {
			return 0, nil, err
		}
	}
	s.seq++
	kind, content = content[len(content)-1], content[:len(content)-1]
	if kind == contentHandshake && string(content) == keyUpdateBack {
		s.update()
	}
	return kind, content, nil
}

// update changes to the keys that follow a key update.
func (s *traffic) update() { s.secret, s.seq = s.expand("traffic upd", sha256.Size), 0 }

func (s *traffic) expand(label string, n int) []byte {
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

// A tallyConn is the socket of a client; it counts the protected records that
// the client sends, each of which crypto/tls writes by itself.
type tallyConn struct {
	net.Conn
	sent atomic.Uint64
}

func (c *tallyConn) Write(p []byte) (int, error) {
	for b := p; len(b) >= 5; b = b[5+int(binary.BigEndian.Uint16(b[3:5])):] {
		if b[0] == contentData {
			c.sent.Add(1)
		}
	}
	return c.Conn.Write(p)
}

// A sealedPeer has taken over from the tls.Conn of a client. It may be read by
// the one or the other, but not by both, and is written by its own only.
type sealedPeer struct {
	*peer
	raw     net.Conn // below TLS
	in, out traffic
}

// connectSealed upgrades a connection over TLS 1.3 and takes it over.
func (h *house) connectSealed(l *secureListener) *sealedPeer {
	h.t.Helper()
	var log strings.Builder
	tally := &tallyConn{}
	h.dial = func() (net.Conn, error) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		tally.Conn = conn
		return tls.Client(tally, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log, MinVersion: tls.VersionTLS13}), nil
	}
	p := &sealedPeer{peer: h.connect("wamp.2.json", ""), raw: tally.Conn}
	if suite := p.conn.(*tls.Conn).ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		h.t.Skipf("the cipher suite is %s", tls.CipherSuiteName(suite))
	}
	secrets := map[string][]byte{}
	for line := range strings.Lines(log.String()) {
		f := strings.Fields(line)
		secret, err := hex.DecodeString(f[2])
		if err != nil {
			h.t.Fatal(err)
		}
		secrets[f[0]] = secret
	}
	p.in = traffic{t: h.t, secret: secrets["SERVER_TRAFFIC_SECRET_0"]}
	// The client's Finished has other keys than what follows.
	p.out = traffic{t: h.t, secret: secrets["CLIENT_TRAFFIC_SECRET_0"], seq: tally.sent.Load() - 1}
	return p
}

// sendRaw sends bytes below TLS.
func (p *sealedPeer) sendRaw(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.raw, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}
