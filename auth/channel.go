package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/wireroom/wireroom/router/wamp"
)

// The types of channel bindings.
const (
	tlsUnique   = "tls-unique"   // RFC 5929: of TLS 1.2
	tlsExporter = "tls-exporter" // RFC 9266: 32 bytes
)

// A channelBinding is the TLS connection that a login is bound to, so that
// somebody in between, who has another one with each side, can't pass it on.
// The zero value is no binding.
type channelBinding struct {
	kind string // [tlsUnique] or [tlsExporter]
	data []byte
}

// bindingOf returns the binding that the client wants. One that the connection
// can't give is refused: to go on without would be what somebody in between
// wants.
func bindingOf(method string, hello *Hello) (channelBinding, error) {
	v := hello.AuthExtra["channel_binding"]
	if v == nil {
		return channelBinding{}, nil
	}
	kind, _ := v.(string)
	if (kind == tlsUnique || kind == tlsExporter) && hello.ChannelID != nil {
		if data := hello.ChannelID(kind); len(data) > 0 {
			return channelBinding{kind, data}, nil
		}
	}
	return channelBinding{}, wamp.Errorf(wamp.URIFeatureNotSupported,
		"%s: authextra.channel_binding: expected null, %s (over TLS 1.2) or %s (over TLS), found something that this connection can't give",
		method, tlsUnique, tlsExporter)
}

// id returns the 32 bytes that WAMP-Cryptosign takes for the channel's ID: what
// the exporter gives, and of the message that tls-unique is the SHA-256, as
// other implementations have it.
func (b channelBinding) id() [32]byte {
	if b.kind == tlsExporter && len(b.data) == 32 {
		return [32]byte(b.data)
	}
	return sha256.Sum256(b.data)
}

// input returns the base64 of the CBindInput of WAMP-SCRAM.
func (b channelBinding) input() string {
	if b.kind == "" {
		return "biws" // n,,
	}
	return base64.StdEncoding.EncodeToString(append([]byte("p="+b.kind+",,"), b.data...))
}

// agrees reports whether an AUTHENTICATE message of WAMP-SCRAM has the binding
// of HELLO and the same data.
func (b channelBinding) agrees(extra map[string]any) bool {
	if b.kind == "" {
		return extra["channel_binding"] == nil && extra["cbind_data"] == nil
	}
	text, _ := extra["cbind_data"].(string)
	data, err := decodeBase64(text)
	return err == nil && extra["channel_binding"] == b.kind && subtle.ConstantTimeCompare(data, b.data) == 1
}
