package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// An application is somebody to ask.
type application struct {
	known   map[string]auth.Principal // by authid
	details map[string]any            // of the last question
	authid  string                    // likewise
}

func (app *application) lookUp(_ context.Context, authid string, details map[string]any) (*auth.Principal, error) {
	app.authid, app.details = authid, details
	p, ok := app.known[authid]
	if !ok {
		return nil, errors.New("there is no such user, of course")
	}
	return &p, nil
}

// elsewhere lets the application send clients to the realm closed of the Auth,
// if there is one.
func elsewhere(there ...*auth.Auth) func(wamp.URI) *auth.Auth {
	return func(realm wamp.URI) *auth.Auth {
		if realm != "closed" || len(there) == 0 {
			return nil
		}
		return there[0]
	}
}

// asking returns an Auth that asks the application by every method.
func asking(t testing.TB, app *application) *auth.Auth {
	t.Helper()
	a, _ := newAuth(t, newMemStore(), nil)
	lookups := map[string]auth.Lookup{}
	for _, method := range auth.LookupMethods {
		lookups[method] = app.lookUp
	}
	return a.Asking("open", lookups, elsewhere(a), bytes.Repeat([]byte{1}, 32))
}

func TestAskForATicket(t *testing.T) {
	app := &application{known: map[string]auth.Principal{
		"joe":     {Role: "member", Extra: map[string]any{"theme": "dark"}},
		"eve":     {AuthID: "eve2", Role: "editor"},
		"admin":   {Role: "admin"},
		"nobody":  {},
		"sent":    {Role: "member", Realm: "closed"},
		"foreign": {Role: "member", Realm: "unknown"},
		"misled":  {Role: "editor", Realm: "closed"}, // a role of the realm that is asked for only
		"here":    {Role: "member", Realm: "open"},
		"bad":     {AuthID: "a\nb", Role: "member"},
	}}
	a := asking(t, app)
	for _, tt := range []struct{ authid, want string }{
		{"joe", "joe"},
		{"eve", "eve2"},
		{"here", "here"},
		{"admin", ""},
		{"nobody", ""},
		{"sent", "sent"},
		{"foreign", ""},
		{"misled", ""},
		{"bad", ""},
		{"stranger", ""},
	} {
		ch, err := begin(t, a, "open", "ticket", tt.authid, map[string]any{"x": int64(1)})
		if err != nil {
			t.Fatal(err)
		}
		g, err := ch.Answer(t.Context(), "s3cret", nil)
		if tt.want == "" {
			if text := clientSees(err); text != "ticket not valid" {
				t.Errorf("%s: %+v, %q, want that of a wrong ticket", tt.authid, g, text)
			}
			continue
		}
		realm := wamp.URI("")
		if tt.authid == "sent" {
			realm = "closed"
		}
		if err != nil || g.AuthID != tt.want || g.Provider != "dynamic" || g.AuthMethod != "ticket" || g.Realm != realm {
			t.Errorf("%s: %+v, %v", tt.authid, g, err)
		}
	}
	ch, err := begin(t, a, "open", "ticket", "joe", map[string]any{"x": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	g, err := ch.Answer(t.Context(), "s3cret", nil)
	if err != nil || g.Extra["theme"] != "dark" || g.Extra["user"] != "joe" || g.AuthRole != "member" {
		t.Errorf("joe: %+v, %v", g, err)
	}
	extra, _ := app.details["authextra"].(map[string]any)
	if app.authid != "joe" || app.details["ticket"] != "s3cret" || app.details["authmethod"] != "ticket" || extra["x"] != int64(1) {
		t.Errorf("asked about %q with %v", app.authid, app.details)
	}
	if _, err := ch.Answer(t.Context(), strings.Repeat("x", auth.MaxTicket+1), nil); clientSees(err) != "ticket not valid" {
		t.Errorf("a huge ticket: %v", err)
	}
}

// That the application is away is told to everybody alike, by whatever method.
func TestApplicationAway(t *testing.T) {
	plain, _ := newAuth(t, newMemStore(), nil)
	lookups := map[string]auth.Lookup{}
	for _, method := range auth.LookupMethods {
		lookups[method] = func(context.Context, string, map[string]any) (*auth.Principal, error) {
			return nil, fmt.Errorf("%w: nobody has registered the procedure", auth.ErrAway)
		}
	}
	a := plain.Asking("open", lookups, elsewhere(), make([]byte, 32))
	extra := map[string]any{"pubkey": strings.Repeat("00", 32), "nonce": clientNonce}
	for _, method := range auth.LookupMethods {
		for _, name := range []string{"joe", "stranger"} {
			ch, err := begin(t, a, "open", method, name, extra)
			if method == auth.MethodTicket {
				if err != nil {
					t.Fatal(err)
				}
				_, err = ch.Answer(t.Context(), "s3cret", nil)
			}
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != wamp.URIUnavailable || e.Text != "authentication is not available at the moment" {
				t.Errorf("%s, %s: %v", method, name, err)
			}
		}
	}
}

// clientSees returns what a peer is told, "" if it is let in.
func clientSees(err error) string {
	if e, ok := errors.AsType[*wamp.Error](err); ok {
		return e.Text
	}
	return ""
}

func TestAskAnonymously(t *testing.T) {
	app := &application{}
	a := asking(t, app)
	if _, err := begin(t, a, "open", "anonymous", "", nil); clientSees(err) != "authentication failed" {
		t.Errorf("anonymous, refused: %v", err)
	}
	if len(app.authid) < 16 || app.details["authmethod"] != "anonymous" || app.details["ticket"] != nil {
		t.Errorf("asked about %q with %v", app.authid, app.details)
	}
	first := app.authid
	lookups := map[string]auth.Lookup{auth.MethodAnonymous: func(_ context.Context, authid string, _ map[string]any) (*auth.Principal, error) {
		if authid == first {
			t.Error("two anonymous clients have the same authid")
		}
		return &auth.Principal{Role: "member"}, nil
	}}
	plain, _ := newAuth(t, newMemStore(), nil)
	g, _, err := plain.Asking("open", lookups, elsewhere(), make([]byte, 32)).Begin(t.Context(), "open", auth.Hello{AuthMethods: []string{"anonymous"}}, nil)
	if err != nil || g.AuthRole != "member" || g.AuthMethod != "anonymous" || g.Provider != "dynamic" || g.Extra["user"] != nil {
		t.Errorf("anonymous: %+v, %v", g, err)
	}
}

func TestAskForCRA(t *testing.T) {
	derived := must(auth.NewCRA("password", 1000))(t)
	app := &application{known: map[string]auth.Principal{
		"plain":  {Role: "member", Secret: "123456"},
		"salted": {Role: "member", Secret: "password", Salt: derived.Salt, Iterations: 1000, KeyLen: 32},
		"key":    {Role: "member", Secret: derived.Secret, Salt: derived.Salt, Iterations: 1000, KeyLen: 32},
		"none":   {Role: "member"},
		"slow":   {Role: "member", Secret: "password", Salt: "salt", Iterations: 1 << 30, KeyLen: 32},
		"long":   {Role: "member", Secret: "password", Salt: "salt", Iterations: 10, KeyLen: 1 << 20},
		"no":     {Role: "none", Secret: "password"},
	}}
	a := asking(t, app)
	for _, tt := range []struct {
		name, secret string
		in           bool
	}{
		{"plain", "123456", true},
		{"plain", "1234567", false},
		{"salted", "password", true},
		{"salted", "Password", false},
		{"key", "password", true},
		{"key", "passwor", false},
		{"none", "", false},
		{"slow", "password", false},
		{"long", "password", false},
		{"no", "password", false},
		{"stranger", "password", false},
	} {
		ch, err := begin(t, a, "open", "wampcra", tt.name, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var text map[string]any
		if err := json.Unmarshal([]byte(ch.Extra["challenge"].(string)), &text); err != nil {
			t.Fatal(err)
		}
		if text["authid"] != tt.name || text["authprovider"] != "dynamic" || text["authrole"] != "member" {
			t.Errorf("%s is challenged with %v", tt.name, text)
		}
		g, err := ch.Answer(t.Context(), signCRA(ch, tt.secret), nil)
		switch {
		case tt.in && (err != nil || g.AuthID != tt.name || g.AuthMethod != "wampcra" || g.Provider != "dynamic"):
			t.Errorf("%s: %+v, %v", tt.name, g, err)
		case !tt.in && (g != nil || clientSees(err) != "authentication failed"):
			t.Errorf("%s with %q: %+v, %v", tt.name, tt.secret, g, err)
		}
	}
	// A stranger looks like somebody, always the same.
	looks := map[any]bool{}
	for range 5 {
		ch, err := begin(t, a, "open", "wampcra", "another stranger", nil)
		if err != nil {
			t.Fatal(err)
		}
		looks[ch.Extra["salt"]] = true
	}
	if len(looks) != 1 {
		t.Errorf("a stranger has the salts %v", looks)
	}
	salted := 0
	for name := range strings.SplitSeq("abcdefghijklmnopqrst", "") {
		ch, err := begin(t, a, "open", "wampcra", name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if salt, ok := ch.Extra["salt"].(string); ok {
			salted++
			if len(salt) != len(derived.Salt) || ch.Extra["iterations"] != int64(1000) || ch.Extra["keylen"] != int64(32) {
				t.Errorf("a stranger is salted unlike anybody: %v", ch.Extra)
			}
		}
	}
	if salted == 0 || salted == 20 {
		t.Errorf("of 20 strangers %d are salted, and of users some", salted)
	}
}

func TestAskForSCRAM(t *testing.T) {
	argon := must(auth.NewSCRAM(pencil, auth.KDFArgon2id, 1, 1024))(t)
	pbkdf2 := must(auth.NewSCRAM(pencil, auth.KDFPBKDF2, 4096, 0))(t)
	principal := func(c *auth.SCRAMConfig, change func(p *auth.Principal)) auth.Principal {
		p := auth.Principal{Role: "member", KDF: c.KDF, Salt: c.Salt, Iterations: c.Iterations, Memory: c.Memory, StoredKey: c.StoredKey, ServerKey: c.ServerKey}
		if change != nil {
			change(&p)
		}
		return p
	}
	app := &application{known: map[string]auth.Principal{
		"argus":  principal(argon, nil),
		"pbk":    principal(pbkdf2, nil),
		"other":  principal(pbkdf2, func(p *auth.Principal) { p.AuthID = "pbk2" }),
		"draft":  principal(argon, func(p *auth.Principal) { p.KDF = "argon2id-13" }),
		"odd":    principal(argon, func(p *auth.Principal) { p.KDF = "scrypt" }),
		"cheap":  principal(pbkdf2, func(p *auth.Principal) { p.Iterations = 1 }),
		"short":  principal(pbkdf2, func(p *auth.Principal) { p.ServerKey = "AAAA" }),
		"silent": {Role: "member"},
		"admin":  principal(pbkdf2, func(p *auth.Principal) { p.Role = "none" }),
	}}
	a := asking(t, app)
	hello := map[string]any{"nonce": clientNonce}
	if ch, err := begin(t, a, "open", "wamp-scram", "early", hello); err != nil || ch.Extra["kdf"] != "argon2id13" || ch.Extra["iterations"] != int64(3) {
		t.Errorf("the first of all strangers: %+v, %v", ch, err)
	}
	for _, tt := range []struct{ name, password, want string }{
		{"argus", pencil, "argus"},
		{"argus", "Pencil", ""},
		{"pbk", pencil, "pbk"},
		{"pbk", "", ""},
		{"p\u00adbk", pencil, "pbk"},
		{"other", pencil, "pbk2"},
		{"draft", pencil, ""},
		{"odd", pencil, ""},
		{"cheap", pencil, ""},
		{"short", pencil, ""},
		{"silent", pencil, ""},
		{"admin", pencil, ""},
		{"stranger", pencil, ""},
	} {
		ch, err := begin(t, a, "open", "wamp-scram", tt.name, hello)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if app.authid != strings.ReplaceAll(tt.name, "\u00ad", "") || app.details["authmethod"] != "wamp-scram" {
			t.Errorf("%s: asked about %q with %v", tt.name, app.authid, app.details)
		}
		proof, extra, verifier := scramClient{tt.name, tt.password, clientNonce}.answer(t, ch)
		g, err := ch.Answer(t.Context(), proof, extra)
		switch {
		case tt.want == "":
			refused(t, tt.name, g, err)
		case err != nil || g.AuthID != tt.want || g.AuthRole != "member" || g.Provider != "dynamic" || g.Extra["verifier"] != verifier:
			t.Errorf("%s: %+v, %v", tt.name, g, err)
		}
	}
	// A stranger looks like somebody, always the same.
	salts, kinds := map[any]bool{}, map[any]bool{}
	for name := range strings.SplitSeq("abcdefghijklmnopqrst", "") {
		for range 2 {
			ch, err := begin(t, a, "open", "wamp-scram", name, hello)
			if err != nil {
				t.Fatal(err)
			}
			salts[ch.Extra["salt"]] = true
			kinds[fmt.Sprint(ch.Extra["kdf"], ch.Extra["iterations"], ch.Extra["memory"], len(ch.Extra["salt"].(string)))] = true
		}
	}
	if len(salts) != 20 || len(kinds) != 2 || !kinds[fmt.Sprint("pbkdf2", 4096, nil, len(pbkdf2.Salt))] || !kinds[fmt.Sprint("argon2id13", 1, 1024, len(argon.Salt))] {
		t.Errorf("20 strangers have %d salts, and look like %v", len(salts), kinds)
	}
	// What is wrong with HELLO is told before anybody is asked.
	app.authid = ""
	if ch, err := begin(t, a, "open", "wamp-scram", "argus", nil); ch != nil || wamp.AsError(err).URI != wamp.URIInvalidArgument || app.authid != "" {
		t.Errorf("no nonce: %v, %v, and %q was asked about", ch, err, app.authid)
	}
}

// Keys are derived for so many at a time. Who does not get a turn is told so,
// known or not; who needs none does not wait.
func TestDerivationsAreBounded(t *testing.T) {
	derived := must(auth.NewCRA("password", 1000))(t)
	a := asking(t, &application{known: map[string]auth.Principal{
		"salted": {Role: "member", Secret: "password", Salt: derived.Salt, Iterations: 1000, KeyLen: 32},
		"key":    {Role: "member", Secret: derived.Secret, Salt: derived.Salt, Iterations: 1000, KeyLen: 32},
	}})
	answer := func(ctx context.Context, name, secret string) (*auth.Grant, error) {
		ch, err := begin(t, a, "open", "wampcra", name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ch.Answer(ctx, signCRA(ch, secret), nil)
	}
	answer(t.Context(), "salted", "password") // so that strangers look like that
	release := auth.HoldDerivations()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct{ name, secret string }{{"salted", "password"}, {"salted", "wrong"}, {"key", "wrong"}, {"stranger", "password"}} {
		if tt.name == "stranger" { // one who looks salted
			for ch, err := begin(t, a, "open", "wampcra", tt.name, nil); ch.Extra["salt"] == nil; ch, err = begin(t, a, "open", "wampcra", tt.name, nil) {
				if err != nil {
					t.Fatal(err)
				}
				tt.name += "x"
			}
		}
		g, err := answer(over, tt.name, tt.secret)
		e, ok := errors.AsType[*wamp.Error](err)
		if g != nil || !ok || e.URI != wamp.URIUnavailable || e.Text != "authentication is not available at the moment" {
			t.Errorf("%s with %q, without a turn: %+v, %v", tt.name, tt.secret, g, err)
		}
	}
	if g, err := answer(over, "key", "password"); err != nil || g.AuthID != "key" {
		t.Errorf("who needs no turn: %+v, %v", g, err)
	}
	release()
	if g, err := answer(t.Context(), "salted", "password"); err != nil || g.AuthID != "salted" {
		t.Errorf("with a turn: %+v, %v", g, err)
	}
}

func TestAskForAKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := hex.EncodeToString(public)
	app := &application{known: map[string]auth.Principal{
		"kay":    {Role: "member", PublicKey: key},
		"other":  {Role: "member", PublicKey: strings.Repeat("00", 32)},
		"broken": {Role: "member", PublicKey: "key"},
		"none":   {Role: "member"},
		"":       {Role: "editor", AuthID: "kay", PublicKey: strings.ToUpper(key)},
	}}
	a := asking(t, app)
	for name, role := range map[string]string{"kay": "member", "": "editor", "other": "", "broken": "", "none": "", "stranger": ""} {
		ch, err := begin(t, a, "open", "cryptosign", name, map[string]any{"pubkey": key})
		if err != nil {
			t.Fatal(err)
		}
		message := must(hex.DecodeString(ch.Extra["challenge"].(string)))(t)
		g, err := ch.Answer(t.Context(), hex.EncodeToString(append(ed25519.Sign(private, message), message...)), nil)
		switch {
		case role == "" && (g != nil || clientSees(err) != "authentication failed"):
			t.Errorf("%s: %+v, %v", name, g, err)
		case role != "" && (err != nil || g.AuthID != "kay" || g.AuthRole != role || g.Provider != "dynamic"):
			t.Errorf("%q: %+v, %v", name, g, err)
		}
		if g, err := ch.Answer(t.Context(), strings.Repeat("00", 96), nil); g != nil || clientSees(err) != "authentication failed" {
			t.Errorf("%s with a wrong signature: %+v, %v", name, g, err)
		}
	}
}
