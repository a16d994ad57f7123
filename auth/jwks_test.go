package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom/auth"
)

// members returns the public key as a JWK, with more members besides.
func members(t testing.TB, pair keyPair, more map[string]any) map[string]any {
	t.Helper()
	block, _ := pem.Decode([]byte(pair.public))
	b64 := base64.RawURLEncoding.EncodeToString
	m := map[string]any{}
	switch key := must(x509.ParsePKIXPublicKey(block.Bytes))(t).(type) {
	case *rsa.PublicKey:
		m = map[string]any{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(key.Bytes())(t)
		m = map[string]any{"kty": "EC", "crv": key.Curve.Params().Name, "x": b64(point[1 : 1+len(point)/2]), "y": b64(point[1+len(point)/2:])}
	case ed25519.PublicKey:
		m = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(key)}
	}
	maps.Copy(m, more)
	return m
}

func keySet(t testing.TB, keys ...map[string]any) string {
	t.Helper()
	return string(must(json.Marshal(map[string]any{"keys": keys}))(t))
}

// sign makes a token of joe with a kid, none if it is "".
func sign(t testing.TB, algorithm string, pair keyPair, kid string) auth.Secret {
	t.Helper()
	block, _ := pem.Decode([]byte(pair.private))
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), jwt.MapClaims{"iss": issuerName, "sub": "joe", "exp": time.Now().Add(time.Hour).Unix()})
	if kid != "" {
		token.Header["kid"] = kid
	}
	return auth.Secret(must(token.SignedString(must(x509.ParsePKCS8PrivateKey(block.Bytes))(t)))(t))
}

// An issuer is a server with a JWK Set, which a test changes.
type issuer struct {
	mu    sync.Mutex // guards the following
	reply func(w http.ResponseWriter, r *http.Request)
	asked int
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	reply := i.reply
	i.mu.Unlock()
	reply(w, r)
}

func (i *issuer) do(reply func(w http.ResponseWriter, r *http.Request)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.reply = reply
}

func (i *issuer) say(text string) {
	i.do(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

func (i *issuer) fail(status int) {
	i.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// RoundTrip asks the issuer without a connection, in fake time.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func jwksConfig(url string, algorithms ...string) auth.JWTConfig {
	cfg := auth.DefaultJWTConfig()
	cfg.Algorithms, cfg.JWKS, cfg.Issuer = algorithms, url, issuerName
	if slices.Contains(algorithms, "HS256") {
		cfg.Secret = hsSecret
	}
	return cfg
}

// start runs a verifier until the test ends, and returns what it logs.
func start(t *testing.T, v *auth.Verifier) *logBook {
	t.Helper()
	book := new(logBook)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Run(ctx, slog.New(slog.NewTextHandler(book, nil)))
	}()
	t.Cleanup(func() { cancel(); <-done })
	return book
}

type logBook struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// inTime plays a test in fake time with an issuer.
func inTime(t *testing.T, cfg auth.JWTConfig, play func(t *testing.T, i *issuer, v *auth.Verifier)) {
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		v := must(auth.NewVerifier(cfg))(t)
		v.FetchBy(i, 10*time.Second)
		play(t, i, v)
	})
}

const issuerName = "https://login.example.com"

const issuerURL = "https://login.example.com/keys?tenant=7"

// tells reports a token that is not judged as wanted: nil, ErrInvalid, or
// errAway, which is neither ErrInvalid nor ErrExpired.
func tells(t *testing.T, v *auth.Verifier, what string, token auth.Secret, want error) {
	t.Helper()
	id, err := v.Verify(t.Context(), token)
	switch {
	case want == nil && (err != nil || id.User != "joe"),
		want == auth.ErrInvalid && !errors.Is(err, auth.ErrInvalid),
		want == errAway && (err == nil || errors.Is(err, auth.ErrInvalid) || errors.Is(err, auth.ErrExpired)):
		t.Errorf("%s: Verify = %v, %v, want %v", what, id, err, want)
	}
}

var errAway = errors.New("that the keys are not known")

func TestKeysByURL(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256", "ES256", "EdDSA", "HS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		i.say(keySet(t,
			members(t, rsaKey(), map[string]any{"kid": "r", "use": "sig", "alg": "RS256", "x5t": "ignored"}),
			members(t, ecKey(), map[string]any{"kid": "e", "key_ops": []string{"verify"}}),
			members(t, edKey(), nil),
		))
		start(t, v)
		tells(t, v, "RS256", sign(t, "RS256", rsaKey(), "r"), nil)
		tells(t, v, "ES256", sign(t, "ES256", ecKey(), "e"), nil)
		tells(t, v, "no kid in the token", sign(t, "RS256", rsaKey(), ""), nil)
		tells(t, v, "no kid in the set", sign(t, "EdDSA", edKey(), "whatever"), nil)
		tells(t, v, "secret of our own", forge(`{"alg":"HS256"}`, `{"iss":"`+issuerName+`","sub":"joe","exp":99999999999}`, string(hsSecret)), nil)

		tells(t, v, "another key with this kid", sign(t, "RS256", rsaKey2(), "r"), auth.ErrInvalid)
		tells(t, v, "another key without kid", sign(t, "RS256", rsaKey2(), ""), auth.ErrInvalid)
		tells(t, v, "kid of a key of another kind", sign(t, "RS256", rsaKey(), "e"), auth.ErrInvalid)
		tells(t, v, "kid that is no text", forge(`{"alg":"RS256","kid":7}`, `{"sub":"joe","exp":99999999999}`, ""), auth.ErrInvalid)
		tells(t, v, "kid that is empty", forge(`{"alg":"RS256","kid":""}`, `{"sub":"joe","exp":99999999999}`, ""), auth.ErrInvalid)
		if n := i.count(); n != 1 {
			t.Errorf("the issuer was asked %d times within a moment, want once", n)
		}
	})
}

// What everybody can read is no secret: not the PEM, not the modulus, not the
// set, and no "oct" key in it.
func TestKeysByURLAreNoSecrets(t *testing.T) {
	for _, algorithms := range [][]string{{"RS256"}, {"RS256", "HS256"}} {
		inTime(t, jwksConfig(issuerURL, algorithms...), func(t *testing.T, i *issuer, v *auth.Verifier) {
			const oct = "an-oct-key-that-the-issuer-published"
			key := members(t, rsaKey(), map[string]any{"kid": "r"})
			set := keySet(t, key, map[string]any{"kty": "oct", "kid": "o", "k": base64.RawURLEncoding.EncodeToString([]byte(oct)), "alg": "HS256"})
			i.say(set)
			book := start(t, v)
			tells(t, v, "RS256", sign(t, "RS256", rsaKey(), "r"), nil)
			block, _ := pem.Decode([]byte(rsaKey().public))
			n := must(base64.RawURLEncoding.DecodeString(key["n"].(string)))(t)
			for _, secret := range []string{rsaKey().public, string(block.Bytes), key["n"].(string), string(n), set, oct, ""} {
				for _, kid := range []string{"r", "o"} {
					for _, alg := range []string{"HS256", "RS256", "none"} {
						tells(t, v, "forged", forge(`{"alg":"`+alg+`","kid":"`+kid+`"}`, `{"sub":"joe","exp":99999999999}`, secret), auth.ErrInvalid)
					}
				}
			}
			if !strings.Contains(book.String(), "kty oct") || strings.Contains(book.String(), "tenant") {
				t.Errorf("the log should warn of the secret, without the query of the URL:\n%s", book)
			}
		})
	}
}

func TestKeysAreExchanged(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		first, second := sign(t, "RS256", rsaKey(), "1"), sign(t, "RS256", rsaKey2(), "2")
		i.say(keySet(t, members(t, rsaKey(), map[string]any{"kid": "1"})))
		start(t, v)
		tells(t, v, "the first key", first, nil)

		// A token with a new key has the set fetched, but not at once again.
		i.say(keySet(t, members(t, rsaKey(), map[string]any{"kid": "1"}), members(t, rsaKey2(), map[string]any{"kid": "2"})))
		tells(t, v, "the second key, too soon", second, auth.ErrInvalid)
		time.Sleep(10 * time.Second)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { tells(t, v, "the second key", second, nil) })
		}
		wg.Wait()
		tells(t, v, "the first key still", first, nil)
		if n := i.count(); n != 2 {
			t.Errorf("the issuer was asked %d times, want twice", n)
		}

		// Keys that nobody has are asked for once in 10s, whoever uses them.
		for n := range 100 {
			tells(t, v, "no key at all", sign(t, "RS256", rsaKey(), fmt.Sprint("x", n)), auth.ErrInvalid)
			time.Sleep(time.Second)
		}
		if n := i.count(); n < 10 || n > 13 {
			t.Errorf("the issuer was asked %d times in 100s", n)
		}

		// The old key goes with the next fetch.
		i.say(keySet(t, members(t, rsaKey2(), map[string]any{"kid": "2"})))
		time.Sleep(16 * time.Minute)
		tells(t, v, "the first key, gone", sign(t, "RS256", rsaKey(), "1"), auth.ErrInvalid)
		tells(t, v, "the second key, alone", sign(t, "RS256", rsaKey2(), "2"), nil)
		i.say(`{"keys":[]}`)
		time.Sleep(16 * time.Minute)
		tells(t, v, "no key is left", sign(t, "RS256", rsaKey2(), "2"), auth.ErrInvalid)
	})
}

func TestIssuerAway(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		token := func() auth.Secret { return sign(t, "RS256", rsaKey(), "1") }
		set := keySet(t, members(t, rsaKey(), map[string]any{"kid": "1"}))
		tells(t, v, "before Run", token(), errAway)
		i.fail(http.StatusBadGateway)
		book := start(t, v)
		tells(t, v, "away from the beginning", token(), errAway)
		if !strings.Contains(book.String(), "502") || !strings.Contains(book.String(), "login.example.com/keys") {
			t.Errorf("the log does not say what is wrong:\n%s", book)
		}
		time.Sleep(10 * time.Second)
		if n := i.count(); n < 4 || n > 6 {
			t.Errorf("asked %d times in the first 10s", n)
		}
		i.say(set)
		time.Sleep(time.Minute)
		tells(t, v, "back", token(), nil)

		// Away again: the keys are good for a day.
		for _, reply := range []func(w http.ResponseWriter, r *http.Request){
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>we are back soon</html>") },
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) },
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(" ", 300<<10)+set) },
			func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, // never answers
		} {
			i.do(reply)
			time.Sleep(4 * time.Hour)
			tells(t, v, "for a while", token(), nil)
		}
		time.Sleep(4*time.Hour + time.Minute)
		tells(t, v, "for more than a day", token(), errAway)
		i.say(set)
		time.Sleep(2 * time.Minute)
		tells(t, v, "back again", token(), nil)
	})
}

// Who waits for keys waits no longer than it wants to, and a fetch no longer
// than 10s.
func TestWaitingForKeys(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		i.do(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start(t, v)
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, sign(t, "RS256", rsaKey(), "1")); err == nil || time.Since(begin) != time.Second {
			t.Errorf("Verify returned after %v with %v, want a second", time.Since(begin), err)
		}
		tells(t, v, "without a deadline", sign(t, "RS256", rsaKey(), "1"), errAway)
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("Verify returned after %v, want 10s", d)
		}
	})
}

// When Run ends, nobody waits any more.
func TestKeysAfterTheEnd(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		i.do(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		go v.Run(ctx, slog.New(slog.DiscardHandler))
		synctest.Wait()
		go func() { time.Sleep(time.Second); cancel() }()
		begin := time.Now()
		tells(t, v, "while it ends", sign(t, "RS256", rsaKey(), "1"), errAway)
		tells(t, v, "when it has ended", sign(t, "RS256", rsaKey(), "1"), errAway)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("they waited %v, want a second", d)
		}
	})
}

// The same over TLS: from a server whose certificate is good, with keys that
// are exchanged and with an outage; and what a server may not lead to.
func TestKeysFromAServer(t *testing.T) {
	i := new(issuer)
	server := httptest.NewUnstartedServer(i)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(i)
	defer plain.Close()
	v := must(auth.NewVerifier(jwksConfig(server.URL, "RS256")))(t)
	v.FetchBy(server.Client().Transport, 0)
	stranger := must(auth.NewVerifier(jwksConfig(server.URL, "RS256")))(t) // does not know the certificate
	first, second := keySet(t, members(t, rsaKey(), map[string]any{"kid": "1"})), keySet(t, members(t, rsaKey2(), map[string]any{"kid": "2"}))
	i.say(first)
	start(t, v)
	book := start(t, stranger)
	tells(t, v, "the first key", sign(t, "RS256", rsaKey(), "1"), nil)
	tells(t, stranger, "a certificate that nobody knows", sign(t, "RS256", rsaKey(), "1"), errAway)
	if !strings.Contains(book.String(), "certificate") {
		t.Errorf("the log does not tell of the certificate:\n%s", book)
	}
	i.say(second)
	tells(t, v, "the second key", sign(t, "RS256", rsaKey2(), "2"), nil)

	// What follows keeps the second key and learns no other.
	for what, reply := range map[string]func(w http.ResponseWriter, r *http.Request){
		"a redirect to http": func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil {
				io.WriteString(w, first)
				return
			}
			http.Redirect(w, r, plain.URL, http.StatusFound)
		},
		"a redirect to a file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
		"a circle": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusFound)
		},
		"a broken body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, first)
		},
		"a long body": func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 1024))); err != nil {
					return
				}
			}
			io.WriteString(w, first)
		},
		"a status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			io.WriteString(w, first)
		},
	} {
		i.do(reply)
		tells(t, v, what, sign(t, "RS256", rsaKey(), "1"), auth.ErrInvalid)
		tells(t, v, what+", the second key", sign(t, "RS256", rsaKey2(), "2"), nil)
	}
	i.do(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		io.WriteString(w, first)
	})
	token := sign(t, "RS256", rsaKey(), "1")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); { // a fetch under way may be of before
		if _, err := v.Verify(t.Context(), token); err == nil {
			break
		}
	}
	tells(t, v, "a redirect on the same server", token, nil)
}

func TestRedirectsAreFew(t *testing.T) {
	inTime(t, jwksConfig(issuerURL, "RS256"), func(t *testing.T, i *issuer, v *auth.Verifier) {
		i.do(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
		book := start(t, v)
		synctest.Wait()
		if n := i.count(); n != 4 || !strings.Contains(book.String(), "at most 3 redirects") {
			t.Errorf("the issuer was asked %d times, want 4:\n%s", n, book)
		}
	})
}

func TestJWKSValidate(t *testing.T) {
	for _, tt := range []struct {
		change func(*auth.JWTConfig)
		want   string // "": it is right
	}{
		{func(*auth.JWTConfig) {}, ""},
		{func(c *auth.JWTConfig) { c.JWKS = "http://127.0.0.1:9000/keys" }, ""},
		{func(c *auth.JWTConfig) { c.JWKS = "http://localhost/keys" }, ""},
		{func(c *auth.JWTConfig) { c.JWKS = "http://[::1]/keys" }, ""},
		{func(c *auth.JWTConfig) { c.JWKS = "http://login.example.com/keys" }, "jwks: expected a URL of https, or of http to this machine"},
		{func(c *auth.JWTConfig) { c.JWKS = "http://10.0.0.1/keys" }, "jwks: expected a URL of https"},
		{func(c *auth.JWTConfig) { c.JWKS = "file:///etc/keys" }, "jwks: expected a URL such as"},
		{func(c *auth.JWTConfig) { c.JWKS = "ftp://example.com/keys" }, "jwks: expected a URL of https"},
		{func(c *auth.JWTConfig) { c.JWKS = "https:keys" }, "jwks: expected a URL such as"},
		{func(c *auth.JWTConfig) { c.JWKS = "keys.json" }, "jwks: expected a URL such as"},
		{func(c *auth.JWTConfig) { c.JWKS = "https://me:hunter2@example.com/" }, "jwks: expected a URL without a password"},
		{func(c *auth.JWTConfig) { c.PublicKey = rsaKey().public }, "jwks: expected public_key or jwks, found both"},
		{func(c *auth.JWTConfig) { c.Issuer = "" }, "issuer: expected what iss of the tokens is"},
		{func(c *auth.JWTConfig) { c.Algorithms, c.Secret = []string{"HS256"}, hsSecret }, "jwks: expected none"},
		{func(c *auth.JWTConfig) { c.JWKSRefresh = time.Second }, "jwks_refresh: must be in 10s to 24h, not 1s"},
		{func(c *auth.JWTConfig) { c.JWKSRefresh, c.JWKSStale = time.Hour, time.Minute }, "jwks_stale: must be in jwks_refresh (1h0m0s) to 720h, not 1m0s"},
		{func(c *auth.JWTConfig) { c.JWKSStale = 721 * time.Hour }, "jwks_stale: must be in"},
	} {
		cfg := jwksConfig(issuerURL, "RS256")
		tt.change(&cfg)
		got := strings.Join(problems(cfg.Validate), "\n")
		if (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) || strings.Contains(got, "hunter2") {
			t.Errorf("Validate of %s reports %q, want %q", cfg.JWKS, got, tt.want)
		}
	}
}
