package auth_test

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// RFC 7677 section 3, whose messages the specification says are good for
// WAMP-SCRAM.
func TestSCRAMVector(t *testing.T) {
	const (
		client   = "rOprNGfwEbeRWgbNEkqO"
		nonce    = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
		proof    = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		verifier = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	)
	cfg := must(auth.KeysOf("pencil", auth.SCRAMConfig{KDF: "pbkdf2", Salt: "W22ZaJ0SNY7soEsUEjb6gQ==", Iterations: 4096}))(t)
	got, err := auth.JudgeSCRAM(cfg, "user", client, nonce, proof, map[string]any{"nonce": nonce})
	if err != nil || got != verifier {
		t.Errorf("verifier %q, %v; want %q", got, err, verifier)
	}
}

// A scramClient is a client of WAMP-SCRAM that shares no code with the server.
type scramClient struct {
	authid, password, nonce string
}

func (c scramClient) answer(t testing.TB, ch *auth.Challenge) (proof string, extra map[string]any, verifier string) {
	t.Helper()
	nonce, _ := ch.Extra["nonce"].(string)
	salt, err := base64.StdEncoding.DecodeString(ch.Extra["salt"].(string))
	if err != nil || !strings.HasPrefix(nonce, c.nonce) || len(nonce) < len(c.nonce)+22 {
		t.Fatalf("challenge %v, %v", ch.Extra, err)
	}
	iterations := ch.Extra["iterations"].(int64)
	var salted []byte
	if ch.Extra["kdf"] == "argon2id13" {
		salted = argon2.IDKey([]byte(c.password), salt, uint32(iterations), uint32(ch.Extra["memory"].(int64)), 1, 32)
	} else {
		salted = must(pbkdf2.Key(sha256.New, c.password, salt, int(iterations), 32))(t)
	}
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	name := strings.ReplaceAll(strings.ReplaceAll(c.authid, "=", "=3D"), ",", "=2C")
	message := fmt.Sprintf("n=%s,r=%s,r=%s,s=%s,i=%d,c=%s,r=%s", name, c.nonce, nonce, ch.Extra["salt"], iterations,
		base64.StdEncoding.EncodeToString([]byte("n,,")), nonce)
	clientKey := sum(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	signature := sum(stored[:], message)
	for i := range signature {
		signature[i] ^= clientKey[i]
	}
	extra = map[string]any{"nonce": nonce, "channel_binding": nil, "cbind_data": nil}
	return base64.StdEncoding.EncodeToString(signature), extra,
		base64.StdEncoding.EncodeToString(sum(sum(salted, "Server Key"), message))
}

func TestSCRAM(t *testing.T) {
	c := newCast(t)
	for _, name := range []string{"pat", "argus", "both", "p\u00adat"} {
		user := strings.ReplaceAll(name, "\u00ad", "") // as SASLprep has it
		ch, err := c.begin(t, "wamp-scram", name, map[string]any{"nonce": clientNonce, "channel_binding": nil, "surplus": 1})
		if err != nil {
			t.Fatal(err)
		}
		proof, extra, verifier := scramClient{name, pencil, clientNonce}.answer(t, ch)
		extra["surplus"] = []any{true}
		g, err := ch.Answer(t.Context(), proof, extra)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if g.AuthID != user || g.AuthRole != "member" || g.AuthMethod != "wamp-scram" || g.Provider != "static" || g.Extra["verifier"] != verifier {
			t.Errorf("%s: %+v, want verifier %s", name, g, verifier)
		}
	}
}

// Names with the characters that separate the parts of an AuthMessage.
func TestSCRAMEscapes(t *testing.T) {
	secret := must(auth.NewSCRAM("pässword", auth.KDFPBKDF2, 4096, 0))(t)
	a := authOf(t, auth.UsersConfig{{Name: "a=b,c", Roles: []string{"member"}, SCRAM: secret}}, decoyKey)
	ch, err := begin(t, a, "open", "wamp-scram", "a=b,c", map[string]any{"nonce": clientNonce})
	if err != nil {
		t.Fatal(err)
	}
	proof, extra, _ := scramClient{"a=b,c", "pässword", clientNonce}.answer(t, ch)
	if _, err := ch.Answer(t.Context(), proof, extra); err != nil {
		t.Error(err)
	}
}

func TestSCRAMRefused(t *testing.T) {
	c := newCast(t)
	old, err := c.begin(t, "wamp-scram", "pat", map[string]any{"nonce": clientNonce})
	if err != nil {
		t.Fatal(err)
	}
	oldProof, oldExtra, _ := scramClient{"pat", pencil, clientNonce}.answer(t, old)
	for _, tt := range []struct {
		what, name, password string
		change               func(proof *string, extra map[string]any)
	}{
		{"a wrong password", "pat", "Pencil", nil},
		{"no password", "pat", "", nil},
		{"an unknown name", "stranger1", pencil, nil},
		{"no proof", "pat", pencil, func(p *string, _ map[string]any) { *p = "" }},
		{"a cut proof", "pat", pencil, func(p *string, _ map[string]any) { *p = (*p)[:40] }},
		{"a longer proof", "pat", pencil, func(p *string, _ map[string]any) { *p = b64(33) }},
		{"a proof of zeros", "pat", pencil, func(p *string, _ map[string]any) { *p = b64(32) }},
		{"a recorded answer", "pat", pencil, func(p *string, e map[string]any) { *p, e["nonce"] = oldProof, oldExtra["nonce"] }},
		{"a recorded proof", "pat", pencil, func(p *string, _ map[string]any) { *p = oldProof }},
		{"no nonce", "pat", pencil, func(_ *string, e map[string]any) { delete(e, "nonce") }},
		{"a nonce of another type", "pat", pencil, func(_ *string, e map[string]any) { e["nonce"] = int64(7) }},
		{"only the client's nonce", "pat", pencil, func(_ *string, e map[string]any) { e["nonce"] = clientNonce }},
		{"a channel all of a sudden", "pat", pencil, func(_ *string, e map[string]any) { e["channel_binding"] = "tls-unique" }},
		{"data of a channel", "pat", pencil, func(_ *string, e map[string]any) { e["cbind_data"] = "AAAA" }},
		{"nothing but a proof", "pat", pencil, func(_ *string, e map[string]any) { clear(e) }},
	} {
		ch, err := c.begin(t, "wamp-scram", tt.name, map[string]any{"nonce": clientNonce})
		for i := 0; err != nil && i < 100; i++ { // a stranger may look like a user without a password
			tt.name += "x"
			ch, err = c.begin(t, "wamp-scram", tt.name, map[string]any{"nonce": clientNonce})
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		proof, extra, _ := scramClient{tt.name, tt.password, clientNonce}.answer(t, ch)
		if tt.change != nil {
			tt.change(&proof, extra)
		}
		g, err := ch.Answer(t.Context(), proof, extra)
		refused(t, tt.what, g, err)
	}
}

// A HELLO that nothing can be made of is the client's mistake, for users and
// strangers alike.
func TestSCRAMHello(t *testing.T) {
	c := newCast(t)
	strange := "stranger"
	for {
		if _, err := c.begin(t, "wamp-scram", strange, map[string]any{"nonce": clientNonce}); err == nil {
			break
		}
		strange += "x"
	}
	for _, name := range []string{"pat", strange} {
		for _, tt := range []struct {
			what  string
			extra map[string]any
			want  wamp.URI
		}{
			{"nothing", nil, wamp.URIInvalidArgument},
			{"no text", map[string]any{"nonce": int64(1)}, wamp.URIInvalidArgument},
			{"empty", map[string]any{"nonce": ""}, wamp.URIInvalidArgument},
			{"short", map[string]any{"nonce": b64(7)}, wamp.URIInvalidArgument},
			{"long", map[string]any{"nonce": b64(257)}, wamp.URIInvalidArgument},
			{"no base64", map[string]any{"nonce": "a nonce with, a comma"}, wamp.URIInvalidArgument},
			{"line break", map[string]any{"nonce": clientNonce + "\n"}, wamp.URIInvalidArgument},
			{"binding", map[string]any{"nonce": clientNonce, "channel_binding": "tls-unique"}, wamp.URIFeatureNotSupported},
			{"binding of another type", map[string]any{"nonce": clientNonce, "channel_binding": false}, wamp.URIFeatureNotSupported},
		} {
			ch, err := c.begin(t, "wamp-scram ticket", name, tt.extra)
			if ch != nil || wamp.AsError(err).URI != tt.want {
				t.Errorf("%s for %q: %v, %v; want %s", tt.what, name, ch, err, tt.want)
			}
		}
	}
}

// No answer is right but the one.
func FuzzSCRAMAnswer(f *testing.F) {
	c := newCast(f)
	f.Add("pat", clientNonce, "", "", "", "")
	f.Add("pat", b64(16), b64(32), b64(32), "n", "tls-unique")
	f.Fuzz(func(t *testing.T, name, nonce, proof, answered, binding, data string) {
		ch, err := c.begin(t, "wamp-scram", name, map[string]any{"nonce": nonce})
		if err != nil {
			return
		}
		g, err := ch.Answer(t.Context(), proof, map[string]any{"nonce": answered, "channel_binding": binding, "cbind_data": data})
		refused(t, proof, g, err)
		g, err = ch.Answer(t.Context(), proof, map[string]any{"nonce": ch.Extra["nonce"]})
		refused(t, proof, g, err)
	})
}

func TestNewSCRAMErrors(t *testing.T) {
	for _, tt := range []struct {
		what, password, kdf string
		iterations, memory  int
	}{
		{"no password", "", "pbkdf2", 4096, 0},
		{"a control character", "a\x07b", "pbkdf2", 4096, 0},
		{"another function", "pencil", "md5", 4096, 0},
		{"too cheap", "pencil", "pbkdf2", 1000, 0},
		{"memory for pbkdf2", "pencil", "pbkdf2", 4096, 64},
		{"no memory", "pencil", "argon2id13", 1, 0},
		{"more memory than there is", "pencil", "argon2id13", 1, 1 << 30},
	} {
		if c, err := auth.NewSCRAM(auth.Secret(tt.password), tt.kdf, tt.iterations, tt.memory); err == nil {
			t.Errorf("%s: %+v", tt.what, c)
		}
	}
	if _, err := auth.NewCRA("", 1000); err == nil {
		t.Error("NewCRA takes an empty password")
	}
	if _, err := auth.NewCRA("password", 0); err == nil {
		t.Error("NewCRA takes no iterations")
	}
}
