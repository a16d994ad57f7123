package auth_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

var publicAlgorithms = []string{"RS256", "ES256", "EdDSA"}

// Of a JWK Set those keys are used that can be, and no others.
func TestJWKs(t *testing.T) {
	with := func(pair keyPair, name string, value any) map[string]any {
		return members(t, pair, map[string]any{name: value})
	}
	offCurve := with(ecKey(), "x", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	short := with(ecKey(), "x", "AAAA")
	padded := members(t, rsaKey(), nil)
	padded["n"] = padded["n"].(string) + "=="
	huge := with(rsaKey(), "n", base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 1025))))
	for _, tt := range []struct {
		name string
		key  map[string]any
		want string // why it is not used; "": it is
	}{
		{"RSA", members(t, rsaKey(), nil), ""},
		{"EC", members(t, ecKey(), nil), ""},
		{"Ed25519", members(t, edKey(), nil), ""},
		{"for signatures", with(rsaKey(), "use", "sig"), ""},
		{"for encryption", with(rsaKey(), "use", "enc"), `use: expected "sig", found "enc"`},
		{"to verify", with(rsaKey(), "key_ops", []string{"sign", "verify"}), ""},
		{"to encrypt", with(rsaKey(), "key_ops", []string{"encrypt"}), `key_ops: expected "verify"`},
		{"for nothing", with(rsaKey(), "key_ops", []string{}), `key_ops: expected "verify"`},
		{"of its algorithm", with(rsaKey(), "alg", "RS256"), ""},
		{"of a better algorithm", with(rsaKey(), "alg", "RS512"), `alg: a key of this type is used with RS256, found "RS512"`},
		{"of a worse algorithm", with(rsaKey(), "alg", "HS256"), `alg: a key of this type is used with RS256`},
		{"private", with(ecKey(), "d", "AAAA"), "it is a private key"},
		{"private, strangely", with(ecKey(), "d", 7), "it is a private key"},
		{"secret", map[string]any{"kty": "oct", "k": "aHVudGVyMg"}, "kty oct: it is a secret"},
		{"weak", members(t, weakRSA(), nil), "at least 2048 bits, not 1024"},
		{"huge", huge, "at most 8192 bits"},
		{"padded", padded, "n: expected a value in base64url without padding"},
		{"without n", map[string]any{"kty": "RSA", "e": "AQAB"}, "n: expected a value"},
		{"without e", with(rsaKey(), "e", ""), "e: expected a value"},
		{"with e of 1", with(rsaKey(), "e", "AQ"), "e: expected an odd number"},
		{"with an even e", with(rsaKey(), "e", "AQAA"), "e: expected an odd number"},
		{"with a huge e", with(rsaKey(), "e", "AQAAAAAAAAAB"), "e: expected an odd number"},
		{"on another curve", members(t, newEC(elliptic.P384()), nil), `crv: expected P-256, found "P-384"`},
		{"on a curve's name alone", with(newEC(elliptic.P384()), "crv", "P-256"), "x, y: expected 32 bytes"},
		{"off the curve", offCurve, "expected a point of the curve"},
		{"short", short, "x, y: expected 32 bytes each, found 3 and 32"},
		{"X25519", with(edKey(), "crv", "X25519"), `crv: expected Ed25519, found "X25519"`},
		{"long Ed25519", with(edKey(), "x", base64.RawURLEncoding.EncodeToString(make([]byte, 33))), "x: expected 32 bytes, found 33"},
		{"of no kind", with(rsaKey(), "kty", "XX"), `kty: expected RSA, EC or OKP, found "XX"`},
		{"with a kid that is none", with(rsaKey(), "kid", 7), "expected an object with members of the types"},
		{"with a long kid", with(rsaKey(), "kid", strings.Repeat("k", 257)), "kid: expected at most 256 bytes, found 257"},
	} {
		usable, skipped, err := auth.ParseJWKs([]byte(keySet(t, tt.key)), publicAlgorithms)
		switch {
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "" && usable != 1, tt.want != "" && (usable != 0 || len(skipped) != 1 || !errorContains(skipped[0], tt.want)):
			t.Errorf("%s: %d usable, and %v, want %q", tt.name, usable, skipped, tt.want)
		}
	}
	if usable, skipped, _ := auth.ParseJWKs([]byte(keySet(t, members(t, rsaKey(), nil))), []string{"ES256"}); usable != 0 || !errorContains(skipped[0], "not among the algorithms") {
		t.Errorf("a key of an algorithm that is not accepted: %d usable, and %v", usable, skipped)
	}
	one := members(t, edKey(), nil)
	many := make([]map[string]any, 1000)
	for i := range many {
		many[i] = one
	}
	if usable, skipped, err := auth.ParseJWKs([]byte(keySet(t, many...)), publicAlgorithms); usable != 32 || len(skipped) != 1 || err != nil {
		t.Errorf("of 1000 keys %d are used (%v, %v), want 32", usable, skipped, err)
	}
	for _, text := range []string{"", "null", "{}", "[]", `{"keys":null}`, `{"keys":{}}`, `{"keys":[]} x`, `"keys"`, `{"Keys":7}`} {
		if usable, _, err := auth.ParseJWKs([]byte(text), publicAlgorithms); err == nil || usable != 0 {
			t.Errorf("ParseJWKs(%q): %d keys, want an error", text, usable)
		}
	}
	usable, skipped, err := auth.ParseJWKs([]byte(`{"keys":[null,7,"key",[],{}]}`), publicAlgorithms)
	if usable != 0 || len(skipped) != 5 || err != nil {
		t.Errorf("five that are no keys: %d usable, %v, %v", usable, skipped, err)
	}
}

// Whatever the document, no more keys come of it than may, and no error quotes
// what may be a secret.
func FuzzParseJWKs(f *testing.F) {
	f.Add(keySet(f, members(f, rsaKey(), map[string]any{"kid": "1"}), members(f, ecKey(), nil), members(f, edKey(), nil)))
	f.Add(`{"keys":[{"kty":"oct","k":"hunter2hunter2hunter2"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"hunter2hunter2hunter2","e":"AQAB","d":"hunter2hunter2hunter2"},null,7]}`)
	f.Add(`{"keys":` + strings.Repeat("[", 100))
	f.Add(fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q}]}`, strings.Repeat("A", 43), strings.Repeat("_", 43)))
	f.Fuzz(func(t *testing.T, text string) {
		usable, skipped, err := auth.ParseJWKs([]byte(text), publicAlgorithms)
		if err != nil && usable > 0 || usable > 32 || usable+len(skipped) > 33 {
			t.Fatalf("%d usable, %d skipped, %v", usable, len(skipped), err)
		}
		for _, why := range append(skipped, err) {
			if errorContains(why, "hunter2hunter2hunter2") {
				t.Fatalf("a secret is told: %v", why)
			}
		}
	})
}
