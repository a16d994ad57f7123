package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

func TestNewSecret(t *testing.T) {
	seen := make(map[auth.Secret]bool)
	for range 1000 {
		s := auth.NewSecret()
		if !s.WellFormed() || seen[s] {
			t.Fatalf("NewSecret: %q is malformed or was there before", string(s))
		}
		seen[s] = true
	}
	good := string(auth.NewSecret())
	if old := auth.Secret(good[:46]); !old.WellFormed() || old.Key() != old.Hash() {
		t.Errorf("%q, from before there were families, is malformed or looked up by something else than its hash", string(old))
	}
	for _, bad := range []string{
		"", "wr_", good[3:], good[:45], good[:47], good[:67], good + "A", "WR_" + good[3:], "wr_" + good[3:67] + "=", "wr_" + good[3:67] + "\n",
		"wr_" + good[3:67] + "+", "wr_" + good[3:67] + "\xff",
	} {
		if auth.Secret(bad).WellFormed() {
			t.Errorf("%q is well formed", bad)
		}
	}
}

// No way of printing or logging shows a secret.
func TestSecretIsRedacted(t *testing.T) {
	const secret auth.Secret = "wr_hush"
	var out bytes.Buffer
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		log.Info("m", "secret", secret, "in", struct{ S auth.Secret }{secret}, "config", auth.KeyConfig{Name: "shop", Secret: secret})
	}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x"} {
		fmt.Fprintf(&out, verb+"\n", secret)
		fmt.Fprintf(&out, verb+"\n", auth.JWTConfig{Secret: secret})
		fmt.Fprintf(&out, verb+"\n", []auth.Secret{secret})
	}
	if got := out.String(); strings.Contains(got, "hush") || strings.Contains(got, "68757368") {
		t.Errorf("the secret is in\n%s", got)
	}
}

func TestTokenClone(t *testing.T) {
	a := &auth.Token{Client: "c", Roles: []string{"x"}, Created: time.Unix(1, 0)}
	b := a.Clone()
	b.Roles[0] = "y"
	if a.Roles[0] != "x" || b.Client != "c" || !b.Created.Equal(a.Created) {
		t.Errorf("Clone of %+v is %+v", a, b)
	}
}
