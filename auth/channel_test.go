package auth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

var (
	finished = []byte("finished msg")         // of TLS 1.2: 12 bytes
	exported = bytes.Repeat([]byte{0xe5}, 32) // what the exporter gives
)

// overTLS begins a login over a connection that has the bindings.
func (c *cast) overTLS(t testing.TB, method, name string, extra map[string]any) (*auth.Challenge, error) {
	t.Helper()
	_, ch, err := c.Begin(t.Context(), "open", auth.Hello{
		AuthMethods: []string{method}, AuthID: name, AuthExtra: extra,
		ChannelID: func(kind string) []byte {
			return map[string][]byte{"tls-unique": finished, "tls-exporter": exported}[kind]
		},
	}, nil)
	return ch, err
}

func TestCryptosignBinding(t *testing.T) {
	c := newCast(t)
	hashed := sha256.Sum256(finished)
	for kind, id := range map[string][]byte{"tls-unique": hashed[:], "tls-exporter": exported} {
		ch, err := c.overTLS(t, "cryptosign", "kay", map[string]any{"pubkey": c.pubkeys["kay"], "channel_binding": kind})
		if err != nil || ch.Extra["channel_binding"] != kind {
			t.Fatalf("%s: %+v, %v", kind, ch, err)
		}
		message := must(hex.DecodeString(ch.Extra["challenge"].(string)))(t)
		g, err := ch.Answer(t.Context(), c.answerCryptosign(t, ch, "kay"), nil)
		refused(t, kind+", not bound", g, err)
		other := bytes.Clone(message)
		for i := range message {
			message[i] ^= id[i]
			other[i] ^= id[i] ^ 1
		}
		g, err = ch.Answer(t.Context(), hex.EncodeToString(c.sign["kay"](other))+hex.EncodeToString(other), nil)
		refused(t, kind+", bound to another connection", g, err)
		g, err = ch.Answer(t.Context(), hex.EncodeToString(c.sign["kay"](message))+hex.EncodeToString(message), nil)
		if err != nil || g.AuthID != "kay" {
			t.Errorf("%s: %+v, %v", kind, g, err)
		}
	}
}

// answerBound is what a client of WAMP-SCRAM with PBKDF2 answers that is bound
// to a connection.
func answerBound(t testing.TB, ch *auth.Challenge, kind string, data []byte) (proof string, extra map[string]any) {
	t.Helper()
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	nonce, salt := ch.Extra["nonce"].(string), ch.Extra["salt"].(string)
	salted := must(pbkdf2.Key(sha256.New, pencil, must(base64.StdEncoding.DecodeString(salt))(t), 4096, 32))(t)
	input := base64.StdEncoding.EncodeToString([]byte("p=" + kind + ",," + string(data)))
	message := fmt.Sprintf("n=pat,r=%s,r=%s,s=%s,i=4096,c=%s,r=%s", clientNonce, nonce, salt, input, nonce)
	key := sum(salted, "Client Key")
	stored := sha256.Sum256(key)
	signature := sum(stored[:], message)
	for i := range signature {
		signature[i] ^= key[i]
	}
	return base64.StdEncoding.EncodeToString(signature), map[string]any{
		"nonce": nonce, "channel_binding": kind, "cbind_data": base64.StdEncoding.EncodeToString(data),
	}
}

func TestSCRAMBinding(t *testing.T) {
	c := newCast(t)
	for _, tt := range []struct {
		what, kind string
		as         string // the binding that the client computes with
		data       []byte
		change     func(extra map[string]any)
		ok         bool
	}{
		{"unique", "tls-unique", "tls-unique", finished, nil, true},
		{"exporter", "tls-exporter", "tls-exporter", exported, nil, true},
		{"another connection", "tls-unique", "tls-unique", []byte("another conn"), nil, false},
		{"another binding", "tls-unique", "tls-exporter", exported, nil, false},
		{"data not told", "tls-unique", "tls-unique", finished, func(e map[string]any) { delete(e, "cbind_data") }, false},
		{"binding not told", "tls-unique", "tls-unique", finished, func(e map[string]any) { e["channel_binding"] = nil }, false},
		{"data of another type", "tls-unique", "tls-unique", finished, func(e map[string]any) { e["cbind_data"] = finished }, false},
		{"another connection, as if it were this one", "tls-unique", "tls-unique", []byte("another conn"), func(e map[string]any) {
			e["cbind_data"] = base64.StdEncoding.EncodeToString(finished)
		}, false},
	} {
		ch, err := c.overTLS(t, "wamp-scram", "pat", map[string]any{"nonce": clientNonce, "channel_binding": tt.kind})
		if err != nil {
			t.Fatal(err)
		}
		proof, extra := answerBound(t, ch, tt.as, tt.data)
		if tt.change != nil {
			tt.change(extra)
		}
		g, err := ch.Answer(t.Context(), proof, extra)
		if tt.ok && (err != nil || g.AuthID != "pat") {
			t.Errorf("%s: %+v, %v", tt.what, g, err)
		} else if !tt.ok {
			refused(t, tt.what, g, err)
		}
	}
	// Without the binding that HELLO asks for.
	ch, err := c.overTLS(t, "wamp-scram", "pat", map[string]any{"nonce": clientNonce, "channel_binding": "tls-unique"})
	if err != nil {
		t.Fatal(err)
	}
	proof, extra, _ := scramClient{"pat", pencil, clientNonce}.answer(t, ch)
	g, err := ch.Answer(t.Context(), proof, extra)
	refused(t, "not bound", g, err)
}

func TestBindingThatIsNot(t *testing.T) {
	c := newCast(t)
	for _, kind := range []any{"tls-server-end-point", "", "TLS-UNIQUE", true, int64(1)} {
		for _, method := range []string{"wamp-scram", "cryptosign"} {
			ch, err := c.overTLS(t, method, "pat", map[string]any{"nonce": clientNonce, "pubkey": c.pubkeys["kay"], "channel_binding": kind})
			if ch != nil || wamp.AsError(err).URI != wamp.URIFeatureNotSupported {
				t.Errorf("%s with %v: %+v, %v", method, kind, ch, err)
			}
		}
	}
}
