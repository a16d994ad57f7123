package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// usersConfig is testConfig with users: one with a plain secret, one whose
// secret is salted, and one with the key of the seed.
func usersConfig(seed []byte) string {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	zeros := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	users := fmt.Sprintf(`auth:
  users:
    carl: {roles: [member], cra: {secret: a shared secret}}
    sally: {roles: [member], cra: {secret: %s, salt: %s, iterations: 1000, keylen: 32}}
    kay: {roles: [member], cryptosign: [%x]}
`, zeros(32), zeros(16), public)
	return strings.Replace(testConfig, "auth:\n", users, 1)
}

// A wire is a WebSocket that messages are written to as text.
type wire struct {
	t    *testing.T
	conn *websocket.Conn
	tls  *tls.Conn // nil: there is none
}

func dialWire(t *testing.T, url string, config *tls.Config) *wire {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &wire{t: t}
	d := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}}
	d.NetDialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
		if err == nil {
			w.tls = c.(*tls.Conn)
		}
		return c, err
	}
	var err error
	if w.conn, _, err = d.DialContext(ctx, url, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close() })
	return w
}

// say sends a message and returns the answer.
func (w *wire) say(msg string) []any {
	w.t.Helper()
	if err := w.conn.WriteMessage(websocket.TextMessage, []byte(msg)); err != nil {
		w.t.Fatal(err)
	}
	var answer []any
	if err := w.conn.ReadJSON(&answer); err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func hello(method, authid, extra string) string {
	return fmt.Sprintf(`[1,"realm1",{"roles":{"caller":{}},"authmethods":[%q],"authid":%q,"authextra":{%s}}]`, method, authid, extra)
}

// What a client of WAMP-CRA signs has the ID of its session.
func TestCRASignsTheSession(t *testing.T) {
	p := startProgram(t, writeConfig(t, usersConfig(make([]byte, 32))))
	w := dialWire(t, p.ws(), nil)
	asked := w.say(hello("wampcra", "carl", ""))
	text := asked[2].(map[string]any)["challenge"].(string)
	var challenge struct{ Session float64 }
	if err := json.Unmarshal([]byte(text), &challenge); err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, []byte("a shared secret"))
	h.Write([]byte(text))
	welcome := w.say(fmt.Sprintf(`[5,%q,{}]`, base64.StdEncoding.EncodeToString(h.Sum(nil))))
	if welcome[0] != 2.0 || welcome[1] != challenge.Session || challenge.Session < 1 {
		t.Errorf("challenge of session %v, and then %v", challenge.Session, welcome)
	}
}

// A stranger is asked and refused as a user is, before and after a restart.
func TestStrangerAtTheGateway(t *testing.T) {
	file := writeConfig(t, usersConfig(make([]byte, 32)))
	ask := func(p *program, name string) (salt any, refusal string) {
		w := dialWire(t, p.ws(), nil)
		asked := w.say(hello("wampcra", name, ""))
		if asked[0] != 4.0 {
			return nil, fmt.Sprint(asked)
		}
		return asked[2].(map[string]any)["salt"], fmt.Sprint(w.say(`[5,"c29tZXRoaW5nIGVsc2Ugb2YgdGhlIHNhbWUgbGVuZ3Ro",{}]`))
	}
	p := startProgram(t, file)
	_, want := ask(p, "carl")
	salts := map[string]any{}
	salted := 0
	for i := range 20 {
		name := fmt.Sprintf("stranger%d", i)
		salt, got := ask(p, name)
		if salts[name] = salt; salt != nil {
			salted++
		}
		if got != want && !strings.Contains(got, "no_matching_auth_method") {
			t.Errorf("%s is told %s, and a user %s", name, got, want)
		}
	}
	if salted == 0 || salted == len(salts) {
		t.Errorf("%d of %d strangers have a salt, want some", salted, len(salts))
	}
	p.stop()
	p = startProgram(t, file)
	for name, before := range salts {
		if salt, _ := ask(p, name); salt != before {
			t.Errorf("%s was asked with salt %v, and after a restart with %v", name, before, salt)
		}
	}
}

// A login by key is bound to the connection of TLS that it comes by.
func TestBoundLogin(t *testing.T) {
	seed := []byte(strings.Repeat("s", 32))
	cert, key := selfSigned(t)
	text := strings.Replace(usersConfig(seed), "listen: {http: 127.0.0.1:0}",
		fmt.Sprintf("listen: {http: \"127.0.0.1:0\", tls: {cert: %q, key: %q}}", cert, key), 1)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	p := startProgram(t, writeConfig(t, text))
	private := ed25519.NewKeyFromSeed(seed)

	for _, tt := range []struct {
		kind    string
		version uint16
	}{
		{"tls-unique", tls.VersionTLS12},
		{"tls-exporter", tls.VersionTLS12},
		{"tls-exporter", tls.VersionTLS13},
		{"tls-unique", tls.VersionTLS13}, // which has none
	} {
		t.Run(fmt.Sprint(tt.kind, " ", tls.VersionName(tt.version)), func(t *testing.T) {
			trust := &tls.Config{RootCAs: pool, MinVersion: tt.version, MaxVersion: tt.version}
			login := func(elsewhere bool) []any {
				w := dialWire(t, p.wss(), trust)
				asked := w.say(hello("cryptosign", "kay", fmt.Sprintf(`"pubkey":"%x","channel_binding":%q`, private.Public(), tt.kind)))
				if asked[0] != 4.0 {
					return asked
				}
				challenge := asked[2].(map[string]any)
				if challenge["channel_binding"] != tt.kind {
					t.Errorf("challenge %v", challenge)
				}
				message, err := hex.DecodeString(challenge["challenge"].(string))
				if err != nil {
					t.Fatal(err)
				}
				at := w
				if elsewhere { // as somebody in between would
					at = dialWire(t, p.wss(), trust)
				}
				for i, b := range channelID(t, at.tls, tt.kind) {
					message[i] ^= b
				}
				return w.say(fmt.Sprintf(`[5,"%x%x",{}]`, ed25519.Sign(private, message), message))
			}
			if tt.kind == "tls-unique" && tt.version == tls.VersionTLS13 {
				if got := login(false); got[0] != 3.0 || got[2] != "wamp.error.feature_not_supported" {
					t.Errorf("refused with %v", got)
				}
				return
			}
			if got := login(false); got[0] != 2.0 {
				t.Errorf("not let in: %v", got)
			}
			if got := login(true); got[0] != 3.0 || got[2] != "wamp.error.authentication_failed" {
				t.Errorf("with the ID of another connection: %v", got)
			}
		})
	}
}

// channelID is what the client's end of the connection says.
func channelID(t *testing.T, c *tls.Conn, kind string) []byte {
	t.Helper()
	state := c.ConnectionState()
	if kind == "tls-unique" {
		sum := sha256.Sum256(state.TLSUnique)
		return sum[:]
	}
	id, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
