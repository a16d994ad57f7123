package auth_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/gammazero/nexus/v3/wamp/crsign"

	"github.com/wireroom/wireroom/auth"
)

// signCRA is what nexus's client, which is not ours, answers.
func signCRA(ch *auth.Challenge, secret string) string {
	return crsign.RespondChallenge(secret, &wamp.Challenge{AuthMethod: ch.Method, Extra: wamp.Dict(ch.Extra)}, nil)
}

func TestCRA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCast(t)
		for _, tt := range []struct{ name, secret, role string }{
			{"carl", plainSecret, "member"},
			{"sally", saltPassword, "editor"},
		} {
			ch, err := c.begin(t, "wampcra", tt.name, nil)
			if err != nil {
				t.Fatal(err)
			}
			var text map[string]any
			if err := json.Unmarshal([]byte(ch.Extra["challenge"].(string)), &text); err != nil {
				t.Fatal(err)
			}
			nonce, _ := text["nonce"].(string)
			delete(text, "nonce")
			want := map[string]any{
				"authid": tt.name, "authrole": tt.role, "authmethod": "wampcra", "authprovider": "static",
				"timestamp": "2000-01-01T00:00:00.000Z", "session": 4711.0,
			}
			if len(nonce) < 22 || !maps.Equal(text, want) {
				t.Errorf("challenge %v with nonce %q, want %v", text, nonce, want)
			}
			g, err := ch.Answer(t.Context(), signCRA(ch, tt.secret), map[string]any{"surplus": map[string]any{"x": nil}})
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if g.AuthID != tt.name || g.AuthRole != tt.role || g.AuthMethod != "wampcra" || g.Provider != "static" || g.Extra["user"] != tt.name {
				t.Errorf("%s: %+v", tt.name, g)
			}
		}
	})
}

func TestCRASalted(t *testing.T) {
	c := newCast(t)
	ch, err := c.begin(t, "wampcra", "sally", nil)
	if err != nil {
		t.Fatal(err)
	}
	if ch.Extra["iterations"] != int64(1000) || ch.Extra["keylen"] != int64(32) || len(ch.Extra["salt"].(string)) != 24 {
		t.Errorf("challenge %v", ch.Extra)
	}
	g, err := ch.Answer(t.Context(), signCRA(ch, saltPassword), nil)
	if err != nil || g.AuthRole != "editor" {
		t.Errorf("the right password: %+v, %v", g, err)
	}
}

func TestCRARefused(t *testing.T) {
	c := newCast(t)
	sign := func(secret string) func(ch *auth.Challenge) string {
		return func(ch *auth.Challenge) string { return signCRA(ch, secret) }
	}
	before, err := c.begin(t, "wampcra", "carl", nil)
	if err != nil {
		t.Fatal(err)
	}
	recorded := signCRA(before, plainSecret)
	for _, tt := range []struct {
		what, name string
		answer     func(ch *auth.Challenge) string
	}{
		{"a wrong secret", "carl", sign("a plain shared Secret")},
		{"a wrong password", "sally", sign(plainSecret)},
		{"nothing", "carl", func(*auth.Challenge) string { return "" }},
		{"the secret itself", "carl", func(*auth.Challenge) string { return plainSecret }},
		{"a recorded answer", "carl", func(*auth.Challenge) string { return recorded }},
		{"a cut signature", "carl", func(ch *auth.Challenge) string { return signCRA(ch, plainSecret)[:40] }},
		{"a signature without padding", "carl", func(ch *auth.Challenge) string { return strings.TrimRight(signCRA(ch, plainSecret), "=") }},
		{"a longer signature", "carl", func(ch *auth.Challenge) string { return signCRA(ch, plainSecret) + "\n" }},
		{"salt taken away", "sally", func(ch *auth.Challenge) string {
			return crsign.SignChallenge(ch.Extra["challenge"].(string), []byte(saltPassword))
		}},
		{"a changed challenge", "carl", func(ch *auth.Challenge) string {
			return crsign.SignChallenge(strings.Replace(ch.Extra["challenge"].(string), "member", "editor", 1), []byte(plainSecret))
		}},
		{"an unknown name", "stranger1", sign(plainSecret)},
		{"an unknown name, no secret", "stranger1", sign("")},
		{"a user without a role here", "lost", sign(plainSecret)},
	} {
		ch, err := c.begin(t, "wampcra", tt.name, nil)
		for i := 0; err != nil && i < 100; i++ { // a stranger may look like a user without a secret
			tt.name += "x"
			ch, err = c.begin(t, "wampcra", tt.name, nil)
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		g, err := ch.Answer(t.Context(), tt.answer(ch), nil)
		refused(t, tt.what, g, err)
	}
}

func TestCRANoncesDiffer(t *testing.T) {
	c := newCast(t)
	seen := map[any]bool{}
	for range 100 {
		ch, err := c.begin(t, "wampcra", "carl", nil)
		if err != nil || seen[ch.Extra["challenge"]] {
			t.Fatalf("challenge %v came before, or %v", ch.Extra, err)
		}
		seen[ch.Extra["challenge"]] = true
	}
}

// No text is an answer but the one.
func FuzzCRAAnswer(f *testing.F) {
	c := newCast(f)
	f.Add("", "carl", true)
	f.Add("gir1mSx+deCDUV7wRM5SGIn/+R/ClqLZuH4m7FJeBVI=", "sally", false)
	f.Fuzz(func(t *testing.T, answer, name string, right bool) {
		ch, err := c.begin(t, "wampcra", name, nil)
		if err != nil {
			return
		}
		if right && name == "carl" {
			if _, err := ch.Answer(t.Context(), signCRA(ch, plainSecret), nil); err != nil {
				t.Errorf("the right answer: %v", err)
			}
			return
		}
		g, err := ch.Answer(t.Context(), answer, nil)
		refused(t, answer, g, err)
	})
}
