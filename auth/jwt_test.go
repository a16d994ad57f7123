package auth_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

const hsSecret auth.Secret = "a-secret-of-at-least-thirty-two-bytes"

// A keyPair is a key as PEM, both halves.
type keyPair struct {
	private auth.Secret
	public  string
}

func newKeyPair(key crypto.Signer, err error) keyPair {
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return keyPair{
		auth.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
}

func newEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func newEC(curve elliptic.Curve) keyPair { return newKeyPair(ecdsa.GenerateKey(curve, rand.Reader)) }

// Keys of each kind, made once.
var (
	rsaKey  = sync.OnceValue(func() keyPair { return newKeyPair(rsa.GenerateKey(rand.Reader, 2048)) })
	rsaKey2 = sync.OnceValue(func() keyPair { return newKeyPair(rsa.GenerateKey(rand.Reader, 2048)) })
	weakRSA = sync.OnceValue(func() keyPair { return newKeyPair(rsa.GenerateKey(rand.Reader, 1024)) })
	ecKey   = sync.OnceValue(func() keyPair { return newEC(elliptic.P256()) })
	edKey   = sync.OnceValue(func() keyPair { return newKeyPair(newEd25519()) })
)

// jwtConfig returns a configuration with one algorithm and its key.
func jwtConfig(algorithm string, key string) auth.JWTConfig {
	cfg := auth.DefaultJWTConfig()
	cfg.Algorithms = []string{algorithm}
	if algorithm == "HS256" {
		cfg.Secret = auth.Secret(key)
	} else {
		cfg.PublicKey = key
	}
	return cfg
}

// forge makes a token with any header and claims, signed with HMAC.
func forge(header, claims, key string) auth.Secret {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return auth.Secret(text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}

func TestVerifyEachAlgorithm(t *testing.T) {
	for _, tt := range []struct {
		algorithm string
		private   auth.Secret
		public    string
	}{
		{"HS256", hsSecret, string(hsSecret)},
		{"RS256", rsaKey().private, rsaKey().public},
		{"ES256", ecKey().private, ecKey().public},
		{"EdDSA", edKey().private, edKey().public},
	} {
		t.Run(tt.algorithm, func(t *testing.T) {
			v := must(auth.NewVerifier(jwtConfig(tt.algorithm, tt.public)))(t)
			text := must(auth.MintJWT(tt.algorithm, tt.private, auth.Claims{
				Subject: "joe", Roles: []string{"member", "editor"}, Expires: time.Now().Add(time.Hour),
			}))(t)
			id, err := v.Verify(t.Context(), text)
			if err != nil || id.User != "joe" || !slices.Equal(id.Roles, []string{"member", "editor"}) || id.Client != "" {
				t.Fatalf("Verify = %+v, %v", id, err)
			}
			// Any damage to any part is noticed.
			for i := range text {
				bad := []byte(text)
				if bad[i] ^= 1; bad[i] == text[i] {
					t.Fatal("nothing changed")
				}
				if _, err := v.Verify(t.Context(), auth.Secret(bad)); !errors.Is(err, auth.ErrInvalid) {
					t.Fatalf("Verify with byte %d changed: %v, want ErrInvalid", i, err)
				}
			}
		})
	}
}

func TestVerifySeveralKeys(t *testing.T) {
	cfg := jwtConfig("RS256", rsaKey().public+rsaKey2().public+edKey().public)
	cfg.Algorithms = []string{"RS256", "EdDSA", "HS256"}
	cfg.Secret = hsSecret
	v := must(auth.NewVerifier(cfg))(t)
	for _, key := range []struct {
		algorithm string
		private   auth.Secret
	}{{"RS256", rsaKey().private}, {"RS256", rsaKey2().private}, {"EdDSA", edKey().private}, {"HS256", hsSecret}} {
		text := must(auth.MintJWT(key.algorithm, key.private, auth.Claims{Subject: "joe", Expires: time.Now().Add(time.Hour)}))(t)
		if _, err := v.Verify(t.Context(), text); err != nil {
			t.Errorf("Verify of a token by %s: %v", key.algorithm, err)
		}
	}
	// The public keys are known to everybody, so none of them may serve as a secret.
	for _, public := range []string{rsaKey().public, rsaKey2().public, edKey().public, cfg.PublicKey} {
		if _, err := v.Verify(t.Context(), forge(`{"alg":"HS256"}`, `{"sub":"eve","exp":99999999999}`, public)); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("a public key was taken for a secret: %v", err)
		}
	}
}

func TestVerifyClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00:00 UTC: 946684800
		const hs = `{"alg":"HS256","typ":"JWT"}`
		base := jwtConfig("HS256", string(hsSecret))
		strict := base
		strict.Issuer, strict.Audience, strict.RoleClaim, strict.Leeway = "https://issuer", "wireroom", "realm_access.roles", 0
		lax := base
		lax.AllowNoExpiry = true

		tests := []struct {
			name      string
			cfg       auth.JWTConfig
			header    string
			claims    string
			wantRoles []string
			wantErr   error
		}{
			{"good", base, hs, `{"sub":"joe","exp":946684900,"role":"member"}`, []string{"member"}, nil},
			{"good, no type", base, `{"alg":"HS256"}`, `{"sub":"joe","exp":946684900}`, nil, nil},
			{"list of roles", base, hs, `{"sub":"joe","exp":946684900,"role":["b","a"]}`, []string{"b", "a"}, nil},
			{"null role", base, hs, `{"sub":"joe","exp":946684900,"role":null}`, nil, nil},
			{"exp with a fraction and exponent", base, hs, `{"sub":"joe","exp":9.466849001e8}`, nil, nil},
			{"everything asked for", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer","aud":["x","wireroom"],"realm_access":{"roles":["m"]}}`, []string{"m"}, nil},
			{"claim with dots in its name goes first", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer","aud":"wireroom","realm_access.roles":"n","realm_access":{"roles":["m"]}}`, []string{"n"}, nil},
			{"no such nested claim", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer","aud":"wireroom","realm_access":7}`, nil, nil},

			{"alg none", base, `{"alg":"none"}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"alg None", base, `{"alg":"None"}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"alg not accepted", base, `{"alg":"HS512"}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"alg of another kind", base, `{"alg":"RS256"}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"alg unknown", base, `{"alg":"XX"}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"alg no string", base, `{"alg":7}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"no alg", base, `{}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"critical header", base, `{"alg":"HS256","crit":["b64"],"b64":true}`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"header no object", base, `[]`, `{"sub":"joe","exp":946684900}`, nil, auth.ErrInvalid},
			{"claims no object", base, hs, `["joe"]`, nil, auth.ErrInvalid},
			{"claims null", base, hs, `null`, nil, auth.ErrInvalid},
			{"claims no JSON", base, hs, `{"sub":`, nil, auth.ErrInvalid},
			{"claims deep", base, hs, strings.Repeat("[", 9000), nil, auth.ErrInvalid},

			{"expired", base, hs, `{"sub":"joe","exp":946684769}`, nil, auth.ErrExpired},
			{"expired to the second", base, hs, `{"sub":"joe","exp":946684770}`, nil, auth.ErrExpired},
			{"expired, within the leeway", base, hs, `{"sub":"joe","exp":946684771}`, nil, nil},
			{"expired, no leeway", strict, hs, `{"sub":"joe","exp":946684800,"iss":"https://issuer","aud":"wireroom"}`, nil, auth.ErrExpired},
			{"exp missing", base, hs, `{"sub":"joe"}`, nil, auth.ErrInvalid},
			{"exp missing, allowed", lax, hs, `{"sub":"joe"}`, nil, nil},
			{"exp null, allowed", lax, hs, `{"sub":"joe","exp":null}`, nil, auth.ErrInvalid},
			{"exp 0, allowed", lax, hs, `{"sub":"joe","exp":0}`, nil, auth.ErrExpired},
			{"exp spelled otherwise", base, hs, `{"sub":"joe","EXP":946684900}`, nil, auth.ErrInvalid},
			{"exp a string", base, hs, `{"sub":"joe","exp":"946684900"}`, nil, auth.ErrInvalid},
			{"exp beyond all time", base, hs, `{"sub":"joe","exp":1e300}`, nil, auth.ErrInvalid},
			{"exp beyond all numbers", base, hs, `{"sub":"joe","exp":1e999}`, nil, auth.ErrInvalid},
			{"exp negative", base, hs, `{"sub":"joe","exp":-1}`, nil, auth.ErrInvalid},
			{"nbf in the future", base, hs, `{"sub":"joe","exp":946684900,"nbf":946684831}`, nil, auth.ErrInvalid},
			{"nbf in the future, within the leeway", base, hs, `{"sub":"joe","exp":946684900,"nbf":946684830}`, nil, nil},
			{"nbf a string", base, hs, `{"sub":"joe","exp":946684900,"nbf":"now"}`, nil, auth.ErrInvalid},
			{"expired, and nbf in the future", base, hs, `{"sub":"joe","exp":1,"nbf":946684900}`, nil, auth.ErrInvalid},

			{"iss wrong", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer/","aud":"wireroom"}`, nil, auth.ErrInvalid},
			{"iss missing", strict, hs, `{"sub":"joe","exp":946684900,"aud":"wireroom"}`, nil, auth.ErrInvalid},
			{"iss no string", strict, hs, `{"sub":"joe","exp":946684900,"aud":"wireroom","iss":["https://issuer"]}`, nil, auth.ErrInvalid},
			{"aud wrong", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer","aud":"other"}`, nil, auth.ErrInvalid},
			{"aud wrong, list", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer","aud":["other",7,["wireroom"]]}`, nil, auth.ErrInvalid},
			{"aud missing", strict, hs, `{"sub":"joe","exp":946684900,"iss":"https://issuer"}`, nil, auth.ErrInvalid},
			{"expired, and aud wrong", strict, hs, `{"sub":"joe","exp":1,"iss":"https://issuer","aud":"other"}`, nil, auth.ErrInvalid},

			{"sub missing", base, hs, `{"exp":946684900}`, nil, auth.ErrInvalid},
			{"sub empty", base, hs, `{"sub":"","exp":946684900}`, nil, auth.ErrInvalid},
			{"sub no string", base, hs, `{"sub":7,"exp":946684900}`, nil, auth.ErrInvalid},
			{"sub with a newline", base, hs, `{"sub":"joe\nadmin","exp":946684900}`, nil, auth.ErrInvalid},
			{"sub too long", base, hs, `{"sub":"` + strings.Repeat("j", 257) + `","exp":946684900}`, nil, auth.ErrInvalid},
			{"role no string", base, hs, `{"sub":"joe","exp":946684900,"role":7}`, nil, auth.ErrInvalid},
			{"role list with a number", base, hs, `{"sub":"joe","exp":946684900,"role":["a",7]}`, nil, auth.ErrInvalid},
			{"role empty", base, hs, `{"sub":"joe","exp":946684900,"role":""}`, nil, auth.ErrInvalid},
			{"too many roles", base, hs, `{"sub":"joe","exp":946684900,"role":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, nil, auth.ErrInvalid},
		}
		for _, tt := range tests {
			v := must(auth.NewVerifier(tt.cfg))(t)
			id, err := v.Verify(t.Context(), forge(tt.header, tt.claims, string(hsSecret)))
			if tt.wantErr != nil {
				if !errors.Is(err, tt.wantErr) || errors.Is(err, auth.ErrExpired) != (tt.wantErr == auth.ErrExpired) {
					t.Errorf("%s: Verify = %+v, %v; want %v", tt.name, id, err, tt.wantErr)
				}
				continue
			}
			if err != nil || id.User != "joe" || !slices.Equal(id.Roles, tt.wantRoles) {
				t.Errorf("%s: Verify = %+v, %v; want joe with %q", tt.name, id, err, tt.wantRoles)
			}
		}
	})
}

// A token with the header "none" and no signature, as the attack has it, and
// tokens that were cut, doubled or blown up.
func TestVerifyMalformed(t *testing.T) {
	v := must(auth.NewVerifier(jwtConfig("HS256", string(hsSecret))))(t)
	good := string(must(auth.MintJWT("HS256", hsSecret, auth.Claims{Subject: "joe", Expires: time.Now().Add(time.Hour)}))(t))
	head, signature := good[:strings.LastIndex(good, ".")], good[strings.LastIndex(good, ".")+1:]
	unsigned := string(forge(`{"alg":"none"}`, `{"sub":"joe","exp":99999999999}`, ""))

	for i := range good {
		if _, err := v.Verify(t.Context(), auth.Secret(good[:i])); !errors.Is(err, auth.ErrInvalid) {
			t.Fatalf("Verify of the first %d bytes: %v, want ErrInvalid", i, err)
		}
	}
	for name, text := range map[string]string{
		"empty":             "",
		"dots":              "..",
		"many dots":         strings.Repeat(".", 10000),
		"alg none unsigned": unsigned[:strings.LastIndex(unsigned, ".")+1],
		"one part more":     good + ".x",
		"no signature":      head + ".",
		"padding":           good + "=",
		"newline":           good + "\n",
		"standard base64":   head + "." + strings.NewReplacer("-", "+", "_", "/").Replace(signature) + "+",
		"too long":          good + strings.Repeat("A", auth.MaxTicket),
		"twice":             good + good,
		"binary":            "\x00\xff.\xfe.\xfd",
		"client token":      string(auth.NewSecret()),
	} {
		if _, err := v.Verify(t.Context(), auth.Secret(text)); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: Verify: %v, want ErrInvalid", name, err)
		}
	}
}

// An asymmetric verifier must not take its public key, which everybody has,
// for the secret of an HMAC.
func TestVerifyAlgorithmConfusion(t *testing.T) {
	for algorithm, key := range map[string]keyPair{"RS256": rsaKey(), "ES256": ecKey(), "EdDSA": edKey()} {
		v := must(auth.NewVerifier(jwtConfig(algorithm, key.public)))(t)
		block, _ := pem.Decode([]byte(key.public))
		for _, secret := range []string{key.public, strings.TrimSpace(key.public), string(block.Bytes), ""} {
			for _, alg := range []string{"HS256", algorithm, "none"} {
				text := forge(`{"alg":"`+alg+`"}`, `{"sub":"eve","exp":99999999999}`, secret)
				if id, err := v.Verify(t.Context(), text); !errors.Is(err, auth.ErrInvalid) {
					t.Errorf("%s verifier took a token with alg %s signed with its public key: %+v, %v", algorithm, alg, id, err)
				}
			}
		}
	}
}

func TestMintJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		text := must(auth.MintJWT("HS256", hsSecret, auth.Claims{
			Subject: "joe", Roles: []string{"member"}, RoleClaim: "https://example.com/role", Issuer: "me", Audience: "you",
			NotBefore: now, Expires: now.Add(time.Minute),
		}))(t)
		body := must(base64.RawURLEncoding.DecodeString(strings.Split(string(text), ".")[1]))(t)
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		want := `{"aud":"you","exp":946684860,"https://example.com/role":"member","iat":946684800,"iss":"me","nbf":946684800,"sub":"joe"}`
		if string(body) != want {
			t.Errorf("claims are %s\nwant %s", body, want)
		}

		tests := []struct {
			algorithm string
			key       auth.Secret
			claims    auth.Claims
			want      string
		}{
			{"none", "", auth.Claims{Subject: "joe"}, `algorithm must be HS256, RS256, ES256 or EdDSA, not "none"`},
			{"HS512", hsSecret, auth.Claims{Subject: "joe"}, "algorithm must be"},
			{"HS256", "short", auth.Claims{Subject: "joe"}, "expected at least 32 bytes"},
			{"HS256", rsaKey().private, auth.Claims{Subject: "joe"}, "key: is PEM"},
			{"RS256", hsSecret, auth.Claims{Subject: "joe"}, "key holds no PEM block"},
			{"RS256", auth.Secret(rsaKey().public), auth.Claims{Subject: "joe"}, "must be PRIVATE KEY"},
			{"RS256", edKey().private, auth.Claims{Subject: "joe"}, "key for EdDSA"},
			{"RS256", weakRSA().private, auth.Claims{Subject: "joe"}, "at least 2048 bits, not 1024"},
			{"ES256", newEC(elliptic.P384()).private, auth.Claims{Subject: "joe"}, "curve P-256, not P-384"},
			{"HS256", hsSecret, auth.Claims{}, "user is empty"},
			{"HS256", hsSecret, auth.Claims{Subject: "joe", Roles: []string{""}}, "expected the name of a role, found an empty text"},
		}
		for _, tt := range tests {
			if _, err := auth.MintJWT(tt.algorithm, tt.key, tt.claims); !errorContains(err, tt.want) {
				t.Errorf("MintJWT(%s, …, %+v): %v, want an error with %q", tt.algorithm, tt.claims, err, tt.want)
			}
		}
	})
}

// Keys come as PEM in several forms.
func TestKeyForms(t *testing.T) {
	rsaPrivate := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	ecPrivate := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	params := text("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	for _, tt := range []struct{ name, algorithm, private, public string }{
		{"PKCS #1", "RS256", text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPrivate)), text("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey))},
		{"SEC 1 and a certificate", "ES256", params + text("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecPrivate))(t)), text("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, ecPrivate.Public(), ecPrivate))(t))},
		{"text around it", "EdDSA", "# mine\n" + string(edKey().private), "# ours\n" + edKey().public + "\n# end\n"},
	} {
		v, err := auth.NewVerifier(jwtConfig(tt.algorithm, tt.public))
		if err != nil {
			t.Errorf("%s: NewVerifier: %v", tt.name, err)
			continue
		}
		token := must(auth.MintJWT(tt.algorithm, auth.Secret(tt.private), auth.Claims{Subject: "joe", Expires: time.Now().Add(time.Hour)}))(t)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: Verify: %v", tt.name, err)
		}
	}
	for _, tt := range []struct{ private, want string }{
		{text("ENCRYPTED PRIVATE KEY", nil), "is encrypted"},
		{text("EC PRIVATE KEY", []byte("junk")), "key "},
		{text("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))(t)))(t)), "cannot sign"},
		{params, "holds no PEM block"},
	} {
		if _, err := auth.MintJWT("ES256", auth.Secret(tt.private), auth.Claims{Subject: "joe"}); !errorContains(err, tt.want) {
			t.Errorf("MintJWT: %v, want an error with %q", err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	cfg := jwtConfig("HS256", string(hsSecret))
	cfg.Algorithms = []string{"HS256", "EdDSA"}
	cfg.PublicKey = edKey().public
	v := must(auth.NewVerifier(cfg))(f)
	good := must(auth.MintJWT("HS256", hsSecret, auth.Claims{Subject: "joe", Expires: time.Now().Add(24 * time.Hour)}))(f)
	f.Add(string(good), `{"sub":"joe","exp":99999999999,"role":["a"]}`)
	f.Add("..", `{"sub":{},"exp":[],"role":{}}`)
	f.Add(string(forge(`{"alg":"none"}`, `{}`, "")), `null`)
	f.Fuzz(func(t *testing.T, text, claims string) {
		// What is taken was signed with the key: by this run, or by an earlier
		// one whose token the fuzzing engine has kept.
		if id, err := v.Verify(t.Context(), auth.Secret(text)); err == nil && !signedHS256(text, string(hsSecret)) {
			t.Fatalf("Verify(%q) = %+v", text, id)
		} else if err != nil && !errors.Is(err, auth.ErrInvalid) && !errors.Is(err, auth.ErrExpired) {
			t.Fatalf("Verify(%q): %v, which is neither ErrInvalid nor ErrExpired", text, err)
		}
		// Whatever an issuer signs, the outcome is an error that can be told
		// or a user within the limits.
		id, err := v.Verify(t.Context(), forge(`{"alg":"HS256"}`, claims, string(hsSecret)))
		if err != nil {
			if !errors.Is(err, auth.ErrInvalid) && !errors.Is(err, auth.ErrExpired) {
				t.Fatalf("Verify of claims %q: %v", claims, err)
			}
			return
		}
		if id.User == "" || len(id.User) > 256 || len(id.Roles) > 64 || !id.Live(time.Now()) {
			t.Fatalf("Verify of claims %q = %+v", claims, id)
		}
	})
}

// signedHS256 reports whether the last part of text is the HMAC of the others.
func signedHS256(text, key string) bool {
	end := strings.LastIndexByte(text, '.')
	if end < 0 {
		return false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text[end+1:])
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text[:end]))
	return err == nil && hmac.Equal(sum, mac.Sum(nil))
}
