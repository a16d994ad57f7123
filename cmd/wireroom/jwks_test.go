package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// A gateway whose issuer is away starts, refuses tokens, and takes them when
// the issuer is back.
func TestKeysOfTheIssuer(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	away.Store(true)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	defer issuer.Close()
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "  jwt: {", "  jwt: {algorithms: [HS256, EdDSA], issuer: tests, jwks: "+issuer.URL+", ", 1)))
	der := must(x509.MarshalPKCS8PrivateKey(private))(t)
	key := auth.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	token := must(auth.MintJWT("EdDSA", key, auth.Claims{Issuer: "tests", Subject: "ada", Roles: []string{"member"}, Expires: time.Now().Add(time.Hour)}))(t)
	join := func() []any {
		w := dialWire(t, p.ws(), nil)
		w.say(hello("ticket", "ada", ""))
		return w.say(fmt.Sprintf(`[5,%q,{}]`, string(token)))
	}
	if got := fmt.Sprint(join()); !strings.Contains(got, "wamp.error.unavailable") {
		t.Errorf("while the issuer is away: %s", got)
	}
	away.Store(false)
	until(t, "the token to be taken", func() bool { return join()[0] == 2.0 })
}
